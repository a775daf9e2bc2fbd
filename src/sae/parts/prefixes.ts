/** Nested prefixes of a dictionary (Matryoshka SAEs, layers of a Tree SAE): prefix i is the latents [0, end_i), the last one is all latents. */
import type { Random } from '../../core/random.ts';
import type { View } from '../architecture.ts';

/**
 * Ends of groups of fixed shares: ⌊fraction · width⌋ latents each, the remainder in the last group (dictionary_learning). Ours: at
 * least one latent each, for dictionaries of a few latents.
 */
export function fixedEnds(fractions: readonly number[], width: number): number[] {
  const ends: number[] = [];
  for (const fraction of fractions) ends.push((ends.at(-1) ?? 0) + Math.max(1, Math.floor(fraction * width)));
  ends[ends.length - 1] = width;
  return ends;
}

/**
 * Ends of `count` prefixes drawn at random, ascending, all different, the last one `width` (Nabeshima, matryoshka-saes sae.py, Pareto
 * power ½): a length L < width has a probability ∝ √L − √(L − 1), so that ⌈(width − 1) u²⌉ for a uniform u has this law.
 */
export function randomEnds(count: number, width: number, random: Random): number[] {
  const ends = new Set([width]);
  while (ends.size < count) ends.add(Math.max(1, Math.ceil((width - 1) * random.uniform() ** 2)));
  return [...ends].toSorted((a, b) => a - b);
}

/** `full`, and prefix-1, prefix-2 … for the prefixes that are not all latents. */
export function prefixViews(ends: readonly number[]): View[] {
  const strict = ends.slice(0, -1).map((to, i) => ({ name: prefixName(i), from: 0, to }));
  return [{ name: 'full', from: 0, to: ends.at(-1)! }, ...strict];
}

/** Name of the i-th prefix, i = 0, 1, … */
export const prefixName = (i: number): string => `prefix-${i + 1}`;

/** What is wrong with shares of a dictionary of `width` latents. */
export function wrongFractions(fractions: readonly number[], width: number): string | undefined {
  const sum = fractions.reduce((total, fraction) => total + fraction, 0);
  if (Math.abs(sum - 1) > 1e-6) return `groupFractions: they sum to ${sum}; the groups together are the dictionary, 1`;
  const last = fixedEnds(fractions, width).at(-2) ?? 0;
  if (last < width) return undefined;
  return `groupFractions: ${fractions.length} groups of width ${width} leave no latent for the last one`;
}
