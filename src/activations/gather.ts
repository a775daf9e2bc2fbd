/** The inner loop of a batch: picks rows of a group, widens them to float32 and normalises them in one pass. */
import { f16ToF32Table, type StorageDtype } from '../core/floats.ts';
import type { Group } from './group-cache.ts';
import { normalizeRow, type Normalization } from './normalization.ts';

/**
 * Visits rows [offset, offset + count) of the group's order and writes them to rows [at, at + count) of `out`.
 * @param out [rows, d]
 */
export function gatherRows(
  dtype: StorageDtype,
  { bytes, within }: Group,
  offset: number,
  count: number,
  normalization: Normalization,
  d: number,
  out: Float32Array,
  at: number,
): void {
  // One factor for all rows is applied while widening; the other kinds need the whole row first.
  const factor = normalization.kind === 'scalar' ? normalization.factor : 1;
  const widen = WIDEN[dtype];
  const stored =
    dtype === 'F32'
      ? new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
      : new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
  for (let i = 0; i < count; i++) {
    const to = (at + i) * d;
    widen(stored, within.at(offset + i) * d, out, to, d, factor);
    if (normalization.kind === 'unit' || normalization.kind === 'layer-norm') normalizeRow(normalization, out, to, d);
  }
}

type Widen = (
  stored: Uint16Array | Float32Array,
  from: number,
  out: Float32Array,
  to: number,
  d: number,
  factor: number,
) => void;

const WIDEN: Record<StorageDtype, Widen> = {
  F16(stored, from, out, to, d, factor) {
    const table = f16ToF32Table();
    for (let j = 0; j < d; j++) out[to + j] = table[stored[from + j]] * factor;
  },
  BF16(stored, from, out, to, d, factor) {
    const bits = new Uint32Array(out.buffer, out.byteOffset + 4 * to, d);
    for (let j = 0; j < d; j++) bits[j] = stored[from + j] << 16;
    if (factor !== 1) for (let j = 0; j < d; j++) out[to + j] *= factor;
  },
  F32(stored, from, out, to, d, factor) {
    for (let j = 0; j < d; j++) out[to + j] = stored[from + j] * factor;
  },
};
