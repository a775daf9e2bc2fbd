/**
 * Resampling of dead latents (Anthropic, "Towards Monosemanticity"; dictionary_learning's StandardTrainer, methods 9.1): a
 * latent starts anew at an input that is reconstructed badly.
 *
 *   decoder row := x / ‖x‖,   encoder row := s · 0.2 · (mean norm of the encoder rows of other latents),   b_enc := 0
 *
 * with s = x in dictionary_learning's code ('release') and s = x / ‖x‖ in Anthropic's recipe. Adam's moments of all three
 * become 0. Between steps, on the host: it happens rarely.
 */
import type { Random } from '../../core/random.ts';
import type { Device, Tensor } from '../../engine/device.ts';
import { decode } from '../../engine/ops/decode.ts';
import { Tape } from '../../engine/tape.ts';
import type { Maintenance, Sae } from '../architecture.ts';

export type ResamplingRecipe = 'release' | 'anthropic';

/** Weights [F, d] and bias [F] of the latents; the names of the parameters are those of the fields. */
export interface FlatWeights {
  W_enc: Tensor;
  b_enc: Tensor;
  W_dec: Tensor;
}

/** Norm of a new encoder row (or of what multiplies x), relative to the mean of the others. */
const ENCODER_SHARE = 0.2;

/** ‖x_r − x̂_r‖ of every row, by the weights as they stand now; 0 for inputs of 0, which no latent can start at. */
export async function reconstructionErrors(device: Device, sae: Sae, x: Tensor): Promise<Float64Array> {
  const tape = new Tape(device);
  const estimate = decode(tape, sae.encode(tape, x), sae.dictionary(tape), sae.outputBias);
  const squares = device.scratch('f64', x.shape[0]);
  device.kernels.squaredDifference(device.scratch('f32', ...x.shape), squares, x, estimate);
  const sizes = device.scratch('f64', x.shape[0]);
  device.kernels.squaredDifference(device.scratch('f32', ...x.shape), sizes, x, null);
  const norms = await device.read(sizes as Tensor & { dtype: 'f64' });
  return (await device.read(squares as Tensor & { dtype: 'f64' })).map((square, r) =>
    norms[r] === 0 ? 0 : Math.sqrt(square),
  );
}

/**
 * At most `count` rows, without replacement, with probability ∝ weight at every draw, in the order of the draws; rows of
 * weight 0 are never drawn. The k smallest of −ln(u)/weight are such a sample (Efraimidis & Spirakis 2006).
 */
export function drawRows(weights: ArrayLike<number>, count: number, random: Random): number[] {
  const arrival = Array.from(weights, (weight) => -Math.log(1 - random.uniform()) / weight);
  const rows = [...arrival.keys()].filter((row) => arrival[row] < Infinity);
  return rows.sort((a, b) => arrival[a] - arrival[b] || a - b).slice(0, count);
}

/**
 * Lets latent `latents[i]` start at the i-th row of `vectors` [n, d]; latents beyond n stay as they are, but count as dead where
 * the norm of the others is taken.
 */
export async function restartLatents(
  device: Device,
  { W_enc, b_enc, W_dec }: FlatWeights,
  latents: readonly number[],
  vectors: Float32Array,
  recipe: ResamplingRecipe,
  clearMoments: Maintenance['clearMoments'],
): Promise<void> {
  const [width, d] = W_enc.shape;
  const restarted = latents.slice(0, vectors.length / d);
  const encoder = await device.read(W_enc as Tensor & { dtype: 'f32' });
  const scale = ENCODER_SHARE * meanNorm(encoder, width, d, new Set(latents));
  for (const [i, latent] of restarted.entries()) {
    const vector = vectors.subarray(i * d, (i + 1) * d);
    const norm = normOf(vector);
    // An input of zeros has no direction: its latent stays as it is.
    if (norm === 0) continue;
    const unit = vector.map((value) => value / norm);
    device.write(W_dec, unit, latent * d);
    device.write(
      W_enc,
      (recipe === 'release' ? vector : unit).map((value) => scale * value),
      latent * d,
    );
    device.write(b_enc, [0], latent);
  }
  for (const name of ['W_enc', 'b_enc', 'W_dec']) clearMoments(name, restarted);
}

/** Rows of x [B, d], one after the other. */
export async function gatherRows(device: Device, x: Tensor, rows: readonly number[]): Promise<Float32Array> {
  const d = x.shape[1];
  const all = await device.read(x as Tensor & { dtype: 'f32' });
  const out = new Float32Array(rows.length * d);
  for (const [i, row] of rows.entries()) out.set(all.subarray(row * d, (row + 1) * d), i * d);
  return out;
}

/** Mean norm of the rows that are not among `without`; 1 if there are none. */
function meanNorm(matrix: Float32Array, rows: number, cols: number, without: ReadonlySet<number>): number {
  let total = 0;
  for (let r = 0; r < rows; r++) if (!without.has(r)) total += normOf(matrix.subarray(r * cols, (r + 1) * cols));
  return without.size < rows ? total / (rows - without.size) : 1;
}

function normOf(vector: Float32Array): number {
  let square = 0;
  for (const value of vector) square += value * value;
  return Math.sqrt(square);
}
