import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { Permutation } from '../../src/core/permutation.ts';
import { Random } from '../../src/core/random.ts';

it('is a bijection with an inverse, for every size', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3000 }), fc.integer(), (size, seed) => {
      const permutation = new Permutation(size, new Random(seed));
      const images = Array.from({ length: size }, (_, i) => permutation.at(i));
      expect(new Set(images).size).toBe(size);
      expect(Math.max(...images)).toBe(size - 1);
      images.forEach((image, i) => expect(permutation.indexOf(image)).toBe(i));
    }),
    { numRuns: 60 },
  );
});

it('stays inside of large ranges', () => {
  for (const size of [2 ** 31, 2 ** 32 + 1, 2 ** 46]) {
    const permutation = new Permutation(size, new Random(1));
    for (const index of [0, 1, 12345, size - 1]) {
      const image = permutation.at(index);
      expect(image).toBeLessThan(size);
      expect(permutation.indexOf(image)).toBe(index);
    }
  }
});

it('mixes: neighbours are not neighbours, fixed points are rare', () => {
  const size = 10_000;
  const permutation = new Permutation(size, new Random(3));
  let distance = 0;
  let fixed = 0;
  for (let i = 1; i < size; i++) {
    distance += Math.abs(permutation.at(i) - permutation.at(i - 1));
    if (permutation.at(i) === i) fixed++;
  }
  expect(distance / size / (size / 3)).toBeCloseTo(1, 1);
  expect(fixed).toBeLessThan(10);
});

it('refuses what would never end', () => {
  const permutation = new Permutation(5, new Random(1));
  for (const index of [-1, 5, NaN]) expect(() => permutation.at(index)).toThrow(RangeError);
  expect(() => new Permutation(0, new Random(1)).at(0)).toThrow(RangeError);
  for (const size of [-1, 1.5, 2 ** 46 + 1]) expect(() => new Permutation(size, new Random(1))).toThrow(RangeError);
});
