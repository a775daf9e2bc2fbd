import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cohenKappa, fleissKappa } from '../../../src/evals/annotation/kappa.ts';

const tables = fc.integer({ min: 2, max: 5 }).chain((labels) =>
  fc.array(fc.array(fc.integer({ min: 0, max: 20 }), { minLength: labels, maxLength: labels }), {
    minLength: labels,
    maxLength: labels,
  }),
);
const items = fc.tuple(fc.integer({ min: 2, max: 5 }), fc.integer({ min: 2, max: 4 })).chain(([judges, labels]) =>
  fc.array(
    fc
      .array(fc.integer({ min: 0, max: labels - 1 }), { minLength: judges, maxLength: judges })
      .map((given) => Array.from({ length: labels }, (_, label) => given.filter((one) => one === label).length)),
    { minLength: 2, maxLength: 30 },
  ),
);

/** Of values that may be undefined. */
const expectSame = (a: number, b: number): void => {
  if (Number.isNaN(a)) expect(b).toBeNaN();
  else expect(b).toBeCloseTo(a, 9);
};

describe("Cohen's κ", () => {
  it('is at most 1, and 1 only where both always agree', () => {
    fc.assert(
      fc.property(tables, (table) => {
        const agree = table.every((row, i) => row.every((count, j) => i === j || count === 0));
        for (const weights of ['none', 'linear', 'quadratic'] as const) {
          const { kappa } = cohenKappa(table, weights);
          if (Number.isNaN(kappa)) continue;
          expect(kappa).toBeLessThanOrEqual(1 + 1e-12);
          expect(Math.abs(kappa - 1) < 1e-12).toBe(agree);
        }
      }),
    );
  });

  it('does not change with the order of the judges or the number of copies, nor with the names of the labels if unweighted', () => {
    fc.assert(
      fc.property(tables, (table) => {
        const transposed = table.map((_, i) => table.map((row) => row[i]));
        const doubled = table.map((row) => row.map((count) => 2 * count));
        const renamed = table.toReversed().map((row) => row.toReversed());
        for (const weights of ['none', 'linear', 'quadratic'] as const) {
          const { kappa } = cohenKappa(table, weights);
          for (const other of [transposed, doubled, renamed]) expectSame(kappa, cohenKappa(other, weights).kappa);
        }
      }),
    );
  });

  it('is 0 for judges who are independent of each other', () => {
    expect(
      cohenKappa([
        [6, 3],
        [4, 2],
      ]).kappa,
    ).toBeCloseTo(0, 12);
  });

  it('of a scale forgives neighbours', () => {
    const table = [
      [5, 5, 0],
      [0, 5, 5],
      [0, 0, 5],
    ];
    const [none, linear, quadratic] = (['none', 'linear', 'quadratic'] as const).map((w) => cohenKappa(table, w).kappa);
    expect(linear).toBeGreaterThan(none);
    expect(quadratic).toBeGreaterThan(linear);
  });
});

describe("Fleiss' κ", () => {
  it('is at most 1, does not depend on the order, and counts weights as copies', () => {
    fc.assert(
      fc.property(
        items,
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 30, maxLength: 30 }),
        (counts, copies) => {
          const { kappa } = fleissKappa(counts);
          if (!Number.isNaN(kappa)) expect(kappa).toBeLessThanOrEqual(1 + 1e-12);
          expectSame(kappa, fleissKappa(counts.toReversed()).kappa);
          const weights = copies.slice(0, counts.length);
          if (weights.every((weight) => weight === 0)) return;
          const copied = counts.flatMap((item, i) => Array.from({ length: weights[i] }, () => item));
          expectSame(fleissKappa(copied).kappa, fleissKappa(counts, weights).kappa);
        },
      ),
    );
  });
});
