/** Composition (Tree SAE, methods 5.5): how much of a decoder row another one already holds. Block by block: never F² numbers. */
import { normalizeRows } from '../../core/rows.ts';
import type { Device, Tensor } from '../../engine/device.ts';
import { Bootstrap, insufficient, type Metric } from '../metric.ts';
import { MIN_ITEMS } from './rules.ts';

/** Decoder rows that are compared with all others at once. */
const BLOCK = 1024;
/** Added to cosines, because the encoder selects among positive scores. */
const LIFT = 2;

/** @param dictionary `[F, d]`; rows of zeros are left out */
export async function compositionMetric(
  device: Device,
  dictionary: Float32Array,
  d: number,
  seed: number,
): Promise<Metric> {
  const cosines = (await nearestOther(device, dictionary, d)).filter((cosine) => !Number.isNaN(cosine));
  const meaning = {
    n: cosines.length,
    unit: 'mean over latents',
    definition: 'mean over all latents of max_{j ≠ i} cos(d_i, d_j), decoder rows (Tree SAE’s composition)',
  };
  if (cosines.length < MIN_ITEMS) return insufficient(`${cosines.length} latents; ${MIN_ITEMS} are needed`, meaning);
  const units = { count: cosines.length, label: 'latents' };
  const ones = new Float64Array(cosines.length).fill(1);
  const { replicates: _, ...measured } = new Bootstrap(units, seed).ratio(cosines, ones, meaning);
  return measured;
}

/** `[F]` largest cosine with another row; NaN for rows of zeros and where there is no other. */
export async function nearestOther(device: Device, dictionary: Float32Array, d: number): Promise<Float64Array> {
  const rows = dictionary.slice();
  normalizeRows(rows, d);
  const isNothing = (i: number): boolean => rows.subarray(i * d, (i + 1) * d).every((value) => value === 0);
  const places = Int32Array.from({ length: rows.length / d }, (_, i) => i).filter((i) => !isNothing(i));
  const count = places.length;
  const nearest = new Float64Array(rows.length / d).fill(NaN);
  if (count < 2) return nearest;
  const all = device.persistent('f32', count, d);
  const lift = device.persistent('f32', count);
  const kept = new Float32Array(count * d);
  places.forEach((i, at) => kept.set(rows.subarray(i * d, (i + 1) * d), at * d));
  device.write(all, kept);
  device.write(lift, new Float32Array(count).fill(LIFT));
  try {
    for (let start = 0; start < count; start += BLOCK) {
      const size = Math.min(BLOCK, count - start);
      device.beginStep();
      const x = device.scratch('f32', size, d);
      device.write(x, kept.subarray(start * d, (start + size) * d));
      const codes = device.scratchCodes(size, count, 2);
      device.kernels.encodeTop(codes, x, all, lift, LIFT / 4);
      const index = await device.read(codes.index as Tensor & { dtype: 'u32' });
      const value = await device.read(codes.value as Tensor & { dtype: 'f32' });
      for (let r = 0; r < size; r++) {
        // The row itself is one of the two nearest, unless there are several like it.
        const others = [2 * r, 2 * r + 1].filter((e) => index[e] !== start + r);
        nearest[places[start + r]] = Math.max(...others.map((e) => value[e] - LIFT));
      }
    }
  } finally {
    device.release(all);
    device.release(lift);
  }
  return nearest;
}
