import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chance, complement, constant, meanMetric } from '../../src/claims/combine.ts';
import { besideNull, metric, type Metric } from '../../src/evals/metric.ts';

const measured = (value: number, replicates?: readonly number[]): Metric => ({
  ...metric(value, value - 0.1, value + 0.1, { n: 10, unit: 'share', definition: 'made up' }),
  ...(replicates && { replicates: Float64Array.from(replicates) }),
});

describe('meanMetric', () => {
  it('is the mean in every resample', () => {
    const mean = meanMetric([measured(0.2, [0.1, 0.3]), measured(0.6, [0.5, 0.5])], 'the levels');
    expect(mean.value).toBeCloseTo(0.4, 12);
    expect([...mean.replicates!].map((value) => Number(value.toFixed(6)))).toEqual([0.3, 0.4]);
    expect(mean.n).toBe(20);
    expect(mean.definition).toBe('mean over the levels of: made up');
  });

  it('has no resamples where one part has none, and no value where one is undefined', () => {
    const mean = meanMetric([measured(0.2, [0.1, 0.3]), measured(0.6)], 'the levels');
    expect(mean.replicates).toBeUndefined();
    expect(mean.low).toBeNull();
    expect(meanMetric([measured(0.2), { ...measured(0.6), value: null }], 'the levels').value).toBeNull();
  });

  it('does not depend on the order of the parts', () =>
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 3, maxLength: 3 }), {
          minLength: 1,
          maxLength: 4,
        }),
        (parts) => {
          const metrics = parts.map((replicates) => measured(replicates[0], replicates));
          const [one, other] = [meanMetric(metrics, 'parts'), meanMetric(metrics.toReversed(), 'parts')];
          expect(one.value).toBeCloseTo(other.value!, 12);
          one.replicates!.forEach((value, r) => expect(value).toBeCloseTo(other.replicates![r], 12));
        },
      ),
    ));
});

it('a complement turns the interval round', () => {
  const flipped = complement(measured(0.7, [0.6, 0.9]));
  expect(flipped.value).toBeCloseTo(0.3, 12);
  expect([flipped.low, flipped.high].map((end) => Number(end!.toFixed(6)))).toEqual([0.2, 0.4]);
  expect([...flipped.replicates!].map((value) => Number(value.toFixed(6)))).toEqual([0.4, 0.1]);
  expect(complement({ ...measured(1), value: null, low: null, high: null })).toMatchObject({ value: null, low: null });
});

it('a constant is resampled along, without a spread', () => {
  expect([...constant(3, measured(0.5, [1, 2]), 'three').replicates!]).toEqual([3, 3]);
  expect(constant(3, measured(0.5), 'three')).toMatchObject({ value: 3, low: 3, high: 3, definition: 'three' });
  expect(constant(3, measured(0.5), 'three').replicates).toBeUndefined();
});

describe('chance', () => {
  const draws = Float64Array.from({ length: 101 }, (_, i) => i / 100);
  const beside = besideNull(measured(0.9, [0.8, 1]), 'shuffled', draws, 'dealt anew');

  it('is the end of the draws that is asked for', () => {
    expect(chance(beside, 'shuffled', 'high').value).toBeCloseTo(0.975, 3);
    expect(chance(beside, 'shuffled', 'low').value).toBeCloseTo(0.025, 3);
    expect(chance(beside, 'shuffled', 'high').replicates).toHaveLength(2);
  });

  it('is undefined without the null', () => {
    expect(chance(beside, 'frequency_matched', 'high')).toMatchObject({ value: null, low: null, high: null });
    expect(chance(measured(0.9), 'shuffled', 'low').value).toBeNull();
  });
});
