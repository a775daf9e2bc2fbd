import { expect, it } from 'vitest';
import { leaveUnassigned } from '../../src/forest/nearest.ts';

const nearest = {
  parent: Int32Array.of(3, 1, 2, -1, 0),
  cosine: Float32Array.of(0.5, 0.1, 0.1, 0, 0.9),
};

it('leaves the bottom quantile alone, of equal cosines the higher latents', () => {
  expect([...leaveUnassigned(nearest, 0)]).toEqual([3, 1, 2, -1, 0]);
  expect([...leaveUnassigned(nearest)]).toEqual([3, 1, 2, -1, 0]);
  expect([...leaveUnassigned(nearest, 0.4)]).toEqual([3, 1, -1, -1, 0]);
  expect([...leaveUnassigned(nearest, 0.6)]).toEqual([3, -1, -1, -1, 0]);
  expect([...leaveUnassigned(nearest, 1)]).toEqual([-1, -1, -1, -1, -1]);
  expect(() => leaveUnassigned(nearest, 1.5)).toThrow('unassigned 1.5: expected 0 … 1');
});
