/** A piece of what was recovered beside the same piece of the truth. */
import { drawRecovery } from '../forest/draw.ts';
import type { Forest } from '../forest/forest.ts';
import { restrict } from './live-latents.ts';
import type { TruthDetails } from './truth-recovery.ts';
import type { TruthRows } from './truth-rows.ts';

export interface PieceOptions {
  /** Feature at the top of the piece; by default the one below which most edges were recovered. */
  readonly top?: number;
  /** Longest line of either column; 40. */
  readonly width?: number;
  /** Most nodes of either column; 40. */
  readonly maxNodes?: number;
}

/**
 * One tree of the truth, and the latents that stand for its features with their parents and children in the SAE's forest, whatever
 * these stand for.
 */
export function drawTruthPiece(
  { truth, nameOf }: Pick<TruthRows, 'truth' | 'nameOf'>,
  { live, forest, match, frequency }: TruthDetails,
  options: PieceOptions = {},
): string {
  const { width = 40, maxNodes = 40 } = options;
  const top = options.top ?? bestRoot(truth, forest, match);
  const features = [top, ...descendants(truth, top)];
  const placeOf = new Map(features.map((feature, i) => [feature, i]));
  const shown = new Set<number>();
  match.forEach((feature, node) => {
    if (!placeOf.has(feature)) return;
    shown.add(node);
    if (forest.parent[node] !== -1) shown.add(forest.parent[node]);
    for (const child of forest.children(node)) shown.add(child);
  });
  const nodes = [...shown].sort((a, b) => a - b);
  return drawRecovery({
    truth: restrict(truth.parent, features),
    recovered: restrict(forest.parent, nodes),
    match: Int32Array.from(nodes, (node) => placeOf.get(match[node]) ?? -1),
    name: (i) => nameOf(features[i]),
    latentLabel: (i) => (match[nodes[i]] === -1 ? `latent ${live[nodes[i]]}` : nameOf(match[nodes[i]])),
    probability: features.map((feature) => frequency[feature]),
    width,
    maxNodes,
  });
}

/** The root with most recovered edges below it, then with most recovered features, then the lowest. */
function bestRoot(truth: Forest, forest: Forest, match: Int32Array): number {
  const rootOf = Int32Array.from(truth.parent.keys());
  for (const feature of truth.order) if (truth.parent[feature] !== -1) rootOf[feature] = rootOf[truth.parent[feature]];
  const score = new Float64Array(truth.size);
  match.forEach((feature, node) => {
    if (feature === -1) return;
    // An edge counts for more than all features could.
    score[rootOf[feature]]++;
    const above = forest.parent[node] === -1 ? -1 : match[forest.parent[node]];
    if (above !== -1 && truth.parent[feature] === above) score[rootOf[feature]] += truth.size;
  });
  return truth.roots.reduce((best, root) => (score[root] > score[best] ? root : best), truth.roots[0]);
}

/** Everything below a node. */
function descendants(forest: Forest, node: number): number[] {
  const found: number[] = [];
  const open = [...forest.children(node)];
  for (let next = open.shift(); next !== undefined; next = open.shift()) {
    found.push(next);
    open.push(...forest.children(next));
  }
  return found;
}
