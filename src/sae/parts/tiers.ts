/** A number that belongs to three tiers together or to each of them. */
import { z } from 'zod';

export const TIERS = 3;

/** Sizes of the tiers are as 1 : 2 : 3, like the published 768 : 1536 : 2304. */
const PARTS = [1, 2, 3];

export type PerTier = number | [number, number, number];

const count = z.number().int().positive();

/** One number for all tiers, or a list of three. */
export const perTier = z.union([count, z.tuple([count, count, count])], {
  error: 'expected a positive integer for all tiers, or a list of three: [768, 1536, 2304]',
});

/** Shares 1 : 2 : 3 of a number for all tiers, at least 1 each; the last tier takes what rounding leaves. */
export function ofEachTier(all: PerTier): [number, number, number] {
  if (typeof all !== 'number') return all;
  const [first, second] = PARTS.map((part) => Math.max(1, Math.round((all * part) / 6)));
  return [first, second, Math.max(1, all - first - second)];
}
