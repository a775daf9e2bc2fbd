/** Means, spreads, quantiles, t and bootstrap intervals; everything accumulates in float64. */
import type { Random } from './random.ts';

/** Mean and variance of a stream of numbers in one pass (Welford's update: no cancellation at large means). */
export class Moments {
  count = 0;
  mean = 0;
  #squares = 0;

  add(value: number): void {
    this.count++;
    const before = value - this.mean;
    this.mean += before / this.count;
    this.#squares += before * (value - this.mean);
  }

  /** Population variance (divisor n); NaN without data. */
  get variance(): number {
    return this.count === 0 ? NaN : this.#squares / this.count;
  }

  /** Unbiased variance (divisor n − 1); NaN for fewer than two values. */
  get sampleVariance(): number {
    return this.count < 2 ? NaN : this.#squares / (this.count - 1);
  }
}

/** Arithmetic mean; NaN for no values. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}

/**
 * Quantile `p ∈ [0, 1]` of ascending values, interpolated linearly between order statistics at `p·(n − 1)`
 * (type 7 of Hyndman and Fan, the default of NumPy and R); NaN for no values.
 */
export function quantileOfSorted(sorted: ArrayLike<number>, p: number): number {
  if (!(p >= 0 && p <= 1)) throw new RangeError(`quantile ${p}: expected 0 … 1`);
  if (sorted.length === 0) return NaN;
  const position = p * (sorted.length - 1);
  const below = Math.floor(position);
  const share = position - below;
  return share === 0 ? sorted[below] : sorted[below] * (1 - share) + sorted[below + 1] * share;
}

/** Quantiles `ps` of values in any order; the input is not changed. */
export function quantiles(values: ArrayLike<number>, ps: readonly number[]): number[] {
  const sorted = Float64Array.from(values).sort();
  return ps.map((p) => quantileOfSorted(sorted, p));
}

/** An estimate with its interval. `n` is the number of resampled units, such as documents. */
export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly n: number;
}

export interface BootstrapOptions {
  /** Number of resamples; 1000. */
  readonly resamples?: number;
  /** Probability mass inside the interval; 0.95. */
  readonly confidence?: number;
}

/**
 * Values of a statistic in resamples of units that are independent of each other (bootstrap, Efron 1979). Tokens of one document are
 * not, so resample documents: `statistic(weights)` gets how often each of the `units` was drawn and combines per-unit sums.
 * Statistics of the same units with the same stream see the same resamples, so that their replicates can be compared one by one.
 * @param random stream of the draws; units × resamples draws are made
 * @returns `[resamples]`, NaN where the statistic is (say 0/0); empty without units
 */
export function bootstrapReplicates(
  units: number,
  statistic: (weights: Float64Array) => number,
  random: Random,
  resamples = 1000,
): Float64Array {
  const weights = new Float64Array(units);
  const drawn = new Float64Array(units === 0 ? 0 : resamples);
  for (let b = 0; b < drawn.length; b++) {
    weights.fill(0);
    for (let i = 0; i < units; i++) weights[random.below(units)]++;
    drawn[b] = statistic(weights);
  }
  return drawn;
}

/**
 * Percentile interval of bootstrap replicates. Those that are NaN are left out; when all are, or without any, the ends are NaN.
 * @param confidence probability mass inside the interval
 */
export function percentileInterval(replicates: Float64Array, confidence = 0.95): { low: number; high: number } {
  const sorted = replicates.filter((value) => !Number.isNaN(value)).sort();
  const tail = (1 - confidence) / 2;
  return { low: quantileOfSorted(sorted, tail), high: quantileOfSorted(sorted, 1 - tail) };
}

/**
 * Percentile bootstrap, see {@link bootstrapReplicates}. `value` is the statistic with every weight 1.
 * One unit gives an interval of width 0: `n` says how much to trust it.
 */
export function bootstrapInterval(
  units: number,
  statistic: (weights: Float64Array) => number,
  random: Random,
  { resamples, confidence }: BootstrapOptions = {},
): Interval {
  const value = statistic(new Float64Array(units).fill(1));
  return {
    value,
    ...percentileInterval(bootstrapReplicates(units, statistic, random, resamples), confidence),
    n: units,
  };
}

/** Bootstrap of `Σ numerator / Σ denominator` over units, for example errors and tokens of each document. */
export function bootstrapRatio(
  numerator: ArrayLike<number>,
  denominator: ArrayLike<number>,
  random: Random,
  options?: BootstrapOptions,
): Interval {
  if (numerator.length !== denominator.length) {
    throw new RangeError(`bootstrap of a ratio: ${numerator.length} numerators, ${denominator.length} denominators`);
  }
  const ratio = (weights: Float64Array): number => {
    let above = 0;
    let below = 0;
    for (let i = 0; i < weights.length; i++) {
      above += weights[i] * numerator[i];
      below += weights[i] * denominator[i];
    }
    return above / below;
  };
  return bootstrapInterval(numerator.length, ratio, random, options);
}

/** Bootstrap of the mean of one number per unit. */
export function bootstrapMean(values: ArrayLike<number>, random: Random, options?: BootstrapOptions): Interval {
  return bootstrapRatio(values, new Float64Array(values.length).fill(1), random, options);
}

/** 97.5 % points of Student's t for 1 … 10 degrees of freedom. */
const STUDENT = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.306, 2.2622, 2.2281];
const NORMAL = 1.959964;

/** 97.5 % point of Student's t; beyond the table by the expansion 26.7.5 of Abramowitz and Stegun, to 4 digits. */
function student(freedom: number): number {
  if (freedom <= STUDENT.length) return STUDENT[freedom - 1];
  const z = NORMAL;
  const first = (z ** 3 + z) / 4;
  const second = (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96;
  const third = (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384;
  return z + first / freedom + second / freedom ** 2 + third / freedom ** 3;
}

/**
 * Mean of a few independent values, such as one per seed, with its 95 % t-interval: mean ± t_{n−1} s / √n. Too few values for a
 * bootstrap are its use; it takes them for normally distributed. The ends are NaN for fewer than two values.
 */
export function tInterval(values: readonly number[]): Interval {
  const moments = new Moments();
  for (const value of values) moments.add(value);
  const { count: n, sampleVariance } = moments;
  const half = n < 2 ? NaN : student(n - 1) * Math.sqrt(sampleVariance / n);
  const value = n === 0 ? NaN : moments.mean;
  return { value, low: value - half, high: value + half, n };
}

/**
 * Two-sided probability of values like these where their mean is 0: Student's t with n − 1 degrees of freedom, by the finite series
 * 26.7.3 and 26.7.4 of Abramowitz and Stegun. NaN for fewer than two values, or where they are all 0.
 */
export function tProbability(values: readonly number[]): number {
  const moments = new Moments();
  for (const value of values) moments.add(value);
  const freedom = moments.count - 1;
  if (freedom < 1) return NaN;
  const angle = Math.atan2(
    Math.abs(moments.mean) * Math.sqrt(moments.count),
    Math.sqrt(freedom * moments.sampleVariance),
  );
  if (moments.mean === 0 && moments.sampleVariance === 0) return NaN;
  const odd = freedom % 2;
  let [term, sum] = odd ? [Math.cos(angle), freedom === 1 ? 0 : Math.cos(angle)] : [1, 1];
  for (let i = odd + 2; i < freedom; i += 2) {
    term *= ((i - 1) / i) * Math.cos(angle) ** 2;
    sum += term;
  }
  const inside = odd ? (2 / Math.PI) * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum;
  return Math.max(0, 1 - inside);
}

/**
 * Holm's step-down adjustment: with all adjusted values below α taken for real, the probability of even one false among them is
 * at most α, whatever the tests have in common.
 */
export function holm(probabilities: readonly number[]): number[] {
  const order = [...probabilities.keys()].sort((a, b) => probabilities[a] - probabilities[b]);
  const adjusted = Array.from<number>({ length: order.length });
  let largest = 0;
  for (const [rank, at] of order.entries()) {
    largest = Math.max(largest, Math.min(1, (order.length - rank) * probabilities[at]));
    adjusted[at] = largest;
  }
  return adjusted;
}
