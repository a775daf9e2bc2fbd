import { expect, it } from 'vitest';
import { inTurn, timeRatios } from '../../src/claims/timing.ts';

it('ratios are of all steps together, so that a step with more work counts', () => {
  const ratios = timeRatios([
    [
      [2, 2, 8],
      [1, 1, 1],
    ],
    [
      [3, 1, 2],
      [4, 4, 4],
    ],
  ]);
  expect(ratios.map(({ value }) => value)).toEqual([4, 0.5]);
  expect(ratios[0].n).toBe(3);
});

it('everything is called in turn, and the warm-up is not counted', async () => {
  const calls: string[] = [];
  const measure = (name: string) => (): Promise<number> => {
    calls.push(name);
    return Promise.resolve(calls.length);
  };
  const times = await inTurn([measure('a'), measure('b')], 2, 1);
  expect(calls.join('')).toBe('ababab');
  expect(times).toEqual([
    [3, 5],
    [4, 6],
  ]);
});
