import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { assign } from '../../src/forest/hungarian.ts';
import { assignSparse, type WeightedPair } from '../../src/forest/sparse-assignment.ts';

/** With a column of its own for every row, in which it stays alone at a weight of 0. */
function bestTotal(pairs: readonly WeightedPair[], rows: number, columns: number): number {
  const width = columns + rows;
  // Never taken: more than staying alone costs.
  const cost = new Float64Array(rows * width).fill(1000);
  for (const { row, column, weight } of pairs) cost[row * width + column] = 1 - weight;
  for (let row = 0; row < rows; row++) cost[row * width + columns + row] = 1;
  return assign(cost, rows, width).reduce((sum, column, row) => sum + 1 - cost[row * width + column], 0);
}

function totalOf(pairs: readonly WeightedPair[], columnOf: Int32Array): number {
  const taken = new Set<number>();
  return columnOf.reduce((sum, column, row) => {
    if (column === -1) return sum;
    expect(taken.has(column)).toBe(false);
    taken.add(column);
    return sum + pairs.find((pair) => pair.row === row && pair.column === column)!.weight;
  }, 0);
}

describe('the sparse assignment', () => {
  it('is as good as the dense one', () => {
    const instance = fc.record({
      rows: fc.integer({ min: 1, max: 9 }),
      columns: fc.integer({ min: 1, max: 9 }),
      density: fc.constantFrom(0.1, 0.4, 1),
      steps: fc.constantFrom(2, 1000),
      seed: fc.nat(),
    });
    fc.assert(
      fc.property(instance, ({ rows, columns, density, steps, seed }) => {
        const random = new Random(seed);
        const pairs: WeightedPair[] = [];
        for (let row = 0; row < rows; row++) {
          for (let column = 0; column < columns; column++) {
            // Few different weights make many ties.
            if (random.uniform() < density) pairs.push({ row, column, weight: (1 + random.below(steps)) / steps });
          }
        }
        const found = assignSparse(pairs, rows, columns);
        expect(totalOf(pairs, found)).toBeCloseTo(bestTotal(pairs, rows, columns), 9);
        expect(assignSparse(pairs.toReversed(), rows, columns)).toEqual(found);
      }),
      { numRuns: 500 },
    );
  });

  it('lets a row go without where another one gains more', () => {
    const pairs = [
      { row: 0, column: 0, weight: 0.5 },
      { row: 1, column: 0, weight: 0.6 },
      { row: 2, column: 0, weight: 0.4 },
      { row: 2, column: 1, weight: 0.1 },
    ];
    expect([...assignSparse(pairs, 4, 3)]).toEqual([-1, 0, 1, -1]);
    expect([...assignSparse([], 2, 0)]).toEqual([-1, -1]);
  });

  it('takes thousands of rows', () => {
    const random = new Random(1);
    const pairs: WeightedPair[] = [];
    for (let row = 0; row < 4000; row++) {
      const columns = new Set(Array.from({ length: 12 }, () => random.below(5000)));
      for (const column of columns) pairs.push({ row, column, weight: random.uniform() || 1 });
    }
    const found = assignSparse(pairs, 4000, 5000);
    expect(new Set(found).size).toBeGreaterThan(3900);
  });
});
