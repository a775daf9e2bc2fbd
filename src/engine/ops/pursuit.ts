/**
 * Matching pursuit over a dictionary W (arXiv 2506.03093; methods 9.10). With r_0 = x − center, for t = 1 … k:
 *
 *   i_t = argmax_i W_i · r_{t−1} (lowest on ties),   v_t = W_{i_t} · r_{t−1},   z_{i_t} += v_t,   r_t = r_{t−1} − v_t W_{i_t}
 *
 * and stops early where no score is positive, ‖r‖ is small enough, or a latent was taken again. x [B, d], W [F, d], center [d].
 * Scores are computed once, then corrected by rows of the Gram matrix G = W Wᵀ: W r_t = W r_{t−1} − v_t G_{i_t}. That costs F²·d for G and
 * B·k·F for the corrections instead of k products B·F·d.
 *
 * Gradient of the residual r_k through the unrolled steps, selections constant; g_t = ∂r_t, γ_t = g_t · W_{i_t}:
 *   ∂W_{i_t} −= v_t g_t + γ_t r_{t−1},   g_{t−1} = g_t − γ_t W_{i_t},   ∂center = −Σ_b g_0,   with r_{t−1} = r_t + v_t W_{i_t} recovered.
 * One d-vector per step and row is kept until it is summed by latents; rows are taken in chunks so that these need little memory.
 * No gradient flows to x, nor through z: a loss has to be one of the residual.
 */
import type { Codes, Tensor } from '../device.ts';
import type { PursuitStops } from '../kernels.ts';
import type { Tape } from '../tape.ts';

/** Numbers that a chunk of rows may need for its steps. */
const CHUNK = 2 ** 22;

export interface Pursuit {
  codes: Codes;
  /** r_k = x − center − Σ_i z_i W_i [B, d] */
  residual: Tensor;
}

export function pursuit(tape: Tape, x: Tensor, W: Tensor, center: Tensor, k: number, stops: PursuitStops): Pursuit {
  const { device } = tape;
  const { kernels } = device;
  const [rows, d] = x.shape;
  const [width] = W.shape;
  const residual = device.scratch('f32', rows, d);
  kernels.subtractRow(residual, x, center);
  const scores = device.scratch('f32', rows, width);
  kernels.product(scores, residual, W, 'nt');
  const gram = device.scratch('f32', width, width);
  kernels.product(gram, W, W, 'nt');
  const codes = device.scratchCodes(rows, width, k);
  const order = device.scratchCodes(rows * k, width, 1);
  kernels.pursue({ residual, order, codes }, scores, gram, W, stops);
  if (tape.tracks(W, center)) tape.record([residual], backward);
  return { codes, residual };

  function backward(): void {
    const dResidual = tape.gradientOf(residual);
    if (!dResidual) return;
    const dInput = device.scratch('f32', rows, d);
    kernels.scale(dInput, false, dResidual, 1);
    const chunk = Math.min(rows, Math.max(1, Math.floor(CHUNK / (k * d))));
    const room = device.scratch('f32', chunk * k, d);
    for (let from = 0; from < rows; from += chunk) {
      const to = Math.min(from + chunk, rows);
      const steps = device.scratchCodes((to - from) * k, width, 1);
      kernels.pursuitGradients({ dInput, changes: room, steps }, order, W, residual, { from, to });
      const dW = tape.slotFor(W);
      if (dW) kernels.latentGradient(dW.tensor, dW.accumulate, steps, tape.latentIndex(steps), steps.value, room);
    }
    const dCenter = tape.slotFor(center);
    if (dCenter) kernels.columnSum(dCenter.tensor, dCenter.accumulate, dInput, null, -1);
  }
}
