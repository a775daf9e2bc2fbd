import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { assignParents, pruneFamilies } from '../../src/forest/assignment.ts';

it('leaves out what is strictly below the quantile, which is interpolated', () => {
  const similarity = [0.5, 0.1, 0.4, 0.2, 0.3, 0.6];
  const index = [3, 1, 4, 1, 5, 9];
  // The 0.2 quantile of six numbers lies exactly on the second smallest.
  expect([...assignParents({ index, similarity }, 0.2)]).toEqual([3, -1, 4, 1, 5, 9]);
  expect([...assignParents({ index, similarity }, 0.25)]).toEqual([3, -1, 4, -1, 5, 9]);
  expect([...assignParents({ index, similarity }, 0)]).toEqual(index);
});

it('equal similarities are all assigned', () => {
  expect([...assignParents({ index: [2, 2, 2], similarity: [0.3, 0.3, 0.3] }, 0.9)]).toEqual([2, 2, 2]);
});

it('leaves out at most its share, and never a more similar one than it keeps', () => {
  const cosines = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(cosines, fc.double({ min: 0, max: 1, noNaN: true }), (similarity, share) => {
      const parents = assignParents({ index: similarity.map((_, i) => i), similarity }, share);
      const [kept, left] = [true, false].map((isKept) => similarity.filter((_, i) => parents[i] >= 0 === isKept));
      expect(left.length).toBeLessThanOrEqual(Math.ceil(share * (similarity.length - 1)) + 1e-9);
      expect(Math.max(-2, ...left)).toBeLessThanOrEqual(Math.min(2, ...kept));
    }),
  );
});

it('a parent keeps its most similar children, the lowest of equal ones', () => {
  const parents = Int32Array.from([4, 4, 4, -1, 7, 4]);
  expect([...pruneFamilies(parents, [0.1, 0.5, 0.5, 0.9, 0.2, 0.5], 2)]).toEqual([-1, 4, 4, -1, 7, -1]);
  expect([...pruneFamilies(parents, [0.1, 0.5, 0.5, 0.9, 0.2, 0.5], 6)]).toEqual([...parents]);
});
