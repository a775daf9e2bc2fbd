/** What an evaluation suite reports: numbers that carry their definition, sample size and interval. */
import { bootstrapInterval } from '../core/statistics.ts';
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
  return {
    ...metrics,
    ...(Object.keys(views).length > 0 && { views }),
    ...(Object.keys(skipped).length > 0 && { skipped }),
  };
}

/** JSON has no NaN and no infinities. */
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

export function metric(value: number, low: number, high: number, meaning: Meaning): Metric {
  return { value: finite(value), low: finite(low), high: finite(high), ...meaning };
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

  /** @param statistic gets the weight of every unit, see core/statistics.ts */
  of(statistic: (weights: Float64Array) => number, meaning: Meaning): Metric {
    const { value, low, high } = bootstrapInterval(this.units.count, statistic, this.draws());
    const definition = `${meaning.definition}; 95 % interval: percentile bootstrap over ${this.units.label}`;
    return metric(value, low, high, { ...meaning, definition });
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
