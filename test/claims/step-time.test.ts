import { expect, it } from 'vitest';
import { timeRatios } from '../../src/claims/step-time.ts';

it('ratios are of medians, so that one slow step does not count', () => {
  const ratios = timeRatios([
    [
      [2, 2, 900],
      [1, 1, 1],
    ],
    [
      [3, 1, 2],
      [4, 4, 4],
    ],
  ]);
  expect(ratios.map(({ value }) => value)).toEqual([2, 0.5]);
  expect(ratios[0].n).toBe(3);
});
