import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockUnits, documentUnits, DocumentUnits, type RowUnits } from '../../src/evals/units.ts';

const perRow = (units: RowUnits, rows: number): number[] => Array.from({ length: rows }, (_, row) => units.of(row));

/** Documents with lengths from 1 to 5. */
const lengths = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 60 });
const docOf = (of: readonly number[]): number[] =>
  of.flatMap((length, doc) => Array.from({ length }, () => 7 + 2 * doc));

describe('units of rows', () => {
  it('are documents, and groups of neighbouring ones where there are many', () => {
    expect(perRow(documentUnits([3, 3, 5, 9, 9]), 5)).toEqual([0, 0, 1, 2, 2]);
    const many = documentUnits(Array.from({ length: 5002 }, (_, row) => row >> 1));
    expect(many.label).toBe('834 groups of 3 neighbouring held-out documents');
    expect(perRow(many, 5002)).toEqual(Array.from({ length: 5002 }, (_, row) => Math.floor((row >> 1) / 3)));
  });

  it('are the same in whatever pieces the rows come, and in whatever order they are asked for', () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 9 }), fc.nat(), (of, piece, turn) => {
        const doc = docOf(of);
        const units = new DocumentUnits();
        for (let start = 0; start < doc.length; start += piece) units.add(doc.slice(start, start + piece));
        const made = units.finish();
        const expected = doc.map((number) => (number - 7) / 2);
        expect(made.count).toBe(of.length);
        expect([...made.first(doc.length)]).toEqual(expected);
        expect([...made.sizes]).toEqual(of);
        for (let i = 0; i < doc.length; i++) {
          const row = (i * 7919 + turn) % doc.length;
          expect(made.of(row)).toBe(expected[row]);
        }
      }),
    );
  });

  it('are groups of whole steps where more documents come than beginnings are kept', () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 2, max: 8 }), (of, most) => {
        const doc = docOf(of);
        const units = new DocumentUnits(most);
        units.add(doc);
        const made = units.finish();
        let each = 1;
        while (Math.ceil(of.length / each) > most) each *= 2;
        expect(perRow(made, doc.length)).toEqual(doc.map((number) => Math.floor((number - 7) / 2 / each)));
      }),
    );
  });

  it('are blocks of equal size for generated rows', () => {
    const blocks = blockUnits(250);
    expect([blocks.count, [...blocks.sizes]]).toEqual([3, [100, 100, 50]]);
    expect(blockUnits(1_000_001).count).toBe(1000);
    expect(blockUnits(0).count).toBe(0);
  });
});
