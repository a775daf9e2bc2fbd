import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { besideNull, Bootstrap, insufficient, metric, toJson } from '../../src/evals/metric.ts';
import { documentUnits } from '../../src/evals/units.ts';

const meaning = { n: 5, unit: 'share', definition: 'a over b' };
const units = documentUnits([0, 0, 1, 2, 2]);

describe('a metric', () => {
  it('is null where it is undefined', () => {
    expect(metric(NaN, -Infinity, 2, meaning)).toEqual({ ...meaning, value: null, low: null, high: 2 });
  });

  it('is never a number where the sample is too small', () => {
    expect(insufficient('3 words, at least 20 are needed', meaning)).toEqual({
      value: null,
      low: null,
      high: null,
      insufficient: '3 words, at least 20 are needed',
      ...meaning,
    });
  });
});

describe('a bootstrap of metrics', () => {
  const bootstrap = new Bootstrap(units, 7);
  const ratio = bootstrap.ratio(Float64Array.of(1, 2, 3), Float64Array.of(2, 2, 4), { unit: 'share', definition: 'a' });

  it('keeps the replicates that make the interval', () => {
    expect(ratio).toMatchObject({ value: 0.75, n: 8, definition: expect.stringMatching(/^a; 95 % interval: .*docum/) });
    expect(ratio.replicates).toHaveLength(1000);
    const sorted = ratio.replicates!.toSorted();
    expect([sorted[0] <= ratio.low!, ratio.low! < 0.75, 0.75 < ratio.high!, ratio.high! <= sorted[999]]).toEqual(
      Array.from({ length: 4 }, () => true),
    );
  });

  it('draws the same units for every metric, and others with another seed', () => {
    const numerator = Float64Array.of(1, 2, 3);
    const of = (seed: number): Float64Array =>
      new Bootstrap(units, seed).ratio(numerator, Float64Array.of(2, 2, 4), { unit: '', definition: '' }).replicates!;
    expect(of(7)).toEqual(ratio.replicates);
    expect(of(8)).not.toEqual(ratio.replicates);
  });

  it('has undefined replicates where nothing was drawn to divide by', () => {
    const sparse = bootstrap.ratio(Float64Array.of(1, 0, 0), Float64Array.of(1, 0, 0), { unit: '', definition: '' });
    expect([sparse.value, sparse.low, sparse.high]).toEqual([1, 1, 1]);
    expect(sparse.replicates!.some(Number.isNaN)).toBe(true);
  });
});

describe('a null beside a metric', () => {
  const measured = metric(5, 4, 6, meaning);

  it('has mean, quantiles and effect size', () => {
    const draws = Float64Array.from({ length: 101 }, (_, i) => i / 100);
    const { nulls } = besideNull(measured, 'shuffled', draws, 'parents permuted');
    expect(nulls!.shuffled).toMatchObject({ draws: 101, definition: 'parents permuted' });
    expect(nulls!.shuffled.value).toBeCloseTo(0.5, 12);
    expect(nulls!.shuffled.low).toBeCloseTo(0.025, 12);
    expect(nulls!.shuffled.high).toBeCloseTo(0.975, 12);
    // Standard deviation of 0 … 1 in steps of 0.01, divisor n − 1: √(101 · 102 / 12) / 100.
    expect(nulls!.shuffled.effect).toBeCloseTo(4.5 / (Math.sqrt((101 * 102) / 12) / 100), 9);
  });

  it('stands beside other nulls, and leaves out undefined draws', () => {
    const both = besideNull(
      besideNull(measured, 'shuffled', Float64Array.of(1, 3), 'a'),
      'frequency_matched',
      Float64Array.of(NaN, 2, 2),
      'b',
    );
    expect(Object.keys(both.nulls!)).toEqual(['shuffled', 'frequency_matched']);
    expect(both.nulls!.frequency_matched).toMatchObject({ value: 2, low: 2, high: 2, draws: 2, effect: null });
    expect(measured.nulls).toBeUndefined();
  });

  it('is undefined without draws, and has no effect size beside an undefined metric', () => {
    const none = besideNull(measured, 'shuffled', Float64Array.of(NaN), 'a').nulls!.shuffled;
    expect(none).toMatchObject({ value: null, low: null, high: null, draws: 0, effect: null });
    const undefinedMetric = besideNull(metric(NaN, NaN, NaN, meaning), 'shuffled', Float64Array.of(1, 2), 'a');
    expect(undefinedMetric.nulls!.shuffled).toMatchObject({ value: 1.5, effect: null });
  });

  it('property: the effect size is that of any unit', () => {
    const finite = fc.integer({ min: -1000, max: 1000 });
    fc.assert(
      fc.property(
        fc.array(finite, { minLength: 2 }),
        finite,
        fc.double({ min: 0.1, max: 10, noNaN: true }),
        (draws, x, by) => {
          const effectOf = (scale: number): number | null =>
            besideNull(
              metric(x * scale, 0, 0, meaning),
              'n',
              Float64Array.from(draws, (value) => value * scale),
              '',
            ).nulls!.n.effect;
          const effect = effectOf(1);
          fc.pre(effect !== null && Math.abs(effect) < 1e6);
          expect(effectOf(by)).toBeCloseTo(effect!, 5);
        },
      ),
    );
  });
});

describe('the JSON of a suite', () => {
  it('holds everything but the replicates', () => {
    const replicates = Float64Array.of(1, 2);
    const one = { ...metric(1, 0, 2, meaning), replicates };
    const kept = metric(1, 0, 2, meaning);
    expect(toJson({ metrics: { one }, views: { top: { one } }, skipped: { other: 'no model' } })).toEqual({
      one: kept,
      views: { top: { one: kept } },
      skipped: { other: 'no model' },
    });
    expect(toJson({ metrics: { one }, views: {}, skipped: {} })).toEqual({ one: kept });
  });
});
