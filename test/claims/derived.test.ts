import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  chance,
  complement,
  constant,
  constants,
  derive,
  meanMetric,
  nullOf,
  perSeed,
  ratios,
} from '../../src/claims/derived.ts';
import { besideNull, metric, type Metric } from '../../src/evals/metric.ts';

const measured = (value: number | null, replicates?: readonly number[]): Metric => ({
  value,
  low: null,
  high: null,
  n: 10,
  unit: 'share',
  definition: 'made up',
  ...(replicates && { replicates: Float64Array.from(replicates) }),
});
const meaning = { unit: 'share', definition: 'a − b' };

describe('metrics made of metrics', () => {
  it('are computed resample by resample', () => {
    const difference = derive([measured(5, [4, 6]), measured(2, [1, 5])], (x, y) => x - y, meaning);
    expect(difference.value).toBe(3);
    expect(Array.from(difference.replicates!)).toEqual([3, 1]);
    expect(difference.low).toBeGreaterThanOrEqual(1);
    expect(difference.high).toBeLessThanOrEqual(3);
  });

  it('have no value where a part has none, and no resamples where a part has none or others', () => {
    expect(derive([measured(null, [1, 2]), measured(2, [1, 5])], (x, y) => x - y, meaning).value).toBe(null);
    expect(derive([measured(1), measured(2, [1, 5])], (x, y) => x - y, meaning).replicates).toBe(undefined);
    expect(derive([measured(1, [1]), measured(2, [1, 5])], (x, y) => x - y, meaning).replicates).toBe(undefined);
  });

  it('say why there is no value', () => {
    const missing = { ...measured(null), insufficient: 'too few' };
    expect(derive([measured(1), missing], (x, y) => x - y, meaning).insufficient).toBe('too few');
  });

  it('ratios of a metric to itself are 1', () => {
    const values = fc.array(fc.double({ min: 0.1, max: 10, noNaN: true }), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(values, (replicates) => {
        const one = measured(replicates[0], replicates);
        const [ratio] = ratios([one], [one], 'a / a');
        expect(ratio.value).toBe(1);
        expect(new Set(ratio.replicates)).toEqual(new Set([1]));
      }),
    );
  });

  it('a limit is the same number in all resamples', () => {
    const [limit] = constants(0.2, [measured(1, [3, 4])], 'limit');
    expect(limit).toMatchObject({ value: 0.2, low: 0.2, high: 0.2 });
    expect(Array.from(limit.replicates!)).toEqual([0.2, 0.2]);
  });

  it('the null of a metric is its mean, and undefined where there is none', () => {
    const none = { low: 0, high: 1, draws: 5, effect: 1, definition: 'null' };
    const beside = { ...measured(1, [1, 2]), nulls: { shuffled: { value: 0.25, ...none } } };
    expect(nullOf([beside, measured(1, [1, 2])], 'shuffled').map(({ value }) => value)).toEqual([0.25, null]);
  });

  it('one number per seed has no interval of its own', () => {
    expect(perSeed([1, 2], 'ms', 'time')).toMatchObject([
      { value: 1, low: null, high: null },
      { value: 2, low: null, high: null },
    ]);
  });
});

const share = (value: number, replicates?: readonly number[]): Metric => ({
  ...metric(value, value - 0.1, value + 0.1, { n: 10, unit: 'share', definition: 'made up' }),
  ...(replicates && { replicates: Float64Array.from(replicates) }),
});

describe('meanMetric', () => {
  it('is the mean in every resample', () => {
    const mean = meanMetric([share(0.2, [0.1, 0.3]), share(0.6, [0.5, 0.5])], 'the levels');
    expect(mean.value).toBeCloseTo(0.4, 12);
    expect([...mean.replicates!].map((value) => Number(value.toFixed(6)))).toEqual([0.3, 0.4]);
    expect(mean.n).toBe(10);
    expect(mean.definition).toBe('mean over the levels of: made up');
  });

  it('has no resamples where one part has none, and no value where one is undefined', () => {
    const mean = meanMetric([share(0.2, [0.1, 0.3]), share(0.6)], 'the levels');
    expect(mean.replicates).toBeUndefined();
    expect(mean.low).toBeNull();
    expect(meanMetric([share(0.2), { ...share(0.6), value: null }], 'the levels').value).toBeNull();
  });

  it('does not depend on the order of the parts', () =>
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 3, maxLength: 3 }), {
          minLength: 1,
          maxLength: 4,
        }),
        (parts) => {
          const metrics = parts.map((replicates) => share(replicates[0], replicates));
          const [one, other] = [meanMetric(metrics, 'parts'), meanMetric(metrics.toReversed(), 'parts')];
          expect(one.value).toBeCloseTo(other.value!, 12);
          one.replicates!.forEach((value, r) => expect(value).toBeCloseTo(other.replicates![r], 12));
        },
      ),
    ));
});

it('a complement turns the interval round', () => {
  const flipped = complement(share(0.7, [0.6, 0.9]));
  expect(flipped.value).toBeCloseTo(0.3, 12);
  expect([flipped.low, flipped.high].map((end) => Number(end!.toFixed(6)))).toEqual([0.2, 0.4]);
  expect([...flipped.replicates!].map((value) => Number(value.toFixed(6)))).toEqual([0.4, 0.1]);
  const beside = besideNull(share(0.7), 'shuffled', Float64Array.of(0.1, 0.2), 'dealt anew');
  expect(complement(beside).nulls).toBeUndefined();
  expect(complement({ ...share(1), value: null, low: null, high: null })).toMatchObject({ value: null, low: null });
});

it('a constant is resampled along, without a spread', () => {
  expect([...constant(3, share(0.5, [1, 2]), 'three').replicates!]).toEqual([3, 3]);
  expect(constant(3, share(0.5), 'three')).toMatchObject({ value: 3, low: 3, high: 3, definition: 'three' });
  expect(constant(3, share(0.5), 'three').replicates).toBeUndefined();
});

describe('chance', () => {
  const draws = Float64Array.from({ length: 101 }, (_, i) => i / 100);
  const beside = besideNull(share(0.9, [0.8, 1]), 'shuffled', draws, 'dealt anew');

  it('is the end of the draws that is asked for', () => {
    expect(chance(beside, 'shuffled', 'high').value).toBeCloseTo(0.975, 3);
    expect(chance(beside, 'shuffled', 'low').value).toBeCloseTo(0.025, 3);
    expect(chance(beside, 'shuffled', 'high').replicates).toHaveLength(2);
  });

  it('is undefined without the null', () => {
    expect(chance(beside, 'frequency_matched', 'high')).toMatchObject({ value: null, low: null, high: null });
    expect(chance(share(0.9), 'shuffled', 'low').value).toBeNull();
  });
});
