import { expect, it } from 'vitest';
import { trackedThreshold, UNSET } from '../../../src/sae/parts/threshold.ts';

it('is tracked after a given step, starts at the first value, then moves by a share', () => {
  const config = { thresholdBeta: 0.75, thresholdFrom: 2 };
  let threshold = UNSET;
  const seen = [9, 9, 9, 4, 8, 0].map(
    (smallest, step) => (threshold = trackedThreshold(config, threshold, smallest, step)),
  );
  expect(seen).toEqual([UNSET, UNSET, UNSET, 4, 5, 3.75]);
});
