import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/errors.ts';
import { packTokens, positionsOf } from '../../src/lm/tokens.ts';

describe('packTokens', () => {
  it('pads on the right and masks exactly the padding', () => {
    const sequences = fc.array(fc.int32Array({ min: 0, max: 1000, maxLength: 9 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(sequences, fc.nat(99), (rows, padId) => {
        fc.pre(rows.some((row) => row.length > 0));
        const { n, length, ids, mask } = packTokens(rows, padId);
        expect([n, length]).toEqual([rows.length, Math.max(...rows.map((row) => row.length))]);
        for (const [i, row] of rows.entries()) {
          for (let t = 0; t < length; t++) {
            expect(ids[i * length + t]).toBe(BigInt(t < row.length ? row[t] : padId));
            expect(mask[i * length + t]).toBe(t < row.length ? 1n : 0n);
          }
        }
      }),
    );
  });

  it('refuses a batch without tokens', () => {
    expect(() => packTokens([], 0)).toThrow(InputError);
    expect(() => packTokens([new Int32Array(0)], 0)).toThrow('no tokens');
  });

  it('counts positions per sequence', () => {
    const batch = packTokens([Int32Array.of(5, 6, 7), Int32Array.of(8)], 0);
    expect([...positionsOf(batch)]).toEqual([0n, 1n, 2n, 0n, 1n, 2n]);
  });
});
