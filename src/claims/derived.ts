/** Metrics that are made of measured ones; their resamples go along, so that they pair like those. */
import { percentileInterval } from '../core/statistics.ts';
import { metric, type Metric } from '../evals/metric.ts';

/** @param formula of the values of `parts`, in their order */
export function derive(
  parts: readonly Metric[],
  formula: (...values: number[]) => number,
  meaning: Pick<Metric, 'unit' | 'definition'>,
): Metric {
  const count = parts[0].replicates?.length ?? 0;
  const paired = count > 0 && parts.every(({ replicates }) => replicates?.length === count);
  const replicates = paired
    ? Float64Array.from({ length: count }, (_, r) => formula(...parts.map((part) => part.replicates![r])))
    : undefined;
  const { low, high } = replicates ? percentileInterval(replicates) : { low: NaN, high: NaN };
  const value = formula(...parts.map((part) => part.value ?? NaN));
  const n = Math.min(...parts.map((part) => part.n));
  const why = parts.find(({ insufficient }) => insufficient !== undefined)?.insufficient;
  return {
    ...metric(value, low, high, { n, ...meaning }),
    ...(replicates && { replicates }),
    ...(why !== undefined && { insufficient: why }),
  };
}

/** The mean of the same metric of several parts of one SAE, such as its levels; undefined where one of them is. */
export function meanMetric(metrics: readonly Metric[], of: string): Metric {
  const [{ unit, definition }] = metrics;
  return derive(metrics, mean, { unit, definition: `mean over ${of} of: ${definition}` });
}

/** 1 − a share. */
export function complement(share: Metric): Metric {
  const { nulls: _nulls, ...kept } = share;
  return {
    ...kept,
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

/** A limit to compare with, for every seed of `like`. */
export function constants(value: number, like: readonly Metric[], definition: string): Metric[] {
  return like.map((one) => constant(value, one, definition));
}

/** The mean of a metric under one of its nulls, seed by seed. */
export function nullOf(metrics: readonly Metric[], name: string): Metric[] {
  const definition = `its mean under the null ${name}`;
  return metrics.map((one) => derive([one], () => one.nulls?.[name]?.value ?? NaN, { unit: one.unit, definition }));
}

/** One number per seed, without units to resample. */
export function perSeed(values: readonly number[], unit: string, definition: string): Metric[] {
  return values.map((value) => metric(value, NaN, NaN, { n: 1, unit, definition }));
}

/** a / b, seed by seed. */
export function ratios(a: readonly Metric[], b: readonly Metric[], definition: string): Metric[] {
  return a.map((one, s) => derive([one, b[s]], (x, y) => x / y, { unit: 'ratio', definition }));
}

const mean = (...values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const flip = (value: number | null): number | null => (value === null ? null : 1 - value);
