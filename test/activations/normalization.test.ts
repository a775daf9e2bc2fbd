import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/errors.ts';
import {
  denormalize,
  fitNormalization,
  normalizationSchema,
  normalize,
  NORMALIZATIONS,
} from '../../src/activations/normalization.ts';

const raw = Float32Array.of(3, 4, 0, 0, 1, 2, 3, 6);

describe('normalize', () => {
  it('none leaves rows alone', () => {
    const rows = raw.slice();
    normalize({ kind: 'none' }, rows, 4);
    expect(rows).toEqual(raw);
  });

  it('scalar makes the mean norm √d', () => {
    const rows = raw.slice();
    const meanNorm = (5 + Math.sqrt(50)) / 2;
    const fitted = fitNormalization('scalar', 4, meanNorm);
    normalize(fitted, rows, 4);
    expect((Math.hypot(...rows.subarray(0, 4)) + Math.hypot(...rows.subarray(4))) / 2).toBeCloseTo(2, 5);
  });

  it('unit divides by the norm + 1e-6', () => {
    const rows = raw.slice();
    normalize({ kind: 'unit' }, rows, 4);
    expect(rows[0]).toBeCloseTo(3 / (5 + 1e-6), 7);
    expect(Math.hypot(...rows.subarray(4))).toBeCloseTo(1, 5);
    const zero = new Float32Array(4);
    normalize({ kind: 'unit' }, zero, 4);
    expect([...zero]).toEqual([0, 0, 0, 0]);
  });

  it('layer-norm takes the unbiased deviation of each row', () => {
    const rows = raw.slice();
    normalize({ kind: 'layer-norm' }, rows, 4);
    // Row 1 2 3 6: mean 3, Σ(x − 3)² = 14, σ² = 14/3.
    const sigma = Math.sqrt(14 / 3);
    expect(rows[4]).toBeCloseTo(-2 / (sigma + 1e-5), 6);
    expect(rows[7]).toBeCloseTo(3 / (sigma + 1e-5), 6);
    const constant = Float32Array.of(2, 2, 2, 2);
    normalize({ kind: 'layer-norm' }, constant, 4);
    expect([...constant]).toEqual([0, 0, 0, 0]);
  });
});

describe('denormalize', () => {
  it('is the way back for perfect reconstructions', () => {
    const value = fc.float({ min: -100, max: 100, noNaN: true });
    fc.assert(
      fc.property(fc.array(value, { minLength: 12, maxLength: 12 }), fc.constantFrom(...NORMALIZATIONS), (xs, kind) => {
        const rows = Float32Array.from(xs);
        const normalization = fitNormalization(kind, 4, 3);
        const there = rows.slice();
        normalize(normalization, there, 4);
        denormalize(normalization, there, rows, 4);
        // layer-norm divides by σ + 1e-5 and multiplies by σ.
        rows.forEach((x, i) => expect(Math.abs(there[i] - x)).toBeLessThan(2e-4));
      }),
    );
  });

  it('layer-norm multiplies by σ, not σ + 1e-5', () => {
    const xs = Float32Array.of(1e-5, -1e-5);
    const hat = Float32Array.of(1, 1);
    denormalize({ kind: 'layer-norm' }, hat, xs, 2);
    expect(hat[0]).toBeCloseTo(Math.SQRT2 * 1e-5, 9);
  });
});

describe('fitting', () => {
  it('refuses data that cannot be scaled', () => {
    for (const norm of [0, NaN, Infinity]) expect(() => fitNormalization('scalar', 4, norm)).toThrow(InputError);
    expect(() => fitNormalization('layer-norm', 1, 1)).toThrow(InputError);
  });

  it('is JSON', () => {
    for (const kind of NORMALIZATIONS) {
      const fitted = fitNormalization(kind, 8, 1.7);
      expect(normalizationSchema.parse(JSON.parse(JSON.stringify(fitted)))).toEqual(fitted);
    }
    expect(normalizationSchema.safeParse({ kind: 'scalar', factor: 0 }).success).toBe(false);
  });
});
