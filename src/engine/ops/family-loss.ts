/**
 * Parent–child loss between two neighbouring levels of a feature forest (arXiv 2602.11881, L_PC; methods 2.1, 2.7):
 *
 *   (1/B) Σ_b Σ_i ‖r_bi‖²,   r_bi = a_bi d_i − Σ_{j ∈ C(i)} a_bj d_j,   i with children
 *
 * Only families with an active member are touched, so it costs (L0_parents + L0_children)·d per token. Gradients:
 * ∂a_i = 2 d_i·r_i / B, ∂a_j = −2 d_j·r_i / B, also for entries with value 0; ∂d_m = ± (2/B) Σ_b a_bm r_b, which over the batch is
 * Σ_k ± (2/B) (Σ_b a_bm a_bk) d_k over the members k of the family: one row per mate instead of one per token.
 */
import type { Codes, Tensor } from '../device.ts';
import type { FamilyLevels, FamilyLinks } from '../kernels.ts';
import type { Scalar, Tape } from '../tape.ts';

/** @param W decoder rows [F, d] of all latents */
export function familyLoss(tape: Tape, codes: Codes, W: Tensor, links: FamilyLinks, levels: FamilyLevels): Scalar {
  const { device } = tape;
  const { kernels } = device;
  const { rows } = codes;
  const dValue = device.scratchLike(codes, 'f32');
  const next = device.scratchLike(codes, 'u32');
  const rowSums = device.scratch('f64', rows);
  kernels.familyResiduals({ dValue, next, rowSums }, codes, W, { ...links, ...levels });
  const loss = tape.scalar();
  kernels.sum(loss, rowSums, 1 / rows);
  if (tape.tracks(codes.value, W)) {
    tape.record([loss], () => {
      const seed = tape.seed(loss) / rows;
      if (seed === 0) return;
      const slot = tape.slotForValues(codes);
      if (slot) kernels.scale(slot.tensor, slot.accumulate, dValue, seed);
      const dW = tape.slotFor(W);
      if (!dW) return;
      if (!dW.accumulate) kernels.clear(dW.tensor);
      kernels.familyGradient(dW.tensor, codes, tape.latentIndex(codes), next, W, levels, 2 * seed);
    });
  }
  return loss;
}
