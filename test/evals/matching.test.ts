import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { atMatched, outsideOf, type CurvePoint } from '../../src/evals/matching.ts';
import { metric, type Metric } from '../../src/evals/metric.ts';
import { pairedDifference } from '../../src/evals/paired.ts';

const measured = (value: number, replicates?: number[]): Metric => ({
  ...metric(value, value, value, { n: 100, unit: 'share', definition: 'a score' }),
  ...(replicates && { replicates: Float64Array.from(replicates) }),
});
const scattered = (base: number): number[] => Array.from({ length: 50 }, (_, r) => base + Math.sin(r) / 10);
const points = (...pairs: [number, number][]): CurvePoint[] =>
  pairs.map(([x, y]) => ({ x: measured(x), y: measured(y) }));

describe('a score at a matched cost', () => {
  it('is linear in ln x between the members around it', () => {
    const curve = points([16, 0.9], [4, 0.5], [8, 0.8]);
    expect(atMatched(curve, 8).value).toBeCloseTo(0.8, 12);
    expect(atMatched(curve, Math.sqrt(4 * 8)).value).toBeCloseTo(0.65, 12);
    expect(atMatched(curve, Math.sqrt(8 * 16)).value).toBeCloseTo(0.85, 12);
    expect(atMatched(curve, 8, 'l0_total').definition).toBe(
      'a score; at l0_total = 8.000, linear in ln l0_total through 3 SAEs',
    );
  });

  it('continues the outer piece a little, says so, and refuses to go far', () => {
    const curve = points([4, 0.5], [8, 0.8], [16, 0.9]);
    const beyond = atMatched(curve, 16 * 2 ** 0.9);
    expect(beyond.value).toBeCloseTo(0.99, 12);
    expect(beyond.definition).toMatch(/continued beyond its end$/);
    expect(atMatched(curve, 4 / 2 ** 0.9).value).toBeCloseTo(0.23, 12);
    expect([outsideOf(curve, 32), outsideOf(curve, 16), outsideOf(curve, 3.9)]).toEqual([true, false, true]);
    const far = atMatched(curve, 40, 'l0_total');
    expect(far.value).toBeNull();
    expect(far.insufficient).toBe('l0_total = 40.00 is too far from the curve, which spans 4.000 … 16.00');
    expect(atMatched(curve, 1).insufficient).toMatch(/too far/);
  });

  it('is no number without two different costs', () => {
    for (const curve of [[], points([4, 0.5]), points([4, 0.5], [4, 0.6])]) {
      const matched = atMatched(curve, 4);
      expect([matched.value, matched.low, matched.high]).toEqual([null, null, null]);
      expect(matched.insufficient).toMatch(/needs 2 different values/);
    }
    const undefinedY = [...points([4, 0.5]), { x: measured(8), y: measured(NaN) }];
    expect(atMatched(undefinedY, 4).insufficient).toMatch(/there are 1/);
    expect(atMatched(points([4, 0.5], [8, 0.6]), measured(NaN)).insufficient).toMatch(/is NaN/);
    expect(atMatched(points([4, 0.5], [8, 0.6]), 0).insufficient).toMatch(/is 0/);
  });

  it('takes members with the same cost as one', () => {
    expect(atMatched(points([4, 0.4], [4, 0.6], [16, 0.9]), 8).value).toBeCloseTo(0.7, 12);
  });

  it('interpolates every resample, in the costs too', () => {
    const curve = [
      { x: measured(4, [4, 2]), y: measured(0.5, [0.4, 0.6]) },
      { x: measured(16, [16, 8]), y: measured(0.9, [0.8, 1]) },
    ];
    const fixed = atMatched(curve, 8).replicates!;
    expect(fixed[0]).toBeCloseTo(0.6, 12);
    expect(fixed[1]).toBeCloseTo(1, 12);
    const moving = atMatched(curve, measured(8, [4, 8])).replicates!;
    expect(moving[0]).toBeCloseTo(0.4, 12);
    expect(moving[1]).toBeCloseTo(1, 12);
  });

  it('has no interval where a score has no resamples', () => {
    const curve = [...points([4, 0.5]), { x: measured(16), y: measured(0.9, [0.8, 1]) }];
    const matched = atMatched(curve, 8);
    expect(matched).toMatchObject({ low: null, high: null });
    expect(matched.value).toBeCloseTo(0.7, 12);
    expect(matched.replicates).toBeUndefined();
  });

  it('finds an SAE on its own curve no better than itself, with an interval of width 0', () => {
    const curve = [4, 8, 16].map((k) => ({ x: measured(k, scattered(k)), y: measured(k / 20, scattered(k / 20)) }));
    const own = curve[1];
    const difference = pairedDifference([own.y], [atMatched(curve, own.x)]);
    expect(difference).toMatchObject({ paired: true, seeds: 1 });
    for (const end of [difference.value!, difference.low!, difference.high!]) expect(end).toBeCloseTo(0, 12);
  });

  it('property: stays between its neighbours, whatever the order; exact where y = a + b ln x', () => {
    const xs = fc.uniqueArray(fc.double({ min: 1, max: 1e6, noNaN: true }), { minLength: 2, maxLength: 6 });
    const unit = fc.double({ min: -1, max: 1, noNaN: true });
    fc.assert(
      fc.property(xs, unit, unit, fc.double({ min: 0, max: 1, noNaN: true }), (costs, a, b, where) => {
        const [low, high] = [Math.min(...costs), Math.max(...costs)];
        fc.pre(high / low > 1.001);
        const curve = points(...costs.map((x): [number, number] => [x, a + b * Math.log(x)]));
        const x = low * (high / low) ** where;
        const { value } = atMatched(curve, x);
        expect(value).toBeCloseTo(a + b * Math.log(x), 8);
        expect(atMatched(curve.toReversed(), x).value).toBe(value);
      }),
    );
  });
});
