/** The inner loop of a batch: picks rows of a group and widens them to float32. */
import { f16ToF32Table, type StorageDtype } from '../core/floats.ts';
import type { Group } from './group-cache.ts';

/**
 * Visits rows [offset, offset + count) of the group's order and writes them to rows [at, at + count) of `out`.
 * @param out [rows, d]
 */
export function gatherRows(
  dtype: StorageDtype,
  { bytes, within }: Group,
  offset: number,
  count: number,
  d: number,
  out: Float32Array,
  at: number,
): void {
  const widen = WIDEN[dtype];
  const stored =
    dtype === 'F32'
      ? new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
      : new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
  for (let i = 0; i < count; i++) widen(stored, within.at(offset + i) * d, out, (at + i) * d, d);
}

type Widen = (stored: Uint16Array | Float32Array, from: number, out: Float32Array, to: number, d: number) => void;

const WIDEN: Record<StorageDtype, Widen> = {
  F16(stored, from, out, to, d) {
    const table = f16ToF32Table();
    for (let j = 0; j < d; j++) out[to + j] = table[stored[from + j]];
  },
  BF16(stored, from, out, to, d) {
    const bits = new Uint32Array(out.buffer, out.byteOffset + 4 * to, d);
    for (let j = 0; j < d; j++) bits[j] = stored[from + j] << 16;
  },
  F32(stored, from, out, to, d) {
    for (let j = 0; j < d; j++) out[to + j] = stored[from + j];
  },
};
