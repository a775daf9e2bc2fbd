import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Hierarchy } from '../../../src/activations/synth-bench/hierarchy.ts';
import { compensationFactors, firingRates, zipfProbabilities } from '../../../src/activations/synth-bench/rates.ts';

const trees = (features: number, roots: number, branching: number, depth: number, exclusive: boolean): Hierarchy =>
  Hierarchy.complete(features, { roots, branching, depth, exclusive, scaleChildren: true });

describe('Zipf probabilities', () => {
  it('fall along a power law from one end to the other', () => {
    const p = zipfProbabilities(1000, 0.5, 0.4, 5e-4);
    expect([p[0], p[999]]).toEqual([0.4, 5e-4]);
    expect((p[3] - p[15]) / (p[0] - p[3])).toBeCloseTo((1 / 2 - 1 / 4) / (1 - 1 / 2), 12);
    expect([...zipfProbabilities(1, 0.5, 0.4, 5e-4)]).toEqual([0.4]);
  });
});

describe('compensation', () => {
  it('makes up for the parent and for exclusive siblings', () => {
    const base = [0.5, 0.1, 0.2, 0.3];
    const factors = compensationFactors(trees(4, 1, 2, 1, true), base);
    [1, 2 * (1 + 0.2 / 0.5), 2 * (1 + 0.1 / 0.5), 1].forEach((factor, i) => expect(factors[i]).toBeCloseTo(factor, 12));
    expect([...compensationFactors(trees(4, 1, 2, 1, false), base)]).toEqual([1, 2, 2, 1]);
    expect([...compensationFactors(trees(4, 1, 2, 1, true), [0, 0.1, 0.2, 0.3])]).toEqual([1, 1, 1, 1]);
  });

  it('keeps the rates of children that never meet', () => {
    const base = zipfProbabilities(30, 0.5, 0.4, 5e-4);
    const hierarchy = trees(30, 2, 3, 2, false);
    const factors = compensationFactors(hierarchy, base);
    firingRates(
      hierarchy,
      base.map((p, i) => p * factors[i]),
    ).forEach((rate, i) => expect(rate).toBeCloseTo(base[i], 12));
  });
});

describe('exact rates', () => {
  it('are those of all cases counted', () => {
    const probability = fc.constantFrom(0, 0.1, 0.5, 0.7, 1);
    fc.assert(
      fc.property(fc.array(probability, { minLength: 7, maxLength: 7 }), fc.boolean(), (q, exclusive) => {
        // A root with three children, the first of which has three.
        const node = (feature: number, children: Parameters<typeof Hierarchy.of>[1] = []) => {
          return { feature, exclusive, scales: true, children };
        };
        const hierarchy = Hierarchy.of(7, [
          node(0, [
            node(
              1,
              [4, 5, 6].map((f) => node(f)),
            ),
            node(2),
            node(3),
          ]),
        ]);
        const expected = new Float64Array(7);
        for (let fired = 0; fired < 128; fired++) {
          const weight = q.reduce<number>((product, p, i) => product * (fired & (1 << i) ? p : 1 - p), 1);
          const count = (features: number[]): number => features.filter((i) => fired & (1 << i)).length;
          const stays = (i: number, family: number[]): number =>
            fired & (1 << i) ? (exclusive ? 1 / count(family) : 1) : 0;
          const root = fired & 1 ? weight : 0;
          expected[0] += root;
          for (const i of [1, 2, 3]) expected[i] += root * stays(i, [1, 2, 3]);
          for (const i of [4, 5, 6]) expected[i] += root * stays(1, [1, 2, 3]) * stays(i, [4, 5, 6]);
        }
        firingRates(hierarchy, q).forEach((rate, i) => expect(rate).toBeCloseTo(expected[i], 12));
      }),
    );
  });

  it('hold for large families of any probability', () => {
    const hierarchy = trees(401, 1, 400, 1, true);
    const q = Float64Array.from({ length: 401 }, (_, i) => (i === 0 ? 1 : (i % 100) / 99));
    const rates = firingRates(hierarchy, q);
    // One child is on whenever some fired: always.
    expect(rates.subarray(1).reduce((sum, rate) => sum + rate, 0)).toBeCloseTo(1, 9);
    expect(Math.min(...rates)).toBe(0);
  });
});
