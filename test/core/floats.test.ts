import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeFloats,
  encodeFloats,
  f16ToF32Table,
  f32ToBf16,
  f32ToF16,
  MAX_BF16,
  MAX_F16,
  nextFloat,
} from '../../src/core/floats.ts';

/** Nearest value of the sorted finite half-precision values, ties to the even code. */
function nearestHalf(value: number): number {
  const table = f16ToF32Table();
  const magnitude = Math.abs(value);
  let low = 0;
  let high = 0x7bff;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (table[middle] <= magnitude) low = middle;
    else high = middle - 1;
  }
  const next = low === 0x7bff ? 65536 : table[low + 1];
  const below = magnitude - table[low];
  const above = next - magnitude;
  const code = below < above || (below === above && low % 2 === 0) ? low : low + 1;
  return (Object.is(value, -0) || value < 0 ? 0x8000 : 0) | code;
}

describe('binary16', () => {
  it('every code survives a round trip', () => {
    const table = f16ToF32Table();
    for (let code = 0; code < 65536; code++) {
      const nan = (code & 0x7c00) === 0x7c00 && (code & 0x3ff) !== 0;
      expect(Number.isNaN(table[code])).toBe(nan);
      if (!nan) expect(f32ToF16(table[code])).toBe(code);
    }
  });

  it('rounds to nearest even', () => {
    const value = fc.oneof(
      fc.float({ noNaN: true, min: -65535, max: 65535 }),
      fc.float({ noNaN: true, min: Math.fround(-1e-4), max: Math.fround(1e-4) }),
      fc.nat(0x7bfe).map((code) => (f16ToF32Table()[code] + f16ToF32Table()[code + 1]) / 2),
    );
    fc.assert(
      fc.property(value, (x) => f32ToF16(x) === nearestHalf(x)),
      { numRuns: 2000 },
    );
  });

  it('known values', () => {
    expect(f32ToF16(MAX_F16)).toBe(0x7bff);
    expect(f32ToF16(65519)).toBe(0x7bff);
    expect(f32ToF16(65520)).toBe(0x7c00);
    expect(f32ToF16(-Infinity)).toBe(0xfc00);
    expect(f32ToF16(NaN)).toBe(0x7e00);
    expect(f32ToF16(2 ** -25)).toBe(0);
    expect(f32ToF16(2 ** -24)).toBe(1);
    expect(f32ToF16(-0)).toBe(0x8000);
  });
});

describe('encoding', () => {
  it('of many values is that of each', () => {
    const special = [
      0,
      -0,
      NaN,
      Infinity,
      -Infinity,
      MAX_F16,
      65519,
      65520,
      -65520,
      2 ** -14,
      -(2 ** -25),
      MAX_BF16,
      3.4e38,
    ];
    const anyValue = fc.oneof(fc.float(), fc.float({ min: -1, max: 1 }), fc.constantFrom(...special));
    fc.assert(
      fc.property(fc.array(anyValue), (list) => {
        const values = Float32Array.from(list);
        const encoded = (dtype: 'F16' | 'BF16'): number[] => [...new Uint16Array(encodeFloats(dtype, values).buffer)];
        expect(encoded('F16')).toEqual([...values].map(f32ToF16));
        expect(encoded('BF16')).toEqual([...values].map(f32ToBf16));
      }),
      { numRuns: 500 },
    );
  });
});

describe('bfloat16', () => {
  it('rounds to nearest even', () => {
    expect(f32ToBf16(1)).toBe(0x3f80);
    expect(f32ToBf16(1 + 2 ** -8)).toBe(0x3f80);
    expect(f32ToBf16(1 + 3 * 2 ** -8)).toBe(0x3f82);
    expect(f32ToBf16(Infinity)).toBe(0x7f80);
    expect(f32ToBf16(MAX_BF16)).toBe(0x7f7f);
    expect(f32ToBf16(3.4e38)).toBe(0x7f80);
    expect(f32ToBf16(NaN) & 0x7fff).toBeGreaterThan(0x7f80);
  });

  it('every code survives a round trip', () => {
    const codes = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const values = new Float32Array(65536);
    decodeFloats('BF16', new Uint8Array(codes.buffer), 0, 65536, values);
    for (let code = 0; code < 65536; code++) {
      if (!Number.isNaN(values[code])) expect(f32ToBf16(values[code])).toBe(code);
    }
  });
});

it('decodes a part at an offset', () => {
  for (const dtype of ['F32', 'F16', 'BF16'] as const) {
    const bytes = encodeFloats(dtype, Float32Array.of(1, 2, 3, 4));
    const out = new Float32Array(4);
    decodeFloats(dtype, bytes, bytes.length / 4, 2, out, 1);
    expect([...out]).toEqual([0, 2, 3, 0]);
  }
});

it('nextFloat: no float32 lies between', () => {
  expect(nextFloat(0)).toBe(2 ** -149);
  expect(nextFloat(1)).toBe(1 + 2 ** -23);
  fc.assert(
    fc.property(fc.float({ min: 0, max: 2 ** 99, noNaN: true }), (value) => {
      const next = nextFloat(value);
      expect(next).toBeGreaterThan(value);
      const middle = Math.fround((value + next) / 2);
      expect(middle === Math.fround(value) || middle === next).toBe(true);
    }),
  );
});
