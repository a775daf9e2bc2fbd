/** What siblings would share if they fired independently of each other where their parent does. */
import { describe, expect, it } from 'vitest';
import { overlapInParent } from '../../src/claims/tree-sae/sibling-chance.ts';
import { Firings } from '../../src/forest/firings.ts';
import { Forest } from '../../src/forest/forest.ts';

/** A parent that is active in the first 200 of 400 rows, and two children. */
function overlap(
  first: (row: number) => boolean,
  second: (row: number) => boolean,
): ReturnType<typeof overlapInParent> {
  const rows = Array.from({ length: 400 }, (_, row) =>
    row < 200 ? [0, ...(first(row) ? [1] : []), ...(second(row) ? [2] : [])] : [],
  );
  const index = Uint32Array.from(rows.flat());
  const rowPtr = new Uint32Array(rows.length + 1);
  rows.forEach((latents, row) => {
    rowPtr[row + 1] = rowPtr[row] + latents.length;
  });
  const firings = new Firings(3);
  firings.add({ rows: rows.length, width: 3, rowPtr, index, value: new Float32Array(index.length).fill(1) });
  return overlapInParent(new Forest(Int32Array.from([-1, 0, 0])), firings, 0);
}

describe('siblings within their parent', () => {
  it('that fire independently share what is expected', () => {
    const { seen, independent } = overlap(
      (row) => row % 2 === 0,
      (row) => row % 4 < 2,
    );
    // 100 rows each, 50 of them shared.
    expect(seen).toBeCloseTo(50 / 150, 12);
    expect(independent).toBeCloseTo(50 / 150, 12);
  });

  it('that take turns share less', () => {
    const { seen, independent } = overlap(
      (row) => row % 2 === 0,
      (row) => row % 2 === 1,
    );
    expect(seen).toBe(0);
    expect(independent).toBeCloseTo(50 / 150, 12);
  });

  it('are not judged where they hardly fire', () => {
    const { seen, independent } = overlap(
      (row) => row === 1,
      (row) => row % 2 === 1,
    );
    expect([seen, independent]).toEqual([NaN, NaN]);
  });
});
