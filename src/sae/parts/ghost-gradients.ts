/**
 * Ghost gradients (Anthropic, January 2024; methods 9.1): dead latents, active as exp(z), get a gradient towards the residual
 * of the reconstruction. See engine/ops/ghost-error.ts for the loss; it scores dead latents in a product of their own.
 */
import type { Codes, LatentSet, Tensor } from '../../engine/device.ts';
import type { LatentRange } from '../../engine/kernels.ts';
import { decode } from '../../engine/ops/decode.ts';
import { encodeAllAmong, type Encoder } from '../../engine/ops/encode.ts';
import { exponential } from '../../engine/ops/exponential.ts';
import { ghostError } from '../../engine/ops/ghost-error.ts';
import type { Scalar, Tape } from '../../engine/tape.ts';

/** exp(z) of every dead latent in every row. */
export function ghostCodes(tape: Tape, x: Tensor, encoder: Omit<Encoder, 'floor'>, dead: LatentSet): Codes {
  const scores = encodeAllAmong(tape, x, { ...encoder, floor: -Infinity }, dead);
  return tape.device.withValues(scores, exponential(tape, scores.value, scores));
}

/**
 * The loss of the ghosts in a range of latents (default: all) for a reconstruction of x.
 * @param W_dec [F, d]
 */
export function ghostLoss(
  tape: Tape,
  ghosts: Codes,
  W_dec: Tensor,
  reconstruction: Tensor,
  x: Tensor,
  range?: LatentRange,
): Scalar {
  const output = decode(tape, ghosts, W_dec, null, range ? { range } : {});
  return ghostError(tape, output, reconstruction, x);
}
