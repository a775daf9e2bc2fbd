import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codesFromDense, sliceRows } from '../../../src/core/codes.ts';
import { DocumentFirings } from '../../../src/evals/core/document-firings.ts';
import { Bootstrap } from '../../../src/evals/metric.ts';
import { documentUnits } from '../../../src/evals/units.ts';

const WIDTH = 3;

const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);

describe('firings per document', () => {
  it('are counted once per row and per document, however the rows come', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.array(fc.array(fc.constantFrom(0, 0, 1, 2), { minLength: WIDTH, maxLength: WIDTH }), {
            minLength: 1,
            maxLength: 5,
          }),
          { minLength: 1, maxLength: 6 },
        ),
        fc.integer({ min: 1, max: 7 }),
        (documents, batch) => {
          const doc = Int32Array.from(documents.flatMap((rows, i) => rows.map(() => i)));
          const units = documentUnits(doc);
          const codes = codesFromDense(documents.flat(2), doc.length, WIDTH);
          const firings = new DocumentFirings(units, WIDTH);
          for (let start = 0; start < doc.length; start += batch) {
            const end = Math.min(doc.length, start + batch);
            firings.add(start, sliceRows(codes, start, end), doc.subarray(start, end));
          }
          const rowsOf = (latent: number): number[] =>
            documents.map((rows) => rows.filter((row) => row[latent] > 0).length).filter((count) => count > 0);
          const all = [0, 1, 2].map(rowsOf);
          expect([...firings.perLatent()]).toEqual(all.map((rows) => sum(rows) / rows.length));
          const { firings_per_document: metric } = firings.metrics(new Bootstrap(units, 0));
          expect(metric.value ?? NaN).toBe(sum(all.flat()) / all.flat().length);
        },
      ),
      { numRuns: 30 },
    );
  });
});
