import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';

const draws = (random: Random, n = 4): number[] => Array.from({ length: n }, () => random.uint32());

describe('streams', () => {
  it('are equal for equal names and differ for others', () => {
    expect(draws(new Random(7, 'batch', 3))).toEqual(draws(new Random(7, 'batch', 3)));
    const names: [number, ...(string | number)[]][] = [
      [7],
      [8],
      [-7],
      [7 + 2 ** 32],
      [7, 'a'],
      [7, 'b'],
      [7, 'a', 'b'],
      [7, 'ab'],
      [7, 0],
      [7, 1],
      [7, '1'],
      [7, 1, 0],
      [7, 2 ** 32],
    ];
    const seen = new Set(names.map((name) => draws(new Random(...name)).join()));
    expect(seen.size).toBe(names.length);
  });

  it('do not change between releases: checkpoints depend on them', () => {
    expect(draws(new Random(0))).toMatchInlineSnapshot(`
      [
        3751355258,
        2088115194,
        1705560266,
        297952764,
      ]
    `);
    expect(draws(new Random(42, 'init', 'W_enc'))).toMatchInlineSnapshot(`
      [
        4151351618,
        4129255814,
        1988143167,
        1905783815,
      ]
    `);
  });

  it('neighbouring seeds are uncorrelated', () => {
    let sum = 0;
    const n = 4000;
    for (let seed = 0; seed < n; seed++) {
      sum += (new Random(seed).uniform() - 0.5) * (new Random(seed + 1).uniform() - 0.5);
    }
    // Standard error of the product's mean is 1/(12 √n) ≈ 0.0013.
    expect(Math.abs(sum / n)).toBeLessThan(0.006);
  });
});

describe('distributions', () => {
  it('below(n) is uniform and in range', () => {
    const random = new Random(1);
    const counts = [0, 0, 0, 0, 0, 0];
    for (let i = 0; i < 60_000; i++) counts[random.below(6)]++;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
    fc.assert(fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), (n) => random.below(n) < n));
    expect(random.below(2 ** 32)).toBeLessThan(2 ** 32);
    for (const n of [0, -1, 2 ** 32 + 1, NaN]) expect(() => random.below(n)).toThrow(RangeError);
  });

  it('uniform and normal have their moments', () => {
    const random = new Random(2);
    const n = 100_000;
    let mean = 0;
    let square = 0;
    let uniform = 0;
    for (let i = 0; i < n; i++) {
      const x = random.normal();
      mean += x / n;
      square += (x * x) / n;
      uniform += random.uniform() / n;
    }
    expect(mean).toBeCloseTo(0, 1);
    expect(square).toBeCloseTo(1, 1);
    expect(uniform).toBeCloseTo(0.5, 2);
  });
});
