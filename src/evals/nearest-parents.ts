/** The most similar latent of another SAE, by encoder or decoder rows: HSAE's baseline of independent SAEs (methods 2.3, 2.5). */
import { InputError } from '../core/errors.ts';
import { readCodes, type Device, type Tensor } from '../engine/device.ts';
import { encodeTop, RELU } from '../engine/ops/encode.ts';
import { Tape } from '../engine/tape.ts';
import type { Nearest } from '../forest/nearest.ts';
import { normalizeRows } from '../sae/parts/initial.ts';
import type { OpenRun } from '../training/runs.ts';
import { dictionaryOf } from './sample-firings.ts';

/** Children that are compared at once. */
const BLOCK = 2048;

/** Which rows are compared. */
export type Direction = 'encoder' | 'decoder';

/**
 * Rows `[F, d]` of all latents.
 * @throws InputError where an architecture has no encoder row for every latent
 */
export async function directionsOf(device: Device, run: OpenRun, which: Direction): Promise<Float32Array> {
  if (which === 'decoder') return dictionaryOf(device, run);
  const { parameters, width, d, architecture } = run.sae;
  const encoder = parameters.find(({ name }) => name === 'W_enc')?.tensor;
  if (encoder?.shape.join() !== `${width},${d}`) {
    throw new InputError(`${architecture} has no encoder row W_enc for every latent`, {
      where: run.folder,
      hint: '--method decoder-cosine',
    });
  }
  return device.read(encoder as Tensor & { dtype: 'f32' });
}

/**
 * The parent with the largest cosine for each child, the lowest latent of equal ones: a top-1 encoder whose weights are the parents.
 * @param children [children, d]; @param parents [parents, d]
 */
export async function nearestParents(
  device: Device,
  children: Float32Array,
  parents: Float32Array,
  d: number,
): Promise<Nearest> {
  const [rows, weights] = [children.slice(), parents.slice()];
  normalizeRows(rows, d);
  normalizeRows(weights, d);
  const W = device.persistent('f32', weights.length / d, d);
  device.write(W, weights);
  const count = rows.length / d;
  const nearest: Nearest = { parent: new Int32Array(count).fill(-1), cosine: new Float32Array(count) };
  for (let from = 0; from < count; from += BLOCK) {
    const block = rows.subarray(from * d, Math.min(count, from + BLOCK) * d);
    device.beginStep();
    const x = device.scratch('f32', block.length / d, d);
    device.write(x, block);
    const codes = encodeTop(new Tape(device), x, { W, bias: null, center: null, floor: RELU }, 1);
    const { index, value } = await readCodes(device, codes);
    for (let i = 0; i < value.length; i++) {
      if (value[i] === 0) continue;
      nearest.parent[from + i] = index[i];
      nearest.cosine[from + i] = value[i];
    }
  }
  device.release(W);
  return nearest;
}
