import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codesFromDense, codesToDense, sliceRows } from '../../../src/core/codes.ts';
import { MeanCodes, MeanRows } from '../../../src/evals/probing/pooling.ts';

const value = fc.constantFrom(0, 0, 0.5, 1, -1, 2);

describe('pooled codes and rows', () => {
  it('are means over the rows of each item, however the rows come', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.array(value, { minLength: 3, maxLength: 3 }), { minLength: 1, maxLength: 4 }), {
          minLength: 1,
          maxLength: 5,
        }),
        fc.integer({ min: 1, max: 6 }),
        (items, batch) => {
          const dense = Float32Array.from(items.flat(2));
          const itemOf = Int32Array.from(items.flatMap((rows, item) => rows.map(() => item)));
          const codes = codesFromDense(dense, itemOf.length, 3);
          const [pooled, rows] = [new MeanCodes(items.length, 3), new MeanRows(items.length, 3)];
          for (let start = 0; start < itemOf.length; start += batch) {
            const end = Math.min(itemOf.length, start + batch);
            pooled.add(itemOf.subarray(start, end), sliceRows(codes, start, end));
            rows.add(itemOf.subarray(start, end), dense.subarray(start * 3, end * 3));
          }
          const expected = items.flatMap((rows) =>
            [0, 1, 2].map((j) => Math.fround(rows.reduce((sum, row) => sum + row[j], 0) / rows.length)),
          );
          expect([...codesToDense(pooled.finish())]).toEqual(expected);
          expect([...rows.finish()]).toEqual(expected);
        },
      ),
    );
  });
});
