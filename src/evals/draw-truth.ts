/** A piece of a recovered forest beside the true one. */
import { drawBeside, drawForest } from '../forest/draw.ts';
import { Forest } from '../forest/forest.ts';
import { MIN_ROWS, type TruthRecovery } from './truth-recovery.ts';

/** Features in a piece, at most and at least: what one looks at with pleasure. */
const PIECE = { least: 8, most: 40 };

/**
 * The feature whose descendants make the most telling piece: the one with the most right links below it, of those with a
 * suitable number of occurring descendants. −1 where nothing was found.
 */
export function tellingPiece(truth: Forest, recoveries: readonly TruthRecovery[]): number {
  let [piece, most] = [-1, 0];
  for (let top = 0; top < truth.size; top++) {
    const members = membersOf(truth, top, recoveries[0]);
    if (members.length < PIECE.least || members.length > PIECE.most) continue;
    const inside = new Set(members);
    const right = recoveries.reduce((sum, recovery) => sum + rightLinks(truth, recovery, inside), 0);
    if (right > most) [piece, most] = [top, right];
  }
  return piece;
}

/**
 * Left the latents that stand for the piece's features, as the SAE's forest links them; right the features. Left `✓` marks a
 * latent whose parent stands for a feature above its own, `=` one whose parent stands for the same, `·` one that has no parent
 * in the piece and `✗` a wrong link. Right `✓` marks a feature that some latent stands for.
 */
export function drawPiece(
  truth: Forest,
  names: readonly string[],
  recovery: TruthRecovery,
  top: number,
  width = 38,
): string {
  const { match, forest, agreement } = recovery;
  const members = membersOf(truth, top, recovery);
  const inside = new Set(members);
  const latents = [...match.keys()].filter((latent) => inside.has(match[latent]));
  const found = new Set(latents.map((latent) => match[latent]));
  const mark = (latent: number): string => {
    const parent = forest.parent[latent];
    if (parent === -1 || !inside.has(match[parent])) return '·';
    if (match[parent] === match[latent]) return '=';
    return truth.isAncestor(match[parent], match[latent]) ? '✓' : '✗';
  };
  const left = drawForest(restrict(forest, latents), {
    label: (i) => names[match[latents[i]]],
    frequency: latents.map((latent) => agreement.on[match[latent]]),
    mark: (i) => mark(latents[i]),
    width,
  });
  const right = drawForest(restrict(truth, members), {
    label: (i) => names[members[i]],
    frequency: members.map((feature) => agreement.on[feature]),
    mark: (i) => (found.has(members[i]) ? '✓' : ' '),
    width,
  });
  return drawBeside('recovered', left, 'true', right);
}

function membersOf(truth: Forest, top: number, { agreement }: TruthRecovery): number[] {
  const below = Array.from(truth.parent, (_, feature) => feature).filter((feature) => truth.isAncestor(top, feature));
  return [top, ...below].filter((feature) => agreement.on[feature] >= MIN_ROWS);
}

function rightLinks(truth: Forest, { forest, match }: TruthRecovery, inside: ReadonlySet<number>): number {
  let right = 0;
  for (const [parent, child] of forest.edges()) {
    const [above, below] = [match[parent], match[child]];
    if (inside.has(above) && inside.has(below) && truth.isAncestor(above, below)) right++;
  }
  return right;
}

/** The forest among some nodes, renumbered; a node whose parent is left out becomes a root. */
function restrict(forest: Forest, nodes: readonly number[]): Forest {
  const place = new Map(nodes.map((node, i) => [node, i]));
  return new Forest(Int32Array.from(nodes, (node) => place.get(forest.parent[node]) ?? -1));
}
