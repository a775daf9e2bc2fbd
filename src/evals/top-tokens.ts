/** The tokens at which a latent fires, to show what it is about. */
import type { Firings } from '../forest/firings.ts';

/**
 * The tokens that carry most of a latent's activation.
 * @param tokens `[rows]` token of each row of the sample
 * @returns at most `most` tokens, the largest sum first
 */
export function topTokens(firings: Firings, tokens: Int32Array, latent: number, most: number): number[] {
  const { ptr, row, strength } = firings.byLatent;
  const sums = new Map<number, number>();
  for (let e = ptr[latent]; e < ptr[latent + 1]; e++) {
    sums.set(tokens[row[e]], (sums.get(tokens[row[e]]) ?? 0) + strength[e]);
  }
  const ordered = [...sums].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  return ordered.slice(0, most).map(([token]) => token);
}
