/**
 * How well silent latents fit what a model leaves over: mean over the batch and over the silent latents of residual_b · W_i; 0 where
 * none is silent. residual [B, d], W [F, d], silent [F] 1 or 0 (data). With a negative weight in the loss it turns silent latents to the
 * residual. With r̄ the mean residual, w̄ the mean silent row, n their number, the value is r̄ · w̄:
 *   ∂residual_b = w̄ / B,   ∂W_i = r̄ / n where i is silent.
 */
import type { Tensor } from '../device.ts';
import type { Scalar, Tape } from '../tape.ts';

export function revival(tape: Tape, residual: Tensor, W: Tensor, silent: Tensor): Scalar {
  const { device } = tape;
  const { kernels } = device;
  const [rows, d] = residual.shape;
  const count = tape.scalar();
  kernels.innerProduct(count, silent, silent);
  const [meanResidual, meanRow] = [device.scratch('f32', d), device.scratch('f32', d)];
  kernels.columnSum(meanResidual, false, residual, null, 1 / rows);
  kernels.columnSum(meanRow, false, W, silent, 1);
  kernels.scaleBy(meanRow, false, meanRow, 1, count);
  const value = tape.scalar();
  kernels.innerProduct(value, meanResidual, meanRow);
  if (tape.tracks(residual, W)) {
    tape.record([value], () => {
      const seed = tape.seed(value);
      if (seed === 0) return;
      const dResidual = tape.slotFor(residual);
      if (dResidual) kernels.scaleRows(dResidual.tensor, dResidual.accumulate, null, meanRow, seed / rows);
      const dW = tape.slotFor(W);
      if (!dW) return;
      const share = device.scratch('f32', d);
      kernels.scaleBy(share, false, meanResidual, seed, count);
      kernels.scaleRows(dW.tensor, dW.accumulate, silent, share, 1);
    });
  }
  return value;
}
