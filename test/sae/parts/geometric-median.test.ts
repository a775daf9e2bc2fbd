import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { Random } from '../../../src/core/random.ts';
import { geometricMedian } from '../../../src/sae/parts/geometric-median.ts';

/** Σ of the distances to all points. */
function distances(points: Float32Array, d: number, at: ArrayLike<number>): number {
  let sum = 0;
  for (let p = 0; p < points.length; p += d)
    sum += Math.hypot(...Array.from({ length: d }, (_, i) => points[p + i] - at[i]));
  return sum;
}

const clouds = fc
  .record({ n: fc.integer({ min: 1, max: 12 }), d: fc.integer({ min: 1, max: 5 }), seed: fc.nat() })
  .map(({ n, d, seed }) => {
    const random = new Random(seed);
    return { n, d, points: Float32Array.from({ length: n * d }, () => random.normal() + (random.below(5) ? 0 : 8)) };
  });

it('is no farther from the points than their mean, and than its own surroundings', () => {
  fc.assert(
    fc.property(clouds, ({ n, d, points }) => {
      const median = geometricMedian(points, d, 5000, 1e-12);
      const mean = Array.from(
        { length: d },
        (_, i) => points.filter((_v, at) => at % d === i).reduce((a, b) => a + b, 0) / n,
      );
      const best = distances(points, d, median);
      expect(best).toBeLessThanOrEqual(distances(points, d, mean) + 1e-9);
      for (let i = 0; i < d; i++) {
        for (const shift of [-1e-2, 1e-2]) {
          const moved = median.slice();
          moved[i] += shift;
          expect(best).toBeLessThanOrEqual(distances(points, d, moved) + 1e-5);
        }
      }
    }),
  );
});

it('moves with its points, and does not mind their order', () => {
  fc.assert(
    fc.property(clouds, ({ n, d, points }) => {
      const median = geometricMedian(points, d, 200, 1e-9);
      const shifted = geometricMedian(
        points.map((value, i) => value + (i % d) + 1),
        d,
        200,
        1e-9,
      );
      const reversed = new Float32Array(points.length);
      for (let p = 0; p < n; p++) reversed.set(points.subarray(p * d, p * d + d), (n - 1 - p) * d);
      const backwards = geometricMedian(reversed, d, 200, 1e-9);
      median.forEach((value, i) => {
        expect(shifted[i]).toBeCloseTo(value + i + 1, 3);
        expect(backwards[i]).toBeCloseTo(value, 6);
      });
    }),
  );
});

it('survives points that coincide with the iterate', () => {
  expect([...geometricMedian(Float32Array.of(1, 2), 2)]).toEqual([1, 2]);
  expect([...geometricMedian(Float32Array.of(3, 3, 3, 3), 1)]).toEqual([3]);
  // The mean of these is one of them.
  expect([...geometricMedian(Float32Array.of(-1, 0, 1), 1)]).toEqual([0]);
  expect([...geometricMedian(Float32Array.of(1, 0, -1, 0, 0, 1, 0, -1, 0, 0), 2)]).toEqual([0, 0]);
});
