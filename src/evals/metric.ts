/** What an evaluation suite reports: numbers that carry their definition, sample size and interval. */
import { bootstrapReplicates, Moments, percentileInterval, quantiles } from '../core/statistics.ts';
import { Random } from '../core/random.ts';
import type { Units } from './units.ts';

export interface Metric {
  /** null where it is undefined, such as 0/0. */
  readonly value: number | null;
  /** Ends of the 95 % interval; null where they are undefined. */
  readonly low: number | null;
  readonly high: number | null;
  /** Observations that the number is made of: tokens, latents, … as the definition says. */
  readonly n: number;
  readonly unit: string;
  /** One sentence with the formula. */
  readonly definition: string;
  /** What the same formula gives where nothing but chance can speak, by the name of the null. */
  readonly nulls?: Readonly<Record<string, Null>>;
  /** Why there is no value, where the sample is too small for one. */
  readonly insufficient?: string;
  /**
   * `[resamples]` value in every bootstrap resample, NaN where undefined. SAEs that are measured on the same units with the same
   * seed share the resamples, so that differences can be taken one by one (paired.ts). Kept beside the JSON, not in it.
   */
  readonly replicates?: Float64Array;
}

/** A metric under a null hypothesis, over many random draws. */
export interface Null {
  /** Mean over the draws; null where every draw is undefined. */
  readonly value: number | null;
  /** 2.5 % and 97.5 % quantiles of the draws. */
  readonly low: number | null;
  readonly high: number | null;
  readonly draws: number;
  /** (metric − mean of the draws) / standard deviation of the draws; null where that is 0 or undefined. */
  readonly effect: number | null;
  readonly definition: string;
}

/** What a metric is, without its value. */
export type Meaning = Pick<Metric, 'n' | 'unit' | 'definition'>;

export type Metrics = Record<string, Metric>;

export interface SuiteResult {
  /** Of the whole model: the view `full`. */
  readonly metrics: Metrics;
  /** Of every other view. */
  readonly views: Record<string, Metrics>;
  /** Metrics that could not be measured, with the reason. */
  readonly skipped: Record<string, string>;
}

/** Metrics at the top level, `views` and `skipped` beside them where there are any. */
export function toJson({ metrics, views, skipped }: SuiteResult): Record<string, unknown> {
  const ofViews = Object.entries(views).map(([name, ofView]) => [name, withoutReplicates(ofView)]);
  return {
    ...withoutReplicates(metrics),
    ...(ofViews.length > 0 && { views: Object.fromEntries(ofViews) }),
    ...(Object.keys(skipped).length > 0 && { skipped }),
  };
}

function withoutReplicates(metrics: Metrics): Metrics {
  return Object.fromEntries(
    Object.entries(metrics).map(([name, { replicates: _replicates, ...kept }]) => [name, kept]),
  );
}

/** JSON has no NaN and no infinities. */
export const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

export function metric(value: number, low: number, high: number, meaning: Meaning): Metric {
  return { value: finite(value), low: finite(low), high: finite(high), ...meaning };
}

/** A metric that cannot be given: the sample is too small for it. @param why what there is, and what would be needed */
export function insufficient(why: string, meaning: Meaning): Metric {
  return { value: null, low: null, high: null, insufficient: why, ...meaning };
}

/** The metric with a null beside it. @param draws its value in random draws under the null, NaN where undefined */
export function besideNull(measured: Metric, name: string, draws: Float64Array, definition: string): Metric {
  const moments = new Moments();
  for (const value of draws) if (!Number.isNaN(value)) moments.add(value);
  const [low, high] = quantiles(
    draws.filter((value) => !Number.isNaN(value)),
    [0.025, 0.975],
  );
  const mean = moments.count === 0 ? NaN : moments.mean;
  const effect = ((measured.value ?? NaN) - mean) / Math.sqrt(moments.sampleVariance);
  const beside: Null = {
    value: finite(mean),
    low: finite(low),
    high: finite(high),
    draws: moments.count,
    effect: finite(effect),
    definition,
  };
  return { ...measured, nulls: { ...measured.nulls, [name]: beside } };
}

/** Metrics of one sample. All are resampled with the same draws, so that intervals of one suite can be compared. */
export class Bootstrap {
  readonly units: Units;
  readonly #seed: number;

  constructor(units: Units, seed: number) {
    this.units = units;
    this.#seed = seed;
  }

  /** The stream of draws; a new copy of the same one each time. */
  draws(): Random {
    return new Random(this.#seed, 'evals', 'bootstrap');
  }

  /**
   * One unit can only be drawn as it is: its resamples tell nothing, so that there are none, and no interval.
   * @param statistic gets the weight of every unit, see core/statistics.ts
   */
  of(statistic: (weights: Float64Array) => number, meaning: Meaning): Metric {
    const { count, label } = this.units;
    const value = statistic(new Float64Array(count).fill(1));
    if (count < 2) {
      return metric(value, NaN, NaN, { ...meaning, definition: `${meaning.definition}; no interval from ${label}` });
    }
    const replicates = bootstrapReplicates(count, statistic, this.draws());
    const { low, high } = percentileInterval(replicates);
    const definition = `${meaning.definition}; 95 % interval: percentile bootstrap over ${label}`;
    return { ...metric(value, low, high, { ...meaning, definition }), replicates };
  }

  /** Σ numerator / Σ denominator, both per unit; `n` is the sum of the denominators, counts as a rule. */
  ratio(numerator: Float64Array, denominator: Float64Array, meaning: Omit<Meaning, 'n'>): Metric {
    const ratio = (weights: Float64Array): number => dot(weights, numerator) / dot(weights, denominator);
    return this.of(ratio, { n: total(denominator), ...meaning });
  }
}

export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

export function total(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}
