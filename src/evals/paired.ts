/**
 * Differences between SAEs that saw the same stream and are measured on the same units: the resamples of two metrics are taken one by
 * one, so that what makes a document hard for both cancels out.
 */
import { Random } from '../core/random.ts';
import { percentileInterval, tInterval, tProbability } from '../core/statistics.ts';
import { finite, type Metric } from './metric.ts';

/** A metric over the seeds of one configuration. */
export interface OverSeeds {
  /** Mean over the seeds; null where a metric is undefined. */
  readonly value: number | null;
  /**
   * Ends of the 95 % interval: resampled are the seeds and, within each, the units of the metric. Where metrics bring no resamples it
   * is a t-interval over the seeds; null for one seed then.
   */
  readonly low: number | null;
  readonly high: number | null;
  readonly seeds: number;
  /** Whether the units were resampled too. */
  readonly paired: boolean;
}

/** a − b. */
export interface Difference extends OverSeeds {
  /** Half the width of the interval: about the smallest difference that could have been told from 0. */
  readonly detectable: number | null;
  /** Two-sided, of no difference, from the same resamples or t; null where nothing varies. */
  readonly p: number | null;
}

/**
 * @param a the same metric of one SAE per seed; @param b of its counterpart on the same stream, in the same order of seeds
 * @param seed of the draws
 */
export function pairedDifference(a: readonly Metric[], b: readonly Metric[], seed = 0): Difference {
  if (a.length !== b.length || a.length === 0) {
    throw new RangeError(`a paired difference of ${a.length} and ${b.length} runs`);
  }
  const values = a.map((metric, s) => numberOf(metric) - numberOf(b[s]));
  const bySeed = a.map((metric, s) => replicatesOfDifference(metric, b[s]));
  const { drawn, ...mean } = overSeeds(values, bySeed, seed);
  const { low, high } = mean;
  const varies = low !== null && high !== null && high > low;
  return {
    ...mean,
    detectable: low === null || high === null ? null : (high - low) / 2,
    p: varies ? (drawn ? shareBeyond0(drawn) : tProbability(values)) : null,
  };
}

/** @param metrics the same one of runs that differ in their seed */
export function meanOverSeeds(metrics: readonly Metric[], seed = 0): OverSeeds {
  if (metrics.length === 0) throw new RangeError('a mean over no runs');
  const replicates = metrics.map((metric) => (metric.replicates?.length ? metric.replicates : undefined));
  const { drawn: _, ...mean } = overSeeds(metrics.map(numberOf), replicates, seed);
  if (metrics.length > 1 || mean.low !== null) return mean;
  const [{ low, high }] = metrics;
  return { ...mean, low, high };
}

/** @param bySeed resamples of every value; those of all seeds are of the same units */
function overSeeds(
  values: readonly number[],
  bySeed: readonly (Float64Array | undefined)[],
  seed: number,
): OverSeeds & { drawn: Float64Array | undefined } {
  const value = values.reduce((sum, one) => sum + one, 0) / values.length;
  const seeds = values.length;
  const drawn = Number.isFinite(value) ? drawMeans(bySeed, seed) : undefined;
  const { low, high } = drawn ? percentileInterval(drawn) : tInterval(values);
  return { value: finite(value), low: finite(low), high: finite(high), seeds, paired: drawn !== undefined, drawn };
}

/** Means of seeds that are drawn with replacement, in every resample of the units; undefined where a seed has no resamples. */
function drawMeans(bySeed: readonly (Float64Array | undefined)[], seed: number): Float64Array | undefined {
  const all = bySeed.filter((replicates) => replicates !== undefined);
  if (all.length < bySeed.length) return undefined;
  const random = new Random(seed, 'paired difference');
  return Float64Array.from({ length: Math.min(...all.map(({ length }) => length)) }, (_, r) => {
    let sum = 0;
    for (let s = 0; s < all.length; s++) sum += all[random.below(all.length)][r];
    return sum / all.length;
  });
}

/** Twice the share of the resamples on the rarer side of 0; never 0, as only so many were drawn. */
function shareBeyond0(drawn: Float64Array): number {
  const known = drawn.filter((value) => !Number.isNaN(value));
  const below = known.filter((value) => value <= 0).length;
  const above = known.filter((value) => value >= 0).length;
  return Math.min(1, (2 * (1 + Math.min(below, above))) / (1 + known.length));
}

const numberOf = ({ value }: Metric): number => value ?? NaN;

function replicatesOfDifference(a: Metric, b: Metric): Float64Array | undefined {
  const [left, right] = [a.replicates, b.replicates];
  if (!left || !right || left.length !== right.length || left.length === 0) return undefined;
  return left.map((value, r) => value - right[r]);
}
