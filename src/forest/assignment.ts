/**
 * Links between neighbouring levels of a feature forest by similarity (arXiv 2602.11881, methods 2.3): every latent takes the most
 * similar one of the level above as its parent; the least similar share of a level stays without.
 */
import { quantileOfSorted } from '../core/statistics.ts';

/** What is no parent, as stored on a device. */
export const NO_PARENT = 2 ** 32 - 1;

/** Share of a level that stays without a parent, as published. */
export const UNASSIGNED = 0.2;

/**
 * Shape of the forest, for the paper's ablation (methods 2.6): `partial`, the published one; `full`, all latents get a parent; `fixed`,
 * the first assignment is kept; `binary`, at most two children for each parent.
 */
export const TOPOLOGIES = ['partial', 'full', 'fixed', 'binary'] as const;
export type Topology = (typeof TOPOLOGIES)[number];

/** For each latent of a level the most similar one of the level above (lowest index on ties), and how similar it is. */
export interface Nearest {
  index: ArrayLike<number>;
  similarity: ArrayLike<number>;
}

/**
 * Parents as indices of the level above, −1 for latents whose similarity is strictly below the quantile `unassigned` of their level
 * (linear interpolation).
 */
export function assignParents({ index, similarity }: Nearest, unassigned: number): Int32Array {
  const sorted = Float64Array.from(similarity).sort();
  const least = quantileOfSorted(sorted, unassigned);
  return Int32Array.from(similarity, (value, i) => (value < least ? -1 : index[i]));
}

/**
 * At most `most` children for each parent: the most similar ones stay (lowest index on ties), the others are left without. The paper does
 * not say where the others of its binary tree go.
 * @param parents of {@link assignParents}, `[children]`
 */
export function pruneFamilies(parents: Int32Array, similarity: ArrayLike<number>, most: number): Int32Array {
  const taken = new Map<number, number>();
  const pruned = new Int32Array(parents.length).fill(-1);
  const bySimilarity = [...parents.keys()].sort((a, b) => similarity[b] - similarity[a] || a - b);
  for (const child of bySimilarity) {
    const parent = parents[child];
    const children = taken.get(parent) ?? 0;
    if (parent === -1 || children === most) continue;
    taken.set(parent, children + 1);
    pruned[child] = parent;
  }
  return pruned;
}
