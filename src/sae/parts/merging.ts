/**
 * Merging of near-duplicate latents (methods 3.1 eq. 7, 3.4): of two latents whose decoder rows are almost parallel the first
 * takes the mean encoder row and bias and the direction of the sum of both decoder rows; the second is free to start anew.
 */
import { nextFloat } from '../../core/floats.ts';
import { readCodes, type Device, type Tensor } from '../../engine/device.ts';
import { encodeAtLeast } from '../../engine/ops/encode.ts';
import { Tape } from '../../engine/tape.ts';
import type { Maintenance } from '../architecture.ts';
import { normalizeRows } from './initial.ts';
import type { FlatWeights } from './resampling.ts';

/** Two latents, the lower one first. */
export type LatentPair = readonly [number, number];

/** Pairs of unit rows of W [F, d] with a cosine above a bound > 0, in lexicographic order; the F × F cosines are never kept. */
export async function similarRows(device: Device, W: Tensor, above: number): Promise<LatentPair[]> {
  const encoder = { W, bias: null, center: null, floor: nextFloat(above) };
  const { rows, rowPtr, index } = await readCodes(device, encodeAtLeast(new Tape(device), W, encoder));
  const pairs: LatentPair[] = [];
  for (let i = 0; i < rows; i++) {
    for (let e = rowPtr[i]; e < rowPtr[i + 1]; e++) if (index[e] > i) pairs.push([i, index[e]]);
  }
  return pairs;
}

/** The pairs to merge: one after the other, each latent at most once. */
export function disjointPairs(candidates: readonly LatentPair[]): LatentPair[] {
  const taken = new Set<number>();
  return candidates.filter(([i, j]) => {
    if (taken.has(i) || taken.has(j)) return false;
    taken.add(i).add(j);
    return true;
  });
}

/** Merges the second latent of each pair into the first, whose moments become 0; the second keeps its weights. */
export async function mergeLatents(
  device: Device,
  { W_enc, b_enc, W_dec }: FlatWeights,
  pairs: readonly LatentPair[],
  clearMoments: Maintenance['clearMoments'],
): Promise<void> {
  const d = W_enc.shape[1];
  for (const [i, j] of pairs) {
    device.write(W_enc, await meanOf(device, W_enc, i, j, d), i * d);
    device.write(b_enc, await meanOf(device, b_enc, i, j, 1), i);
    const direction = await meanOf(device, W_dec, i, j, d);
    normalizeRows(direction, d);
    device.write(W_dec, direction, i * d);
  }
  const kept = pairs.map(([i]) => i);
  for (const name of ['W_enc', 'b_enc', 'W_dec']) clearMoments(name, kept);
}

async function meanOf(device: Device, matrix: Tensor, i: number, j: number, cols: number): Promise<Float32Array> {
  const read = (row: number): Promise<Float32Array> =>
    device.read(matrix as Tensor & { dtype: 'f32' }, row * cols, cols);
  const [first, second] = [await read(i), await read(j)];
  return first.map((value, p) => (value + second[p]) / 2);
}
