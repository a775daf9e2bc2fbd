/** Half-precision storage: IEEE binary16 (F16) and bfloat16 (BF16) to and from float32. */

export type StorageDtype = 'F32' | 'F16' | 'BF16';

export const BYTES_PER_ELEMENT: Record<StorageDtype, number> = { F32: 4, F16: 2, BF16: 2 };

/** Largest finite binary16 value; larger magnitudes cannot be stored as F16. */
export const MAX_F16 = 65504;

/** Largest finite bfloat16 value. */
export const MAX_BF16 = 0xff * 2 ** 120;

let f16Table: Float32Array | undefined;

/** All 65 536 binary16 values as float32 (256 KiB, built on first use): conversion is a table look-up. */
export function f16ToF32Table(): Float32Array {
  if (f16Table) return f16Table;
  const table = new Float32Array(65536);
  for (let h = 0; h < 65536; h++) {
    const sign = h & 0x8000 ? -1 : 1;
    const exponent = (h >> 10) & 31;
    const fraction = h & 1023;
    if (exponent === 0) table[h] = sign * fraction * 2 ** -24;
    else if (exponent === 31) table[h] = fraction ? NaN : sign * Infinity;
    else table[h] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return (f16Table = table);
}

const scratch = new Float32Array(1);
const scratchBits = new Uint32Array(scratch.buffer);

/** Nearest binary16 bits (ties to even); magnitudes above {@link MAX_F16} become infinite. */
export function f32ToF16(value: number): number {
  scratch[0] = value;
  const bits = scratchBits[0];
  const sign = (bits >>> 16) & 0x8000;
  const rest = bits & 0x7fffffff;
  if (rest > 0x7f800000) return sign | 0x7e00;
  if (rest >= 0x477ff000) return sign | 0x7c00;
  if (rest < 0x38800000) {
    // Subnormal: adding 0.5 aligns the fraction so that the FPU rounds it to nearest even.
    scratch[0] = Math.abs(value) + 0.5;
    return sign | (scratchBits[0] - 0x3f000000);
  }
  return sign | ((rest + 0xc8000fff + ((rest >>> 13) & 1)) >>> 13);
}

/** Nearest bfloat16 bits (ties to even). */
export function f32ToBf16(value: number): number {
  scratch[0] = value;
  const bits = scratchBits[0];
  if ((bits & 0x7fffffff) > 0x7f800000) return ((bits >>> 16) | 0x40) & 0xffff;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/**
 * Decodes `count` stored values into `out` at `outOffset`.
 * @param bytes little-endian values of `dtype`, 2- or 4-byte aligned at `byteOffset`
 */
export function decodeFloats(
  dtype: StorageDtype,
  bytes: Uint8Array,
  byteOffset: number,
  count: number,
  out: Float32Array,
  outOffset = 0,
): void {
  const start = bytes.byteOffset + byteOffset;
  if (dtype === 'F32') {
    out.set(new Float32Array(bytes.buffer, start, count), outOffset);
    return;
  }
  const halves = new Uint16Array(bytes.buffer, start, count);
  if (dtype === 'F16') {
    const table = f16ToF32Table();
    for (let i = 0; i < count; i++) out[outOffset + i] = table[halves[i]];
  } else {
    const bits = new Uint32Array(out.buffer, out.byteOffset + 4 * outOffset, count);
    for (let i = 0; i < count; i++) bits[i] = halves[i] << 16;
  }
}

/** Encodes float32 values as stored bytes of `dtype`. */
export function encodeFloats(dtype: StorageDtype, values: Float32Array): Uint8Array {
  if (dtype === 'F32') return new Uint8Array(values.slice().buffer);
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  const halves = dtype === 'F16' ? encodeF16(values, bits) : encodeBf16(values, bits);
  return new Uint8Array(halves.buffer);
}

/** The usual case in line: twice as fast as {@link f32ToF16} for every value. */
function encodeF16(values: Float32Array, bits: Int32Array): Uint16Array {
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const rest = bits[i] & 0x7fffffff;
    const isNormal = rest >= 0x38800000 && rest < 0x477ff000;
    halves[i] = isNormal
      ? ((bits[i] >>> 16) & 0x8000) | ((rest - 0x37fff001 + ((rest >>> 13) & 1)) >>> 13)
      : f32ToF16(values[i]);
  }
  return halves;
}

function encodeBf16(values: Float32Array, bits: Int32Array): Uint16Array {
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const isNumber = (bits[i] & 0x7fffffff) <= 0x7f800000;
    halves[i] = isNumber ? (bits[i] + 0x7fff + ((bits[i] >>> 16) & 1)) >>> 16 : f32ToBf16(values[i]);
  }
  return halves;
}

/** The next larger float32 of a number ≥ 0: "strictly above" as "at least". */
export function nextFloat(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer);
  bits[0]++;
  return new Float32Array(bits.buffer)[0];
}
