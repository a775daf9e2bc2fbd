/** The metrics of pairs and families on a sample of rows, with their intervals, and the same under the nulls. */
import type { Families } from '../../forest/families.ts';
import type { Firings } from '../../forest/firings.ts';
import { sumFamilies, type IsCounted } from '../../forest/family-sums.ts';
import { sumFamiliesRanked, type RankedSums } from '../../forest/rank-correlation.ts';
import { unitCount } from '../../forest/unit-sums.ts';
import { dot, type Metrics } from '../metric.ts';
import {
  FAMILY_MEASURES,
  judgedFamilies,
  judgedPairs,
  meanOverFamilies,
  meanOverPairs,
  mismatches,
  PAIR_MEASURES,
  type FamilyName,
  type FiringTotals,
  type PairName,
} from './firing-statistics.ts';
import { allBesideNulls, type NullFamilies } from './null-families.ts';
import { resampled, type Described, type Resampling, type Values } from './resampling.ts';
import { MIN_ITEMS, MIN_SAMPLES, type JudgedFamilies } from './rules.ts';

/** What is measured, and how names and definitions say so. */
export interface Activity {
  readonly firings: Firings;
  /** Which of them count; all without it. */
  readonly isCounted?: IsCounted;
  /** Of the names, `''` or `'_contributing'`. */
  readonly suffix: string;
  /** When a latent counts as active. */
  readonly active: string;
  readonly pairs: readonly PairName[];
  readonly families: readonly FamilyName[];
}

export function firingMetrics(
  activity: Activity,
  { families, how }: JudgedFamilies,
  nulls: NullFamilies,
  resampling: Resampling,
): Metrics {
  const { bootstrap, unitOf } = resampling;
  const what = `firing${activity.suffix}`;
  const own = new Measured(activity, families, unitOf);
  const rowsByUnit = new Float64Array(bootstrap.units.count);
  for (const unit of unitOf) rowsByUnit[unit]++;
  const metrics = resampled(resampling, what, (weights) => own.values(weights, rowsByUnit), own.meanings(how));
  const rows = new Float64Array([activity.firings.rows]);
  return allBesideNulls(metrics, nulls, what, (of) => new Measured(activity, of).values(new Float64Array([1]), rows));
}

/** The sums of some families, and which pairs and families have enough rows. */
class Measured {
  readonly #activity: Activity;
  readonly #families: Families;
  readonly #sums: Pick<RankedSums, 'pairs' | 'families'> & Partial<RankedSums>;
  readonly #largest: Float32Array;
  readonly #judgedPairs: ReadonlyMap<PairName, Int32Array>;
  readonly #judgedFamilies: ReadonlyMap<FamilyName, Int32Array>;
  readonly #levels: number;

  /** @param unitOf unit of each row; all are one without it */
  constructor(activity: Activity, families: Families, unitOf?: Int32Array) {
    this.#activity = activity;
    this.#families = families;
    const { firings, isCounted } = activity;
    this.#sums = activity.families.includes('conditional_correlation')
      ? sumFamiliesRanked(firings, families, unitOf)
      : sumFamilies(firings, families, unitOf, { isCounted });
    this.#largest = largestActivations(firings);
    this.#levels = families.level.reduce((most, level) => Math.max(most, level + 1), 0);
    const totals = this.#totals(new Float64Array(unitCount(unitOf)).fill(1));
    const { pairs: pairNames, families: familyNames } = activity;
    this.#judgedPairs = new Map(
      pairNames.map((name) => [name, judgedPairs(name, totals, families, MIN_SAMPLES)] as const),
    );
    this.#judgedFamilies = new Map(
      familyNames.map((name) => [name, judgedFamilies(name, totals, families, MIN_SAMPLES)] as const),
    );
  }

  #totals(weights: Float64Array): FiringTotals {
    const { pairs, families, ranks } = this.#sums;
    const totals = { pairs: pairs.weighted(weights), families: families.weighted(weights), largest: this.#largest };
    return ranks ? { ...totals, ranks: ranks.weighted(weights) } : totals;
  }

  /** @param rows of each unit */
  values(weights: Float64Array, rows: Float64Array): Values {
    const { suffix } = this.#activity;
    const totals = this.#totals(weights);
    const values: Record<string, number> = {};
    for (const [name, pairs] of this.#judgedPairs) {
      values[name + suffix] = meanOverPairs(name, totals, this.#families, pairs);
    }
    for (const [name, families] of this.#judgedFamilies) {
      values[name + suffix] = meanOverFamilies(name, totals, families);
    }
    const perToken = mismatches(totals, this.#families, this.#levels).map((sum) => sum / dot(weights, rows));
    const used = this.#usedLevels();
    values[`or_hamming${suffix}`] = used.reduce((sum, level) => sum + perToken[level], 0) / used.length;
    for (const level of used) values[hammingOf(level)] = perToken[level];
    return values;
  }

  /** Levels of which some latent is a parent. */
  #usedLevels(): number[] {
    return [...new Set(this.#families.level)].toSorted((a, b) => a - b);
  }

  meanings(how: string): Record<string, Described> {
    const { suffix, active, firings, families: familyNames, pairs: pairNames } = this.#activity;
    const { child, parent } = this.#families;
    const where = `; held-out rows (${firings.rows.toLocaleString('en')}), active: ${active}, ${how}`;
    const meanings: Record<string, Described> = {};
    for (const name of pairNames) {
      const judged = this.#judgedPairs.get(name)!.length;
      meanings[name + suffix] = meaningOf(PAIR_MEASURES[name], 'pairs', judged, child.length, where);
    }
    for (const name of familyNames) {
      const judged = this.#judgedFamilies.get(name)!.length;
      meanings[name + suffix] = meaningOf(FAMILY_MEASURES[name], 'parents', judged, parent.length, where);
    }
    const used = this.#usedLevels();
    const hamming =
      'HSAE’s Hamming distance, mean over tokens of Σ_p 1[p ≠ some child active] over the parents p with children';
    const enough =
      parent.length >= MIN_ITEMS
        ? {}
        : { insufficient: `${parent.length} latents have children; ${MIN_ITEMS} are needed` };
    meanings[`or_hamming${suffix}`] = {
      n: parent.length,
      unit: 'parents per token',
      definition: `${hamming}${used.length > 1 ? ` of one level, and over the ${used.length} levels that have them` : ''}${where}`,
      ...enough,
    };
    if (used.length > 1 && suffix === '') {
      for (const level of used) {
        const n = this.#families.level.filter((of) => of === level).length;
        const meaning = { n, unit: 'parents per token', definition: `${hamming} on level ${level}${where}` };
        meanings[hammingOf(level)] = { ...meaning, ...enough };
      }
    }
    return meanings;
  }
}

/** @param judged items with enough samples, of `count` */
function meaningOf(
  { definition, needs }: { definition: string; needs: string },
  items: 'pairs' | 'parents',
  judged: number,
  count: number,
  where: string,
): Described {
  return {
    n: judged,
    unit: `mean over ${items}`,
    definition: `mean over the ${items} with at least ${MIN_SAMPLES} ${needs} of ${definition}${where}`,
    ...(judged < MIN_ITEMS && {
      insufficient: `${judged} of ${count} ${items} have at least ${MIN_SAMPLES} ${needs}; ${MIN_ITEMS} are needed`,
    }),
  };
}

const hammingOf = (level: number): string => `or_hamming_level_${level}`;

/** `[F]` over all rows. */
export function largestActivations({ width, latent, strength }: Firings): Float32Array {
  const largest = new Float32Array(width);
  for (let e = 0; e < latent.length; e++) largest[latent[e]] = Math.max(largest[latent[e]], strength[e]);
  return largest;
}
