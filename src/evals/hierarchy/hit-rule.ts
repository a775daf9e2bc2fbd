/**
 * Tree SAE's rule for a true hierarchical pair (methods 5.5): parent and child are both among the 5 latents whose decoder rows have the
 * largest product with the direction of a probe for the child. Rows are divided by the largest row norm, not each by its own, as the
 * released code does; this changes no ranking, so that here they are left as they are.
 */
import { rowNorms } from '../live-latents.ts';

/** A pair is a hit where both are among the … */
export const TOP = 5;

/** `[F]` W_dec · direction. @param dictionary `[F, d]` @param direction unit length */
export function similarities(dictionary: Float32Array, direction: ArrayLike<number>): Float64Array {
  const d = direction.length;
  return Float64Array.from({ length: dictionary.length / d }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < d; k++) sum += dictionary[i * d + k] * direction[k];
    return sum;
  });
}

/** What the paper's similarities are divided by. @param dictionary `[F, d]` */
export function largestRowNorm(dictionary: Float32Array, d: number): number {
  return rowNorms(dictionary, d).reduce((most, norm) => Math.max(most, norm), 0);
}

/** The latents of the largest similarities, best first; the lowest of equal ones. */
export function topLatents(similarity: Float64Array, count = TOP): number[] {
  const top: number[] = [];
  for (let i = 0; i < similarity.length; i++) {
    if (top.length === count && similarity[i] <= similarity[top[count - 1]]) continue;
    let at = top.length;
    while (at > 0 && similarity[top[at - 1]] < similarity[i]) at--;
    top.splice(at, 0, i);
    if (top.length > count) top.pop();
  }
  return top;
}

export function isHit(top: readonly number[], parent: number, child: number): boolean {
  return top.includes(parent) && top.includes(child);
}
