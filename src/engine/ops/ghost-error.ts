/**
 * The error of ghost gradients (Anthropic, January 2024; SAELens' calculate_ghost_grad_loss; methods 9.1). Dead latents, active as
 * exp(z), shall explain the residual R = x − x̂ of the living; their reconstruction G is brought to half its length:
 *
 *   δ_b = s_b G_b − R_b,   s_b = ‖R_b‖ / (1e-6 + 2‖G_b‖),   loss = mean over B·d of w δ²,   w = R² / (δ² + 1e-6)
 *
 * s, w and R are data: the value is about the mean of R², only the gradient counts. ∂G_b = (2/(B d)) s_b w δ_b.
 */
import type { Tensor } from '../device.ts';
import type { Scalar, Tape } from '../tape.ts';

/** @param ghost G, @param reconstruction x̂, @param x all [B, d] */
export function ghostError(tape: Tape, ghost: Tensor, reconstruction: Tensor, x: Tensor): Scalar {
  const { device } = tape;
  const { kernels } = device;
  const [rows, d] = x.shape;
  const residual = device.scratch('f32', rows, d);
  const rowSums = device.scratch('f64', rows);
  kernels.squaredDifference(residual, rowSums, x, reconstruction);
  const gradient = device.scratch('f32', rows, d);
  kernels.ghostError({ gradient, rowSums }, ghost, residual);
  const loss = tape.scalar();
  kernels.sum(loss, rowSums, 1 / (rows * d));
  if (tape.tracks(ghost)) {
    tape.record([loss], () => {
      const seed = tape.seed(loss);
      const slot = seed === 0 ? undefined : tape.slotFor(ghost);
      if (slot) kernels.scale(slot.tensor, slot.accumulate, gradient, (2 * seed) / (rows * d));
    });
  }
  return loss;
}
