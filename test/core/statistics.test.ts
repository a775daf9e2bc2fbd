import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import {
  bootstrapInterval,
  bootstrapMean,
  bootstrapRatio,
  mean,
  Moments,
  quantiles,
  tInterval,
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
