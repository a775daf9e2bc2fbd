/**
 * Sparsity penalty weighted by the norms of decoder rows: (1/B) Σ_b Σ_i φ(f_bi ‖W_i‖), with
 *
 *   l1    φ(u) = u               Σ f‖d‖ of Anthropic's April 2024 update; f ≥ 0 is up to the encoder
 *   tanh  φ(u) = tanh(scale u)   SAELens' and Anthropic's smooth count of active latents
 *
 * W [F, d]. Gradients: ∂f_bi = φ'(u) ‖W_i‖ / B, also for entries with value 0 (a threshold may want it);
 * ∂W_i = (Σ_b φ'(u) f_bi / B) W_i / ‖W_i‖, 0 for a row of zeros.
 */
import type { Codes, Tensor } from '../device.ts';
import type { PenaltyShape } from '../kernels.ts';
import type { Scalar, Tape } from '../tape.ts';

/** @param scale of tanh; l1 has none */
export function normWeightedPenalty(
  tape: Tape,
  codes: Codes,
  W: Tensor,
  kind: PenaltyShape['kind'],
  scale = 1,
): Scalar {
  const { device } = tape;
  const { kernels } = device;
  const shape = { kind, scale };
  const norms = device.scratch('f32', codes.width);
  const rowSums = device.scratch('f64', codes.rows);
  const loss = tape.scalar();
  kernels.rowNorms(norms, W);
  kernels.normWeightedSums(rowSums, codes, norms, shape);
  kernels.sum(loss, rowSums, 1 / codes.rows);
  if (tape.tracks(codes.value, W)) {
    tape.record([loss], () => {
      const seed = tape.seed(loss) / codes.rows;
      if (seed === 0) return;
      const dValue = tape.slotForValues(codes);
      const dW = tape.slotFor(W);
      const coefficient = device.scratchLike(codes, 'f32');
      kernels.normWeightedGradient({ dValue, coefficient }, codes, norms, shape, seed);
      if (!dW) return;
      const sums = device.scratch('f32', codes.width);
      kernels.latentSum(sums, false, codes, tape.latentIndex(codes), coefficient);
      kernels.scaleRows(dW.tensor, dW.accumulate, sums, W, 1);
    });
  }
  return loss;
}
