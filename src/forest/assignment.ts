/**
 * Links between neighbouring levels of a feature forest by similarity (arXiv 2602.11881, methods 2.3): every latent takes the most
 * similar one of the level above as its parent; the least similar share of a level stays without.
 */
import { quantileOfSorted } from '../core/statistics.ts';

/** What is no parent, as stored on a device. */
export const NO_PARENT = 2 ** 32 - 1;

/** Share of a level that stays without a parent, as published. */
export const UNASSIGNED = 0.2;

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
