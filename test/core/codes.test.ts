import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addFiringCounts,
  codesFromDense,
  codesToDense,
  countFired,
  sliceRows,
  type Codes,
} from '../../src/core/codes.ts';

const dense = fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 1, max: 7 })).chain(([rows, width]) =>
  fc.record({
    rows: fc.constant(rows),
    width: fc.constant(width),
    values: fc.array(fc.constantFrom(0, 0, 1, 2.5, -1), { minLength: rows * width, maxLength: rows * width }),
  }),
);

/** One row of two slots, the second padded with a stored zero. */
const padded: Codes = {
  rows: 1,
  width: 3,
  rowPtr: Int32Array.of(0, 2),
  index: Int32Array.of(2, 0),
  value: Float32Array.of(4, 0),
};

describe('codes', () => {
  it('survive the way from dense and back', () => {
    fc.assert(
      fc.property(dense, ({ rows, width, values }) => {
        expect([...codesToDense(codesFromDense(values, rows, width))]).toEqual(values);
      }),
    );
  });

  it('slice like dense rows, and slices of slices too', () => {
    fc.assert(
      fc.property(dense, ({ rows, width, values }) => {
        const start = Math.floor(rows / 3);
        const outer = sliceRows(codesFromDense(values, rows, width), start, rows);
        expect([...codesToDense(outer)]).toEqual(values.slice(start * width));
        const inner = sliceRows(outer, Math.min(1, outer.rows), outer.rows);
        const first = Math.min(start + 1, rows);
        expect([...codesToDense(inner)]).toEqual(values.slice(first * width));
        expect(countFired(inner)).toBe(values.slice(first * width).filter((v) => v !== 0).length);
      }),
    );
  });

  it('count firings per latent over several batches', () => {
    const counts = new Float64Array(3);
    addFiringCounts(codesFromDense([1, 0, -2, 0, 0, 3], 2, 3), counts);
    addFiringCounts(sliceRows(codesFromDense([1, 0, -2, 0, 0, 3], 2, 3), 1, 2), counts);
    expect([...counts]).toEqual([1, 0, 3]);
  });

  it('do not count stored zeros as fired', () => {
    const counts = new Float64Array(3);
    addFiringCounts(padded, counts);
    expect([...counts]).toEqual([0, 0, 1]);
    expect(countFired(padded)).toBe(1);
    expect([...codesToDense(padded)]).toEqual([0, 0, 4]);
  });

  it('refuse sizes that do not fit', () => {
    expect(() => codesFromDense([1, 2, 3], 2, 2)).toThrow('expected 2 × 2 values, got 3');
    expect(() => sliceRows(padded, 0, 2)).toThrow('rows 0 … 2 of codes with 1 rows');
  });
});
