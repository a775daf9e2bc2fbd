import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import {
  bootstrapInterval,
  bootstrapMean,
  bootstrapRatio,
  bootstrapReplicates,
  holm,
  mean,
  Moments,
  percentileInterval,
  quantiles,
  tInterval,
  tProbability,
} from '../../src/core/statistics.ts';

function moments(values: readonly number[]): Moments {
  const result = new Moments();
  for (const value of values) result.add(value);
  return result;
}

describe('moments', () => {
  it('agree with the two-pass formulas', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { minLength: 2 }), (values) => {
        const squares = values.reduce((sum, v) => sum + (v - mean(values)) ** 2, 0);
        expect(moments(values).mean).toBeCloseTo(mean(values), 8);
        expect(moments(values).variance).toBeCloseTo(squares / values.length, 6);
        expect(moments(values).sampleVariance).toBeCloseTo(squares / (values.length - 1), 6);
      }),
    );
  });

  it('keep a small variance at a large mean', () => {
    expect(moments([1e9 + 1, 1e9 + 2, 1e9 + 3]).sampleVariance).toBeCloseTo(1, 9);
  });

  it('are NaN without data', () => {
    expect(moments([]).variance).toBeNaN();
    expect(moments([1]).sampleVariance).toBeNaN();
    expect(mean([])).toBeNaN();
  });
});

describe('quantiles', () => {
  it('interpolate as NumPy does by default', () => {
    expect(quantiles([4, 1, 3, 2], [0, 0.25, 0.5, 0.9, 1])).toEqual([1, 1.75, 2.5, 3.7, 4]);
    expect(quantiles([7], [0, 0.3, 1])).toEqual([7, 7, 7]);
    expect(quantiles([], [0.5])).toEqual([NaN]);
  });

  it('sort numbers, not text, and refuse p outside 0 … 1', () => {
    expect(quantiles([10, 9, -100], [0, 1])).toEqual([-100, 10]);
    expect(() => quantiles([1], [1.5])).toThrow(RangeError);
  });
});

const run = (seed: number): object => bootstrapMean([1, 5, 2, 8], new Random(seed), { resamples: 50 });

describe('bootstrap', () => {
  it('has the width that theory gives for a mean', () => {
    const random = new Random(1, 'data');
    const values = Float64Array.from({ length: 400 }, () => random.normal());
    const { value, low, high, n } = bootstrapMean(values, new Random(1, 'bootstrap'));
    expect(n).toBe(400);
    expect(value).toBeCloseTo(mean(values), 12);
    const half = 1.96 / Math.sqrt(400);
    expect(high - low).toBeGreaterThan(1.8 * half);
    expect(high - low).toBeLessThan(2.2 * half);
    expect((low + high) / 2).toBeCloseTo(value, 2);
  });

  it('covers the truth about as often as it says', () => {
    const random = new Random(2, 'data');
    let covered = 0;
    for (let trial = 0; trial < 200; trial++) {
      const values = Float64Array.from({ length: 60 }, () => random.uniform());
      const { low, high } = bootstrapMean(values, new Random(2, trial), { resamples: 200, confidence: 0.9 });
      if (low <= 0.5 && 0.5 <= high) covered++;
    }
    expect(covered / 200).toBeGreaterThan(0.82);
    expect(covered / 200).toBeLessThan(0.97);
  });

  it('resamples numerators and denominators of a unit together', () => {
    const interval = bootstrapRatio([2, 4, 20], [1, 2, 10], new Random(1));
    expect(interval.value).toBe(2);
    expect([interval.low, interval.high]).toEqual([2, 2]);
  });

  it('gives the statistic weights that sum to the number of units', () => {
    const sums = new Set<number>();
    bootstrapInterval(5, (weights) => (sums.add(weights.reduce((a, b) => a + b, 0)), 0), new Random(1));
    expect([...sums]).toEqual([5]);
  });

  it('is a function of the stream', () => {
    expect(run(3)).toEqual(run(3));
    expect(run(3)).not.toEqual(run(4));
  });

  it('leaves out undefined resamples and says NaN when there is nothing', () => {
    const sparse = bootstrapRatio([0, 0, 0, 1], [0, 0, 0, 1], new Random(1));
    expect([sparse.value, sparse.low, sparse.high]).toEqual([1, 1, 1]);
    expect(bootstrapRatio([0], [0], new Random(1))).toEqual({ value: NaN, low: NaN, high: NaN, n: 1 });
    expect(bootstrapMean([], new Random(1))).toEqual({ value: NaN, low: NaN, high: NaN, n: 0 });
    expect(() => bootstrapRatio([1, 2], [1], new Random(1))).toThrow('2 numerators, 1 denominators');
  });
});

describe('t-interval', () => {
  it('has the published width', () => {
    // R: t.test(c(1, 2, 3, 4, 10))$conf.int
    const five = tInterval([1, 2, 3, 4, 10]);
    expect([five.value, five.n]).toEqual([4, 5]);
    expect(five.low).toBeCloseTo(4 - (2.776445 * Math.sqrt(12.5)) / Math.sqrt(5), 3);
    expect(five.high + five.low).toBeCloseTo(8, 12);
  });

  it('goes on smoothly beyond the table', () => {
    // 97.5 % points of t with 11, 20 and 60 degrees of freedom.
    for (const [n, t] of [
      [12, 2.20099],
      [21, 2.08596],
      [61, 2.0003],
    ]) {
      const values = Array.from({ length: n }, (_, i) => (i % 2 === 0 ? 1 : -1) * (i === n - 1 && n % 2 === 1 ? 0 : 1));
      const { high, value } = tInterval(values);
      expect(high - value).toBeCloseTo((t * Math.sqrt(moments(values).sampleVariance)) / Math.sqrt(n), 4);
    }
  });

  it('has no ends for one value', () => {
    expect(tInterval([3])).toEqual({ value: 3, low: NaN, high: NaN, n: 1 });
    expect(tInterval([]).value).toBeNaN();
  });
});

describe('t-probability', () => {
  it('is 0.05 where the interval ends at 0', () => {
    for (let n = 2; n <= 12; n++) {
      const values = Array.from({ length: n }, (_, i) => i + (i % 3));
      const { value, low } = tInterval(values);
      expect(tProbability(values.map((one) => one + (value - low) - value))).toBeCloseTo(0.05, 4);
    }
  });

  it('knows no sign, and is 1 at a mean of 0', () => {
    expect(tProbability([1, 2, 4])).toBe(tProbability([-1, -2, -4]));
    expect(tProbability([-1, 1])).toBeCloseTo(1, 12);
    expect(tProbability([3])).toBeNaN();
    expect(tProbability([0, 0])).toBeNaN();
  });
});

describe('Holm', () => {
  it('multiplies by the number of tests that are left', () => {
    // R: p.adjust(c(.01, .04, .03, .005), 'holm')
    expect(holm([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02]);
    expect(holm([])).toEqual([]);
    expect(holm([0.9, 0.8])).toEqual([1, 1]);
  });
});

describe('bootstrap replicates', () => {
  const sums = [3, 1, 4, 1, 5, 9, 2, 6];
  const mean = (weights: Float64Array): number => weights.reduce((sum, weight, i) => sum + weight * sums[i], 0) / 8;

  it('draw as many units as there are, the same ones for every statistic of a stream', () => {
    const counts = bootstrapReplicates(
      8,
      (weights) => weights.reduce((sum, weight) => sum + weight, 0),
      new Random(1),
      50,
    );
    expect([...counts]).toEqual(Array.from({ length: 50 }, () => 8));
    const [a, b] = [mean, mean].map((statistic) => bootstrapReplicates(8, statistic, new Random(1)));
    const shifted = bootstrapReplicates(8, (weights) => mean(weights) + 1, new Random(1));
    expect(a).toEqual(b);
    expect(new Set(a.map((value, r) => Math.round(1e9 * (shifted[r] - value))))).toEqual(new Set([1e9]));
    expect(a).toHaveLength(1000);
  });

  it('have the standard error of the mean', () => {
    const { sampleVariance, mean: middle } = moments([...bootstrapReplicates(8, mean, new Random(2), 20_000)]);
    expect(middle).toBeCloseTo(31 / 8, 1);
    expect(Math.sqrt(sampleVariance)).toBeCloseTo(Math.sqrt(moments(sums).variance / 8), 1);
  });

  it('are none without units', () => {
    expect(bootstrapReplicates(0, () => 1, new Random(1))).toHaveLength(0);
    expect(percentileInterval(new Float64Array(0))).toEqual({ low: NaN, high: NaN });
  });

  it('give the interval of those that are defined', () => {
    const replicates = Float64Array.from({ length: 101 }, (_, i) => 100 - i);
    const whole = percentileInterval(replicates);
    expect(whole.low).toBeCloseTo(2.5, 12);
    expect(whole.high).toBeCloseTo(97.5, 12);
    expect(percentileInterval(replicates, 0.5)).toEqual({ low: 25, high: 75 });
    expect(percentileInterval(Float64Array.from([NaN, ...replicates, NaN]))).toEqual(whole);
    expect(replicates[0]).toBe(100);
  });
});
