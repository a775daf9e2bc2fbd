import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { BLOCK_ROWS, RowOrder } from '../../src/activations/order.ts';

/** Rows in the order in which an epoch visits them, through `place` as a source does. */
function visit(order: RowOrder, from: number, count: number): number[] {
  const visited: number[] = [];
  let rows: number[] = [];
  let key = '';
  for (let position = from; position < from + count; position++) {
    const { epoch, group, offset } = order.place(position);
    if (key !== `${epoch} ${group}`) {
      key = `${epoch} ${group}`;
      const laid = order
        .blocksOf(epoch, group)
        .flatMap((first) => Array.from({ length: Math.min(BLOCK_ROWS, order.rows - first) }, (_, i) => first + i));
      expect(laid).toHaveLength(order.rowsOf(epoch, group));
      expect(laid.length).toBeLessThanOrEqual(order.groupRows);
      const within = order.within(epoch, group);
      rows = laid.map((_, i) => laid[within.at(i)]);
    }
    visited.push(rows[offset]);
  }
  return visited;
}

// Wide rows make small groups: 2^17 elements give 64 rows per group, 2^14 give 512.
const width = fc.constantFrom(1, 2 ** 14, 2 ** 15, 2 ** 16, 2 ** 17, 2 ** 20);

it('every epoch visits every row exactly once', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3000 }), width, fc.integer(), fc.nat(3), (rows, d, seed, epoch) => {
      const order = new RowOrder(rows, d, seed);
      const visited = visit(order, epoch * rows, rows);
      expect(visited.toSorted((a, b) => a - b)).toEqual(Array.from({ length: rows }, (_, i) => i));
    }),
    { numRuns: 60 },
  );
});

it('groups are multiples of 64 rows, at most 32 MB as float32, and equally filled', () => {
  for (const d of [1, 192, 288, 768, 4096, 100_000]) {
    const order = new RowOrder(1_000_003, d, 1);
    expect(order.groupRows % BLOCK_ROWS).toBe(0);
    if (d < 100_000) expect(order.groupRows * d * 4).toBeLessThanOrEqual(32 * 2 ** 20);
    const last = order.rowsOf(0, order.groups - 1);
    expect(last).toBeGreaterThan(order.groups > 100 ? 0 : order.groupRows / 2);
  }
});

it('depends on seed and epoch, and on nothing else', () => {
  const rows = visit(new RowOrder(1000, 2 ** 15, 5), 0, 2000);
  expect(visit(new RowOrder(1000, 2 ** 15, 5), 1500, 100)).toEqual(rows.slice(1500, 1600));
  expect(rows.slice(0, 1000)).not.toEqual(rows.slice(1000));
  expect(visit(new RowOrder(1000, 2 ** 15, 6), 0, 1000)).not.toEqual(rows.slice(0, 1000));
});

it('a batch mixes places of the whole corpus', () => {
  const order = new RowOrder(400_000, 192, 1);
  const blocks = new Set(visit(order, 0, 2048).map((row) => Math.floor(row / BLOCK_ROWS)));
  expect(blocks.size).toBeGreaterThan(500);
});

it('refuses an empty range', () => expect(() => new RowOrder(0, 4, 1)).toThrow(RangeError));
