/** Sibling co-occurrence (Tree SAE, methods 7.9): intersection over union of the rows in which two siblings fire. */
import { Random } from '../../core/random.ts';
import type { Families } from '../../forest/families.ts';
import type { Firings } from '../../forest/firings.ts';
import { overlapOf, OVERLAP, OVERLAP_SUMS, siblingFamilies, siblingPairs } from '../../forest/siblings.ts';
import type { Metrics } from '../metric.ts';
import { MIN_ITEMS, MIN_SAMPLES, type JudgedFamilies } from './rules.ts';
import { besideNulls, type NullFamilies } from './null-families.ts';
import { meanOfDefined, resampled, type Described, type Resampling, type Values } from './resampling.ts';

/** Pairs of siblings that are looked at: a family of n children has n² / 2. */
export const MAX_PAIRS = 20_000;

export function siblingOverlap(
  firings: Firings,
  { families, how }: JudgedFamilies,
  nulls: NullFamilies,
  resampling: Resampling,
  seed: number,
): Metrics {
  const rules = {
    sibling_iou: {
      keep: (of: Families) => siblingFamilies(of, (child) => firings.countOf(child) >= MIN_SAMPLES, false),
      which: `siblings with at least ${MIN_SAMPLES} rows each`,
    },
    sibling_iou_tree: {
      keep: (of: Families) => siblingFamilies(of, (child) => firings.countOf(child) > 0, true),
      which: 'siblings, a family being left out as a whole where it holds a child that never fires (Tree SAE’s code)',
    },
  };
  const pairsOf = (of: Families): ReturnType<typeof siblingPairs> =>
    siblingPairs(of, MAX_PAIRS, new Random(seed, 'hierarchy', 'sibling pairs'));
  return Object.fromEntries(
    Object.entries(rules).map(([name, { keep, which }]) => {
      const pairs = pairsOf(keep(families));
      const n = pairs.first.length;
      const sums = overlapOf(firings, pairs, resampling.unitOf);
      const meaning: Described = {
        n,
        unit: 'mean over sibling pairs',
        definition:
          `mean over the pairs of ${which} of #(a ∧ b) / #(a ∨ b), at most ${MAX_PAIRS.toLocaleString('en')} pairs at random; ` +
          `held-out rows (${firings.rows.toLocaleString('en')}), active: a > 0, ${how}`,
        ...(n < MIN_ITEMS && { insufficient: `${n} pairs of ${which}; ${MIN_ITEMS} are needed` }),
      };
      const values = (weights: Float64Array): Values => ({ [name]: meanOverlap(sums.weighted(weights)) });
      const made = resampled(resampling, name, values, { [name]: meaning });
      const value = (of: Families): number =>
        meanOverlap(overlapOf(firings, pairsOf(keep(of))).weighted(new Float64Array([1])));
      return [name, besideNulls(made[name], nulls, { what: name, matches: 'children' }, value)];
    }),
  );
}

/** NaN without pairs. @param totals `[pairs, OVERLAP_SUMS]` */
export function meanOverlap(totals: Float64Array): number {
  const overlaps = new Float64Array(totals.length / OVERLAP_SUMS);
  for (let i = 0, at = 0; i < overlaps.length; i++, at += OVERLAP_SUMS) {
    overlaps[i] = totals[at + OVERLAP.both] / totals[at + OVERLAP.either];
  }
  return meanOfDefined(overlaps);
}
