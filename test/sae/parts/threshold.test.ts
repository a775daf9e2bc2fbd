import { expect, it } from 'vitest';
import { thresholdSchedule, trackedThreshold, UNSET } from '../../../src/sae/parts/threshold.ts';

it('is tracked after a given step, starts at the first value, then moves by a share', () => {
  const config = { beta: 0.75, from: 2 };
  let threshold = UNSET;
  const seen = [9, 9, 9, 4, 8, 0].map(
    (smallest, step) => (threshold = trackedThreshold(config, threshold, smallest, step)),
  );
  expect(seen).toEqual([UNSET, UNSET, UNSET, 4, 5, 3.75]);
});

it('remembers 1000 steps as published, in short runs a tenth of the run', () => {
  const unset = { thresholdBeta: null, thresholdFrom: null };
  expect(thresholdSchedule(unset, 100_000)).toEqual({ beta: 0.999, from: 1000 });
  expect(thresholdSchedule(unset, 500)).toEqual({ beta: 0.98, from: 50 });
  expect(thresholdSchedule(unset, 5)).toEqual({ beta: 0, from: 0 });
  expect(thresholdSchedule({ thresholdBeta: 0.5, thresholdFrom: 7 }, 500)).toEqual({ beta: 0.5, from: 7 });
});
