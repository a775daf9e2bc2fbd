import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { constants, derive, nullOf, perSeed, ratios } from '../../src/claims/derived.ts';
import type { Metric } from '../../src/evals/metric.ts';

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
