/**
 * Encoder ops: one dense product, then a selection; the scores themselves are never kept.
 *
 *   z = W (x − center) + bias, floored: z where z ≥ floor, else 0
 *
 * x [B, d], center [d], W [F, d], bias [F]. Selection is constant under differentiation; for an active entry (value ≠ 0)
 *   ∂W_i = Σ_b ∂z_bi (x_b − center),  ∂bias_i = Σ_b ∂z_bi,  ∂center = −Σ_i (Σ_b ∂z_bi) W_i
 * each sum over b in ascending order. No gradient flows to x. Codes of a tier below may add to z: see composition.ts.
 */
import type { Codes, LatentSet, Tensor } from '../device.ts';
import type { Tape } from '../tape.ts';
import { compositionGradients, type Composition } from './composition.ts';

export interface Encoder {
  W: Tensor;
  /** [F]; null = none */
  bias: Tensor | null;
  /** [d]; null = none */
  center: Tensor | null;
  /** Scores below are 0; positive (`RELU` for a rectifier). */
  floor: number;
  /** What the codes of the tier below add to the scores; made with the same bias. */
  composition?: Composition;
}

/** Floor of a plain rectifier: the smallest positive float32. */
export const RELU = 2 ** -149;

/** The k largest scores of each row; ties go to the lowest latent, missing ones are filled with 0 from latent 0 upwards. */
export function encodeTop(tape: Tape, x: Tensor, encoder: Encoder, k: number): Codes {
  const { device } = tape;
  const codes = device.scratchCodes(x.shape[0], encoder.W.shape[0], k);
  const input = centered(tape, x, encoder);
  device.kernels.encodeTop(codes, input, encoder.W, biasOf(encoder), encoder.floor);
  recordEncoder(tape, codes, input, encoder);
  return codes;
}

/** The k largest scores of each row among the latents of a set (fewer if the set is smaller); only these are scored. */
export function encodeTopAmong(tape: Tape, x: Tensor, encoder: Encoder, k: number, among: LatentSet): Codes {
  const { device } = tape;
  const codes = device.scratchCodes(x.shape[0], encoder.W.shape[0]);
  const input = centered(tape, x, encoder);
  device.kernels.encodeTopAmong(codes, input, encoder.W, biasOf(encoder), encoder.floor, k, among);
  recordEncoder(tape, codes, input, encoder);
  return codes;
}

/** Every latent of a set in every row, with its score as it is: the encoder's floor does not count. */
export function encodeAllAmong(tape: Tape, x: Tensor, encoder: Encoder, among: LatentSet): Codes {
  return encodeTopAmong(tape, x, { ...encoder, floor: -Infinity }, encoder.W.shape[0], among);
}

/** The `total` largest scores of the whole batch (BatchTopK), fewer if fewer are ≥ floor; ties go to the lowest row, then latent. */
export function encodeBatchTop(tape: Tape, x: Tensor, encoder: Encoder, total: number): Codes {
  const { device } = tape;
  const codes = device.scratchCodes(x.shape[0], encoder.W.shape[0]);
  const input = centered(tape, x, encoder);
  device.kernels.encodeBatchTop(codes, input, encoder.W, encoder.bias, encoder.floor, total);
  recordEncoder(tape, codes, input, encoder);
  return codes;
}

/** Every score ≥ floor. */
export function encodeAtLeast(tape: Tape, x: Tensor, encoder: Encoder): Codes {
  const { device } = tape;
  const codes = device.scratchCodes(x.shape[0], encoder.W.shape[0]);
  const input = centered(tape, x, encoder);
  device.kernels.encodeAtLeast(codes, input, encoder.W, biasOf(encoder), encoder.floor);
  recordEncoder(tape, codes, input, encoder);
  return codes;
}

/** The bias that the kernels see: a row, or with a composition one row per input. */
const biasOf = ({ bias, composition }: Encoder): Tensor | null => composition?.base ?? bias;

export function centered(tape: Tape, x: Tensor, { center }: Encoder): Tensor {
  if (!center) return x;
  const input = tape.device.scratch('f32', ...x.shape);
  tape.device.kernels.subtractRow(input, x, center);
  return input;
}

export function recordEncoder(
  tape: Tape,
  codes: Codes,
  input: Tensor,
  { W, bias, center, composition }: Encoder,
): void {
  if (!tape.tracks(W, bias, center)) return;
  const { kernels } = tape.device;
  tape.record([codes.value], () => {
    const dValue = tape.gradientOf(codes.value);
    if (!dValue) return;
    const index = tape.latentIndex(codes);
    const dW = tape.slotFor(W);
    if (dW) kernels.latentGradient(dW.tensor, dW.accumulate, codes, index, dValue, input);
    if (composition) compositionGradients(tape, composition, codes, dValue);
    const dBias = tape.slotFor(bias);
    const dCenter = tape.slotFor(center);
    if (!dBias && !dCenter) return;
    // ∂center needs the sums of this op alone, ∂bias may already hold others'.
    const sums = dBias && !dBias.accumulate ? dBias.tensor : tape.device.scratch('f32', codes.width);
    kernels.latentSum(sums, false, codes, index, dValue);
    if (dBias?.accumulate) kernels.scale(dBias.tensor, true, sums, 1);
    if (dCenter) kernels.columnSum(dCenter.tensor, dCenter.accumulate, W, sums, -1);
  });
}
