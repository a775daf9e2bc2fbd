/** Metrics that are made of measured ones; their resamples go along, so that they pair like those. */
import { percentileInterval } from '../core/statistics.ts';
import { metric, type Metric } from '../evals/metric.ts';
import { constant } from './combine.ts';

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
  return { ...metric(value, low, high, { n, ...meaning }), ...(replicates && { replicates }) };
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
