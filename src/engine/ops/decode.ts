/**
 * Reconstruction from codes: out_b = base + Σ_i value_bi W_i, W [F, d], base one row [d], a matrix [B, d] or null.
 *
 * With values of `block` numbers per entry, W has `block` rows per latent (see experts.ts).
 * Gradients: ∂value_bi = W_i · ∂out_b where value_bi ≠ 0 (block = 1), always (block > 1);
 * ∂W_i = Σ_b value_bi ∂out_b (b ascending); ∂base = ∂out, summed over b for one row. Entries are added in ascending order.
 */
import type { Codes, Tensor } from '../device.ts';
import type { Tape } from '../tape.ts';

export function decode(
  tape: Tape,
  codes: Codes,
  W: Tensor,
  base: Tensor | null,
  values: Tensor = codes.value,
  block = 1,
): Tensor {
  const { device } = tape;
  const { kernels } = device;
  const out = device.scratch('f32', codes.rows, W.shape[W.shape.length - 1]);
  kernels.decode(out, codes, values, W, base, block);
  if (tape.tracks(values, W, base)) {
    tape.record([out], () => {
      const dOut = tape.gradientOf(out);
      if (!dOut) return;
      const dValues = tape.slotFor(values, () => device.scratchLike(codes, 'f32', block));
      const dW = tape.slotFor(W);
      if (dValues && dW) kernels.decodeGradients(dValues, dW, codes, tape.latentIndex(codes), values, W, dOut, block);
      else if (dValues)
        kernels.gatheredDots(dValues.tensor, dValues.accumulate, codes, block === 1 ? values : null, W, dOut, block);
      else if (dW)
        kernels.latentGradient(dW.tensor, dW.accumulate, codes, tape.latentIndex(codes), values, dOut, block);
      const dBase = tape.slotFor(base);
      if (dBase && base!.shape.length === 1) kernels.columnSum(dBase.tensor, dBase.accumulate, dOut, null, 1);
      else if (dBase) kernels.scale(dBase.tensor, dBase.accumulate, dOut, 1);
    });
  }
  return out;
}
