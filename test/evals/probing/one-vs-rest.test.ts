import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LEAST, oneVsRest, type LabelledRows } from '../../../src/evals/probing/one-vs-rest.ts';

/** Rows with the labels that `labels` gives them; two of three are for training. */
function task(count: number, labels: (row: number) => readonly string[]): LabelledRows {
  const rows = Array.from({ length: count }, (_, row) => row);
  return {
    name: 'test',
    about: 'labels of a test',
    train: rows.filter((row) => row % 3 > 0),
    test: rows.filter((row) => row % 3 === 0),
    labels,
  };
}

describe('one class against the rest', () => {
  it('has as many rows of the one as of the other, each from its part and with its label', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 100, max: 600 }),
        fc.integer({ min: 2, max: 6 }),
        fc.nat(9),
        (count, classes, seed) => {
          const given = task(count, (row) =>
            row % 11 === 0 ? [] : row % 5 === 0 ? ['0', '1'] : [`${(row * row) % classes}`],
          );
          for (const { name, train, test } of oneVsRest(given, seed)) {
            for (const [part, rows, least] of [
              [train, given.train, LEAST.train],
              [test, given.test, LEAST.test],
            ] as const) {
              const positives = part.labels.filter((label) => label === 1).length;
              expect(2 * positives).toBe(part.labels.length);
              expect(positives).toBeGreaterThanOrEqual(least);
              expect(new Set(part.rows).size).toBe(part.rows.length);
              part.rows.forEach((row, i) => {
                expect(rows).toContain(row);
                expect(given.labels(row).includes(name)).toBe(part.labels[i] === 1);
              });
            }
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('takes the most frequent classes, at most 12, and rows within the limits', () => {
    const given = task(40_000, (row) => [`class ${Math.floor(Math.sqrt(row / 130))}`]);
    const splits = oneVsRest(given, 0);
    // Class c has 130 · (2c + 1) rows, the last one 2430.
    const expected = Array.from({ length: 12 }, (_, i) => `class ${17 - i}`);
    expect(new Set(splits.map(({ name }) => name))).toEqual(new Set(expected));
    const used = (part: 'train' | 'test') => new Set(splits.flatMap((split) => [...split[part].rows])).size;
    expect(used('train')).toBeLessThanOrEqual(4008);
    expect(used('test')).toBeLessThanOrEqual(1008);
  });

  it('is nothing where rows are too few, or where there is no rest', () => {
    expect(
      oneVsRest(
        task(80, (row) => [`${row % 2}`]),
        0,
      ),
    ).toHaveLength(2);
    expect(
      oneVsRest(
        task(50, (row) => [`${row % 2}`]),
        0,
      ),
    ).toEqual([]);
    expect(
      oneVsRest(
        task(600, () => ['all']),
        0,
      ),
    ).toEqual([]);
  });

  it('depends on labels and seed only', () => {
    const given = task(300, (row) => [`${row % 4}`]);
    expect(oneVsRest(given, 3)).toEqual(oneVsRest({ ...given, about: 'the same' }, 3));
    expect(oneVsRest(given, 3)).not.toEqual(oneVsRest(given, 4));
  });
});
