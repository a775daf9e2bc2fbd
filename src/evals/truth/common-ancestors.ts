/** Lowest common ancestors in a learned forest against those in the true one. */
import type { Random } from '../../core/random.ts';
import type { Forest } from '../../forest/forest.ts';

/** Features whose latents are paired: a hundred thousand pairs. */
const MOST_FEATURES = 450;

/** Pairs of latents with a common ancestor in at least one of the forests. */
export interface NodePairs {
  /** `[pairs]` features that the two stand for. */
  readonly first: Int32Array;
  readonly second: Int32Array;
  /** `[pairs]` |depth in the learned forest − depth in the true one|. */
  readonly error: Float64Array;
}

/** @param match `[learned nodes]` feature of each, −1 for none; @param random chooses the features where there are many */
export function depthError(learned: Forest, match: Int32Array, truth: Forest, random: Random): NodePairs {
  const chosen = new Set(sample(truth.size, new Set(match), random));
  const nodes = Array.from(match.keys()).filter((node) => chosen.has(match[node]));
  const [first, second, error]: [number[], number[], number[]] = [[], [], []];
  for (const [i, a] of nodes.entries()) {
    for (const b of nodes.slice(0, i)) {
      const inLearned = commonDepth(learned, a, b);
      const inTruth = commonDepth(truth, match[a], match[b]);
      if (inLearned === -1 && inTruth === -1) continue;
      first.push(match[a]);
      second.push(match[b]);
      error.push(Math.abs(inLearned - inTruth));
    }
  }
  return { first: Int32Array.from(first), second: Int32Array.from(second), error: Float64Array.from(error) };
}

/** Depth of the lowest node that is both or above both; −1 without one. */
export function commonDepth({ parent, depth }: Forest, a: number, b: number): number {
  while (a !== b) {
    if (depth[a] < depth[b]) b = parent[b];
    else if (depth[a] > depth[b]) a = parent[a];
    else [a, b] = [parent[a], parent[b]];
  }
  return a === -1 ? -1 : depth[a];
}

/** Some of the features that were found. The order in which they come into question does not depend on which these are. */
function sample(features: number, found: ReadonlySet<number>, random: Random): number[] {
  const order = Array.from({ length: features }, (_, j) => j);
  for (let i = features - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order.filter((feature) => found.has(feature)).slice(0, MOST_FEATURES);
}
