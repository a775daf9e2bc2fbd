import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codesFromDense } from '../../src/core/codes.ts';
import { Random } from '../../src/core/random.ts';
import { familiesOf } from '../../src/forest/families.ts';
import { FAMILY, FAMILY_SUMS, PAIR, PAIR_SUMS, sumFamilies } from '../../src/forest/family-sums.ts';
import { Firings } from '../../src/forest/firings.ts';
import { centredRanks, RANK, RANK_SUMS, sumFamiliesRanked } from '../../src/forest/rank-correlation.ts';
import { OVERLAP, OVERLAP_SUMS, overlapOf, siblingFamilies, siblingPairs } from '../../src/forest/siblings.ts';
import { Forest } from '../../src/forest/forest.ts';
import { anyForest } from './arbitrary.ts';

const ROWS = 40;

/** Codes of which a third are on, with equal values among them. */
function codes(seed: number, width: number): Float32Array {
  const random = new Random(seed, 'family sums');
  return Float32Array.from({ length: ROWS * width }, () => (random.uniform() < 0.35 ? 1 + random.below(4) : 0));
}

function firingsOf(dense: Float32Array, width: number): Firings {
  const firings = new Firings(width);
  firings.add(codesFromDense(dense, ROWS, width));
  return firings;
}

/** Units of 1 to 3 rows. */
const unitOf = Int32Array.from({ length: ROWS }, (_, r) => Math.floor((2 * r) / 5));
const UNITS = unitOf[ROWS - 1] + 1;

const forestAndSeed = fc.tuple(
  anyForest(12).filter(({ size }) => size > 0),
  fc.nat(),
);

describe('sums of families', () => {
  it('are what they are called, for any weights of the units', () => {
    fc.assert(
      fc.property(forestAndSeed, fc.nat(), ([forest, seed], weightSeed) => {
        const { size } = forest;
        const dense = codes(seed, size);
        const families = familiesOf(forest);
        const random = new Random(weightSeed);
        const weights = Float64Array.from({ length: UNITS }, () => random.below(3));
        const sums = sumFamilies(firingsOf(dense, size), families, unitOf);
        const [pairs, groups] = [sums.pairs.weighted(weights), sums.families.weighted(weights)];
        const over = (value: (a: (i: number) => number) => number): number => {
          let sum = 0;
          for (let r = 0; r < ROWS; r++) sum += weights[unitOf[r]] * value((i) => dense[r * size + i]);
          return sum;
        };
        families.child.forEach((c, pair) => {
          const p = families.parent[families.family[pair]];
          const of = (name: keyof typeof PAIR): number => pairs[pair * PAIR_SUMS + PAIR[name]];
          expect(of('child')).toBe(over((a) => Number(a(c) > 0)));
          expect(of('both')).toBe(over((a) => Number(a(c) > 0 && a(p) > 0)));
          expect(of('dominated')).toBe(over((a) => Number(a(c) > 0 && a(p) > a(c))));
          expect(of('product')).toBe(over((a) => a(c) * a(p)));
          expect(of('parentSquares')).toBe(over((a) => (a(c) > 0 ? a(p) ** 2 : 0)));
          expect(of('childSquares')).toBe(over((a) => a(c) ** 2));
          expect(of('childWeight')).toBe(over((a) => a(c)));
          expect(of('bothWeight')).toBe(over((a) => (a(p) > 0 ? a(c) : 0)));
        });
        families.parent.forEach((p, f) => {
          const children = forest.children(p);
          const largest = (a: (i: number) => number): number => Math.max(...Array.from(children, a));
          const of = (name: keyof typeof FAMILY): number => groups[f * FAMILY_SUMS + FAMILY[name]];
          expect(of('parent')).toBe(over((a) => Number(a(p) > 0)));
          expect(of('any')).toBe(over((a) => Number(largest(a) > 0)));
          expect(of('anyBoth')).toBe(over((a) => Number(largest(a) > 0 && a(p) > 0)));
          expect(of('parentSum')).toBe(over((a) => (largest(a) > 0 ? a(p) : 0)));
          expect(of('childSum')).toBe(over(largest));
          expect(of('parentSquares')).toBe(over((a) => (largest(a) > 0 ? a(p) ** 2 : 0)));
          expect(of('childSquares')).toBe(over((a) => largest(a) ** 2));
          expect(of('product')).toBe(over((a) => largest(a) * a(p)));
        });
      }),
      { numRuns: 60 },
    );
  });

  it('take the same ranks whatever the units are', () => {
    fc.assert(
      fc.property(forestAndSeed, ([forest, seed]) => {
        const firings = firingsOf(codes(seed, forest.size), forest.size);
        const families = familiesOf(forest);
        const one = sumFamiliesRanked(firings, families).ranks.weighted(new Float64Array([1]));
        const many = sumFamiliesRanked(firings, families, unitOf).ranks.weighted(new Float64Array(UNITS).fill(1));
        many.forEach((value, i) => expect(value).toBeCloseTo(one[i], 4));
        families.parent.forEach((_, f) => {
          const of = (name: keyof typeof RANK): number => one[f * RANK_SUMS + RANK[name]];
          // Centred: ranks of both sides sum to 0.
          expect(of('parentSum')).toBeCloseTo(0, 5);
          expect(of('childSum')).toBeCloseTo(0, 5);
          expect(of('product') ** 2).toBeLessThanOrEqual(of('parentSquares') * of('childSquares') + 1e-6);
        });
      }),
      { numRuns: 40 },
    );
  });
});

describe('ranks', () => {
  it('order values and share the mean among equal ones', () => {
    expect([...centredRanks(new Float32Array([3, 0, 0, 7, 3.5]))]).toEqual([0, -0.375, -0.375, 0.5, 0.25]);
    expect([...centredRanks(new Float32Array([2]))]).toEqual([0]);
    expect([...centredRanks(new Float32Array([1e-30, 1e30, 0]))]).toEqual([0, 0.5, -0.5]);
  });
});

describe('siblings', () => {
  it('overlap as sets do, and all pairs are found once', () => {
    fc.assert(
      fc.property(forestAndSeed, ([forest, seed]) => {
        const { size } = forest;
        const dense = codes(seed, size);
        const families = familiesOf(forest);
        const pairs = siblingPairs(families, Infinity, new Random(0));
        const expected = new Set<string>();
        for (let a = 0; a < size; a++) {
          for (let b = a + 1; b < size; b++)
            if (forest.parent[a] !== -1 && forest.parent[a] === forest.parent[b]) expected.add(`${a},${b}`);
        }
        const found = Array.from(pairs.first, (a, i) => `${a},${pairs.second[i]}`);
        expect(found.toSorted()).toEqual([...expected].toSorted());
        const sums = overlapOf(firingsOf(dense, size), pairs, unitOf).weighted(new Float64Array(UNITS).fill(1));
        pairs.first.forEach((a, i) => {
          const rows = Array.from({ length: ROWS }, (_, r) => [
            dense[r * size + a] > 0,
            dense[r * size + pairs.second[i]] > 0,
          ]);
          expect(sums[i * OVERLAP_SUMS + OVERLAP.both]).toBe(rows.filter(([x, y]) => x && y).length);
          expect(sums[i * OVERLAP_SUMS + OVERLAP.either]).toBe(rows.filter(([x, y]) => x || y).length);
        });
      }),
      { numRuns: 60 },
    );
  });

  it('are drawn without repetition where there are too many', () => {
    const families = { parent: new Int32Array([0]), level: new Int32Array(1), ptr: new Int32Array([0, 40]) };
    const child = Int32Array.from({ length: 40 }, (_, i) => i + 1);
    const pairs = siblingPairs({ ...families, child, family: new Int32Array(40) }, 100, new Random(3));
    const names = new Set(Array.from(pairs.first, (a, i) => `${a},${pairs.second[i]}`));
    expect(names.size).toBe(100);
    pairs.first.forEach((a, i) => expect(a).toBeLessThan(pairs.second[i]));
  });

  it('leave out a child or its whole family', () => {
    const families = familiesOf(new Forest([-1, 0, 0, 0, -1, 4]));
    expect([...siblingFamilies(families, (c) => c !== 2, false).child]).toEqual([1, 3]);
    expect([...siblingFamilies(families, (c) => c !== 2, true).child]).toEqual([]);
    expect([...siblingFamilies(families, () => true, true).child]).toEqual([1, 2, 3]);
  });
});
