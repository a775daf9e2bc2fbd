/** A piece of what was recovered beside the same piece of the truth. */
import { drawBeside, drawForest } from '../forest/draw.ts';
import type { Forest } from '../forest/forest.ts';
import { restrict } from './live-latents.ts';
import type { TruthDetails } from './truth-recovery.ts';
import type { TruthRows } from './truth-rows.ts';

/** Features of a piece that is worth showing: a handful at least, a screen at most. */
const SIZE = { least: 4, most: 30 };

/** What a drawing needs to know of a recovery. */
type Recovered = Pick<TruthDetails, 'forest' | 'match' | 'frequency'>;

/**
 * The feature below which the most links were recovered, of those with a suitable number of features that occur below them;
 * −1 where no link was.
 */
export function tellingPiece(truth: Forest, recovered: Recovered): number {
  let [piece, most] = [-1, 0];
  for (let top = 0; top < truth.size; top++) {
    const features = pieceOf(truth, top, recovered.frequency);
    if (features.length < SIZE.least || features.length > SIZE.most) continue;
    const right = rightLinks(truth, recovered, new Set(features));
    if (right > most) [piece, most] = [top, right];
  }
  return piece;
}

/**
 * Left the latents that stand for a feature of the piece, as the SAE's forest links them; right the features. Left `✓` marks a
 * latent whose parent stands for a feature above its own, `=` one whose parent stands for the same, `✗` a wrong link and `·` a
 * latent without a parent in the piece. Right `✓` marks a feature that a latent stands for.
 * @param top feature at the top of the piece
 */
export function drawTruthPiece(
  { truth, nameOf }: Pick<TruthRows, 'truth' | 'nameOf'>,
  { forest, match, frequency }: Recovered,
  top: number,
  width = 40,
): string {
  const features = pieceOf(truth, top, frequency);
  const inside = new Set(features);
  const nodes = [...match.keys()].filter((node) => inside.has(match[node]));
  const found = new Set(nodes.map((node) => match[node]));
  const mark = (node: number): string => {
    const above = forest.parent[node] === -1 ? -1 : match[forest.parent[node]];
    if (!inside.has(above)) return '·';
    if (above === match[node]) return '=';
    return truth.isAncestor(above, match[node]) ? '✓' : '✗';
  };
  const left = drawForest(restrict(forest.parent, nodes), {
    label: (i) => nameOf(match[nodes[i]]),
    frequency: nodes.map((node) => frequency[match[node]]),
    mark: (i) => mark(nodes[i]),
    width,
  });
  const right = drawForest(restrict(truth.parent, features), {
    label: (i) => nameOf(features[i]),
    frequency: features.map((feature) => frequency[feature]),
    mark: (i) => (found.has(features[i]) ? '✓' : ' '),
    width,
  });
  return drawBeside('recovered', left, 'true', right);
}

/** A feature with all below it that occur. */
function pieceOf(truth: Forest, top: number, frequency: Float64Array): number[] {
  return Array.from(frequency.keys()).filter(
    (feature) => frequency[feature] > 0 && (feature === top || truth.isAncestor(top, feature)),
  );
}

function rightLinks(truth: Forest, { forest, match }: Recovered, inside: ReadonlySet<number>): number {
  let right = 0;
  for (const [parent, child] of forest.edges()) {
    const [above, below] = [match[parent], match[child]];
    if (inside.has(above) && inside.has(below) && truth.isAncestor(above, below)) right++;
  }
  return right;
}
