/**
 * The experts of H-SAE (arXiv 2506.01197, eq. 3.1; methods 1.2): every selected top latent j with value v_j owns a tiny SAE
 * with one active atom in an s-dimensional subspace,
 *
 *   y_j = W_down[j] x,   u_j = E[j] y_j,   q_j = u_j where u_j ≥ θ, else slope·u_j,   m_j = argmax q_j (lowest on ties)
 *   sub_j = q_j[m_j] if v_j > 0 else 0,    c_j = sub_j D[j][m_j]
 *
 * x [B, d], W_down [n, s, d], E and D [n, a, s]. The way up is `decode` with c as values and blocks of s rows of W_up, so
 * all work is k·s·d per token, never n·s·d. Gradients (methods 1.8):
 *   ∂D[j][m] = sub_j ∂c_j,   ∂q_jm = [m = m_j, v_j > 0] D[j][m]·∂c_j + l1·sign q_jm   (all atoms of every selected expert),
 *   ∂u = ∂q·(1 or slope),   ∂E[j] = ∂u ⊗ y,   ∂y = E[j]ᵀ ∂u,   ∂W_down[j] = ∂y ⊗ x.  None to x, v or the argmax.
 */
import type { Codes, Tensor } from '../device.ts';
import type { ExpertShape } from '../kernels.ts';
import type { Scalar, Tape } from '../tape.ts';

export interface Experts {
  down: Tensor;
  encoder: Tensor;
  decoder: Tensor;
}

export interface ExpertCodes {
  /** f32 [entries · s]: what each expert adds in its subspace. */
  c: Tensor;
  /** u32 [entries]: m_j */
  winner: Tensor;
  /** f32 [entries]: sub_j */
  sub: Tensor;
  /** (1/B) Σ |q| over all atoms of all selected experts. */
  absolute: Scalar;
}

export function expertCodes(
  tape: Tape,
  x: Tensor,
  codes: Codes,
  { down, encoder, decoder }: Experts,
  shape: ExpertShape,
): ExpertCodes {
  const { device } = tape;
  const { kernels } = device;
  const { subspace: s } = shape;
  const y = device.scratchLike(codes, 'f32', s);
  kernels.dotsByLatent(y, codes, tape.latentIndex(codes), down, x, s);
  const c = device.scratchLike(codes, 'f32', s);
  const winner = device.scratchLike(codes, 'u32');
  const sub = device.scratchLike(codes, 'f32');
  const rowSums = device.scratch('f64', codes.rows);
  kernels.expertsForward({ c, winner, sub, rowSums }, codes, y, encoder, decoder, shape);
  const absolute = tape.scalar();
  kernels.sum(absolute, rowSums, 1 / codes.rows);
  if (tape.tracks(down, encoder, decoder)) tape.record([c, absolute], backward);
  return { c, winner, sub, absolute };

  function backward(): void {
    const l1 = tape.seed(absolute) / codes.rows;
    const dC = tape.gradientOf(c);
    const [dDown, dE, dD] = [down, encoder, decoder].map((weight) => tape.slotFor(weight));
    if (!dC || !dDown || !dE || !dD) throw new Error('experts: watch all weights and use c in the loss');
    const index = tape.latentIndex(codes);
    const dY = device.scratchLike(codes, 'f32', s);
    const gradients = { dY, dE: dE.tensor, dD: dD.tensor, accumulate: dE.accumulate };
    kernels.expertsBackward(gradients, codes, index, { winner, sub, y, dC }, encoder, decoder, shape, l1);
    kernels.latentGradient(dDown.tensor, dDown.accumulate, codes, index, dY, x, s);
  }
}
