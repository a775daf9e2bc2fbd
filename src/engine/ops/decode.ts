/**
 * Reconstruction from codes: out_b = base + Σ_i value_bi W_i, W [F, d], base one row [d], a matrix [B, d] or null.
 *
 * With values of `block` numbers per entry, W has `block` rows per latent (see experts.ts). With a `range` only latents
 * from ≤ i < to take part: cumulative reconstructions are chains of ranges, each with the one before as its base.
 * Gradients: ∂value_bi = W_i · ∂out_b where the mask is not 0, by default where value_bi ≠ 0 (block = 1), always (block > 1);
 * ∂W_i = Σ_b value_bi ∂out_b (b ascending); ∂base = ∂out, summed over b for one row. Entries are added in ascending order.
 */
import type { Codes, Tensor } from '../device.ts';
import type { GradientTarget, LatentRange } from '../kernels.ts';
import type { Tape } from '../tape.ts';

export interface DecodeOptions {
  /** Instead of the codes' own values, [entries · block]. */
  values?: Tensor;
  /** Numbers per entry; default 1. */
  block?: number;
  /** Default: all latents. */
  range?: LatentRange;
  /** W and base are constants: no gradient flows to them (a stop-gradient on the decoder). */
  frozen?: boolean;
  /** Values get a gradient where this is not 0 [entries · block]; null: everywhere (thresholds learn from what lies below them). */
  mask?: Tensor | null;
}

export function decode(
  tape: Tape,
  codes: Codes,
  W: Tensor,
  base: Tensor | null,
  {
    values = codes.value,
    block = 1,
    range: given,
    frozen = false,
    mask = block === 1 ? values : null,
  }: DecodeOptions = {},
): Tensor {
  const { device } = tape;
  const { kernels } = device;
  // A range of all latents is none: the bits must not depend on how it was said.
  const range = given && (given.from > 0 || given.to < codes.width) ? given : undefined;
  const out = device.scratch('f32', codes.rows, W.shape[W.shape.length - 1]);
  kernels.decode(out, codes, values, W, base, block, range);
  if (frozen ? tape.tracks(values) : tape.tracks(values, W, base)) {
    tape.record([out], () => {
      const dOut = tape.gradientOf(out);
      if (!dOut) return;
      const dValues = whole(tape.slotFor(values, () => device.scratchLike(codes, 'f32', block)));
      const dW = frozen ? undefined : whole(tape.slotFor(W));
      if (dValues && dW)
        kernels.decodeGradients(dValues, dW, codes, tape.latentIndex(codes), values, W, dOut, block, range, mask);
      else if (dValues) kernels.gatheredDots(dValues.tensor, dValues.accumulate, codes, mask, W, dOut, block, range);
      else if (dW) {
        const index = tape.latentIndex(codes);
        kernels.latentGradient(dW.tensor, dW.accumulate, codes, index, values, dOut, block, range);
      }
      const dBase = frozen ? undefined : tape.slotFor(base);
      if (dBase && base!.shape.length === 1) kernels.columnSum(dBase.tensor, dBase.accumulate, dOut, null, 1);
      else if (dBase) kernels.scale(dBase.tensor, dBase.accumulate, dOut, 1);
    });
  }
  return out;

  /** What is first written by a range alone has to be zero elsewhere. */
  function whole(slot: GradientTarget | undefined): GradientTarget | undefined {
    if (!slot || slot.accumulate || !range) return slot;
    kernels.clear(slot.tensor);
    return { tensor: slot.tensor, accumulate: true };
  }
}
