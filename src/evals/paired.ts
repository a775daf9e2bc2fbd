/**
 * Differences between SAEs that saw the same stream and are measured on the same units: the resamples of two metrics are taken one by
 * one, so that what makes a document hard for both cancels out.
 */
import { Random } from '../core/random.ts';
import { percentileInterval } from '../core/statistics.ts';
import type { Metric } from './metric.ts';

export interface Difference {
  /** Mean over the seeds of a − b; null where a metric is undefined. */
  readonly value: number | null;
  /** Ends of the 95 % interval: resampled are the seeds and, within each, the units that the metrics share. */
  readonly low: number | null;
  readonly high: number | null;
  readonly seeds: number;
  /** Half the width of the interval: about the smallest difference that could have been told from 0. */
  readonly detectable: number | null;
  /** Whether the units were resampled too; else the interval is over seeds alone. */
  readonly paired: boolean;
}

/**
 * @param a the same metric of one SAE per seed; @param b of its counterpart on the same stream, in the same order of seeds
 * @param seed of the draws
 */
export function pairedDifference(a: readonly Metric[], b: readonly Metric[], seed = 0): Difference {
  if (a.length !== b.length || a.length === 0) {
    throw new RangeError(`a paired difference of ${a.length} and ${b.length} runs`);
  }
  const bySeed = a.map((metric, s) => replicatesOfDifference(metric, b[s]));
  const value = a.reduce((sum, metric, s) => sum + numberOf(metric) - numberOf(b[s]), 0) / a.length;
  const resamples = Math.min(...bySeed.map((replicates) => replicates?.length ?? Infinity));
  const paired = Number.isFinite(resamples);
  const differences = a.map((metric, s) => numberOf(metric) - numberOf(b[s]));
  const random = new Random(seed, 'paired difference');
  const drawn = Float64Array.from({ length: paired ? resamples : 1000 }, (_, r) => {
    let sum = 0;
    for (let s = 0; s < a.length; s++) {
      const chosen = random.below(a.length);
      sum += paired ? bySeed[chosen]![r] : differences[chosen];
    }
    return sum / a.length;
  });
  const { low, high } = percentileInterval(drawn);
  return { ...finiteOnly({ value, low, high, detectable: (high - low) / 2 }), seeds: a.length, paired };
}

const numberOf = ({ value }: Metric): number => value ?? NaN;

function replicatesOfDifference(a: Metric, b: Metric): Float64Array | undefined {
  const [left, right] = [a.replicates, b.replicates];
  if (!left || !right || left.length !== right.length || left.length === 0) return undefined;
  return left.map((value, r) => value - right[r]);
}

function finiteOnly<K extends string>(values: Record<K, number>): Record<K, number | null> {
  const entries = Object.entries<number>(values).map(([key, value]) => [key, Number.isFinite(value) ? value : null]);
  return Object.fromEntries(entries) as Record<K, number | null>;
}
