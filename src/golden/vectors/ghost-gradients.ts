/** Ghost gradients: the scaled reconstruction by dead latents, the loss and all gradients. */
import { z } from 'zod';
import type { Device, Tensor } from '../../engine/device.ts';
import { decode } from '../../engine/ops/decode.ts';
import { ghostCodes, ghostLoss } from '../../sae/parts/ghost-gradients.ts';
import { Tape } from '../../engine/tape.ts';
import { readJson } from '../fixture.ts';
import type { Report } from '../report.ts';

const vector = z.array(z.number());
const matrix = z.array(vector).min(1);
const schema = z.object({
  x: matrix,
  W_enc: matrix,
  W_dec: matrix,
  b_enc: vector,
  b_dec: vector,
  dead_mask: z.array(z.union([z.literal(0), z.literal(1)])),
  x_hat: matrix,
  ghost_out_scaled: matrix,
  loss: z.number(),
  grads: z.record(z.string(), z.unknown()),
});

const TOLERANCE = { abs: 4e-6 };

export async function runGhostGradients(device: Device, path: string, report: Report): Promise<void> {
  const vectors = readJson(path, schema);
  const { x, x_hat: given, dead_mask: mask } = vectors;
  const [rows, d, width] = [x.length, x[0].length, mask.length];
  device.beginStep();
  const put = (values: readonly number[], ...shape: number[]): Tensor => {
    const tensor = device.scratch('f32', ...shape);
    device.write(tensor, values);
    return tensor;
  };
  const W = put(transpose(vectors.W_enc).flat(), width, d);
  const W_dec = put(vectors.W_dec.flat(), width, d);
  const [bias, center] = [put(vectors.b_enc, width), put(vectors.b_dec, d)];
  const [input, reconstruction] = [put(x.flat(), rows, d), put(given.flat(), rows, d)];
  const dead = mask.flatMap((isDead, i) => (isDead ? [i] : []));
  const set = { list: device.scratch('u32', width), count: device.scratch('u32', 1) };
  device.write(set.list, dead);
  device.write(set.count, [dead.length]);

  const tape = new Tape(device);
  const gradients = { W_enc: like(W), W_dec: like(W_dec), b_enc: like(bias), b_dec: like(center) };
  tape.watch(W, gradients.W_enc);
  tape.watch(W_dec, gradients.W_dec);
  tape.watch(bias, gradients.b_enc);
  tape.watch(center, gradients.b_dec);
  const ghosts = ghostCodes(tape, input, { W, bias, center }, set);
  const output = decode(tape, ghosts, W_dec, null);
  const loss = ghostLoss(tape, ghosts, W_dec, reconstruction, input);
  tape.backward([{ value: loss, weight: 1 }]);

  report.compare('loss', (await device.read(loss))[0], vectors.loss, { rel: 2e-6 });
  const ghost = await read(output);
  const scaled = x.map((row, r) => {
    const own = ghost.subarray(r * d, (r + 1) * d);
    const length = Math.hypot(...row.map((value, i) => value - given[r][i]));
    return [...own].map((value) => (value * length) / (1e-6 + 2 * Math.hypot(...own)));
  });
  report.compare('ghost_out_scaled', scaled.flat(), vectors.ghost_out_scaled.flat(), TOLERANCE);
  for (const [name, stored] of Object.entries(vectors.grads)) {
    const own = gradients[name as keyof typeof gradients];
    const expected = name === 'W_enc' ? transpose(stored as number[][]).flat() : (stored as number[][]).flat();
    if (own) report.compare(`grads.${name}`, await read(own), expected, TOLERANCE);
    else report.skip(`grads.${name}`, 'no parameter of the library');
  }

  function like(tensor: Tensor): Tensor {
    return device.scratch('f32', ...tensor.shape);
  }

  function read(tensor: Tensor): Promise<Float32Array> {
    return device.read(tensor as Tensor & { dtype: 'f32' });
  }
}

function transpose(matrix: readonly (readonly number[])[]): number[][] {
  return matrix[0].map((_, i) => matrix.map((row) => row[i]));
}
