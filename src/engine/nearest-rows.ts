/** For every row the row of another matrix with the largest cosine, by the device's encoder: the n · m cosines are never kept. */
import { normalizeRows } from '../core/rows.ts';
import type { Device, Tensor } from './device.ts';

/** Added to cosines, because the encoder selects among positive scores. */
const LIFT = 2;

/** Rows [n, d] and candidates [m, d]; ties go to the lowest candidate. The queue must be empty. */
export async function nearestRows(
  device: Device,
  rows: Float32Array,
  candidates: Float32Array,
  d: number,
): Promise<{ index: Uint32Array; similarity: Float32Array }> {
  const unit = (values: Float32Array): Tensor => {
    const copy = values.slice();
    normalizeRows(copy, d);
    const tensor = device.scratch('f32', values.length / d, d);
    device.write(tensor, copy);
    return tensor;
  };
  const [x, W] = [unit(rows), unit(candidates)];
  const lift = device.scratch('f32', W.shape[0]);
  device.write(lift, new Float32Array(W.shape[0]).fill(LIFT));
  const codes = device.scratchCodes(x.shape[0], W.shape[0], 1);
  device.kernels.encodeTop(codes, x, W, lift, LIFT / 4);
  const index = await device.read(codes.index as Tensor & { dtype: 'u32' });
  const similarity = (await device.read(codes.value as Tensor & { dtype: 'f32' })).map((value) => value - LIFT);
  return { index, similarity };
}
