/** Metrics made of metrics, resample by resample. */
import { percentileInterval } from '../core/statistics.ts';
import { metric, type Metric } from '../evals/metric.ts';

/** The mean of the same metric of several parts of one SAE, such as its levels; undefined where one of them is. */
export function meanMetric(metrics: readonly Metric[], of: string): Metric {
  return combined(metrics, `mean over ${of} of: ${metrics[0].definition}`, (values) => {
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  });
}

/** 1 − a share. */
export function complement(share: Metric): Metric {
  return {
    ...share,
    value: flip(share.value),
    low: flip(share.high),
    high: flip(share.low),
    definition: `1 − ${share.definition}`,
    ...(share.replicates && { replicates: share.replicates.map((value) => 1 - value) }),
  };
}

/** What stands on the other side where a metric is compared with a number: a value without a spread, resampled along. */
export function constant(value: number, like: Metric, definition: string): Metric {
  return {
    value,
    low: value,
    high: value,
    n: like.n,
    unit: like.unit,
    definition,
    ...(like.replicates && { replicates: like.replicates.map(() => value) }),
  };
}

/** End of the 95 % range of the draws of a null: what chance comes to at most (at least). */
export function chance(measured: Metric, name: string, end: 'low' | 'high'): Metric {
  const ofNull = measured.nulls?.[name];
  const bound = ofNull?.[end] ?? NaN;
  const definition = `${end === 'high' ? '97.5' : '2.5'} % quantile of the draws: ${ofNull?.definition ?? `no null ${name}`}`;
  const { value: _, ...beside } = constant(bound, measured, definition);
  return Number.isFinite(bound)
    ? { ...beside, value: bound }
    : { ...beside, value: null, low: null, high: null, insufficient: `no null ${name}` };
}

function combined(
  metrics: readonly Metric[],
  definition: string,
  statistic: (values: readonly number[]) => number,
): Metric {
  const [{ unit }] = metrics;
  const n = metrics.reduce((sum, one) => sum + one.n, 0);
  const resamples = Math.min(...metrics.map(({ replicates }) => replicates?.length ?? 0));
  const value = statistic(metrics.map((one) => one.value ?? NaN));
  const alike = metrics.every(({ replicates }) => replicates?.length === resamples);
  if (resamples === 0 || !alike) return metric(value, NaN, NaN, { n, unit, definition });
  const replicates = Float64Array.from({ length: resamples }, (_, r) =>
    statistic(metrics.map((one) => one.replicates![r])),
  );
  const { low, high } = percentileInterval(replicates);
  return { ...metric(value, low, high, { n, unit, definition }), replicates };
}

const flip = (value: number | null): number | null => (value === null ? null : 1 - value);
