import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { assign } from '../../src/forest/hungarian.ts';

const matrix = fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 6 })).chain(([rows, columns]) =>
  fc.record({
    rows: fc.constant(rows),
    columns: fc.constant(columns),
    // Small integers make ties, large ones test the potentials.
    cost: fc
      .array(fc.oneof(fc.integer({ min: -2, max: 2 }), fc.integer({ min: -1000, max: 1000 })), {
        minLength: rows * columns,
        maxLength: rows * columns,
      })
      .map((values) => Float64Array.from(values)),
  }),
);

function bruteForce(cost: Float64Array, rows: number, columns: number): number {
  if (rows > columns) {
    const turned = Float64Array.from(cost, (_, i) => cost[(i % rows) * columns + Math.floor(i / rows)]);
    return bruteForce(turned, columns, rows);
  }
  const search = (row: number, taken: number): number => {
    if (row === rows) return 0;
    let best = Infinity;
    for (let c = 0; c < columns; c++) {
      if (taken & (1 << c)) continue;
      best = Math.min(best, cost[row * columns + c] + search(row + 1, taken | (1 << c)));
    }
    return best;
  };
  return search(0, 0);
}

describe('assignment', () => {
  it('has the smallest total cost and uses all of the smaller side once', () => {
    fc.assert(
      fc.property(matrix, ({ rows, columns, cost }) => {
        const assigned = [...assign(cost, rows, columns)].map((c, r) => [r, c]).filter(([, c]) => c !== -1);
        expect(assigned.length).toBe(Math.min(rows, columns));
        expect(new Set(assigned.map(([, c]) => c)).size).toBe(assigned.length);
        const total = assigned.reduce((sum, [r, c]) => sum + cost[r * columns + c], 0);
        expect(total).toBe(bruteForce(cost, rows, columns));
      }),
      { numRuns: 300 },
    );
  });

  it('finds a hidden permutation among larger costs', () => {
    const random = new Random(1);
    const n = 300;
    const cost = Float32Array.from({ length: n * n }, () => 0.5 + random.uniform() / 2);
    for (let r = 0; r < n; r++) cost[r * n + ((r * 7 + 3) % n)] = random.uniform() / 4;
    expect([...assign(cost, n, n)]).toEqual(Array.from({ length: n }, (_, r) => (r * 7 + 3) % n));
  });

  it('refuses a matrix of another size', () => {
    expect(() => assign(new Float64Array(5), 2, 3)).toThrow('expected 2 × 3 costs, got 5');
  });
});
