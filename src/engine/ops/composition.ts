/**
 * What the codes h of one tier add to the scores of the next (methods 4.4, "skip-encode"):
 *
 *   z = W (x − center) + V h + bias,    V h = Σ_j h_bj V[j]
 *
 * h: codes over n_below latents; V [n_below, n], one row per latent below (the transpose of the V that is written down); bias [n].
 * `base` = V h + bias is a reconstruction [B, n] like any other, made once and added to the dense product by the encoders. Only
 * selected scores have a gradient, so the way back is sparse × sparse, never [B, n]:
 *   ∂V[j, i] = Σ_b h_bj ∂z_bi,   ∂h_bj = Σ_i V[j, i] ∂z_bi where h_bj ≠ 0, else 0.
 * W, V and h have to be watched together.
 */
import type { Codes, Tensor } from '../device.ts';
import type { Scalar, Tape } from '../tape.ts';

export interface Composition {
  below: Codes;
  V: Tensor;
  bias: Tensor;
  /** V h + bias [B, n] */
  base: Tensor;
  /** h is a constant: its gradient is dropped. */
  detached?: boolean;
}

export function compose({ device }: Tape, below: Codes, V: Tensor, bias: Tensor): Composition {
  const base = device.scratch('f32', below.rows, V.shape[1]);
  device.kernels.decode(base, below, below.value, V, bias);
  return { below, V, bias, base };
}

/** The gradients by V and h, given those by the scores of the codes `above`; part of the backward pass of an encoder. */
export function compositionGradients(
  tape: Tape,
  { below, V, detached }: Composition,
  above: Codes,
  dAbove: Tensor,
): void {
  const dV = tape.slotFor(V);
  const dBelow = detached ? null : tape.slotForValues(below);
  if (!dV || dBelow === undefined) throw new Error('composition: watch V and the encoder of the codes below');
  tape.device.kernels.baseGradients(dBelow, dV, below, tape.latentIndex(below), V, above, dAbove);
}

/**
 * Composition coverage: share of the active entries of `codes` that get at least half of their positive input from the tier below,
 * (V h)₊ ≥ ½ [(W (x − center))₊ + (V h)₊ + (bias)₊]; 0 where nothing is active.
 */
export function compositionCoverage(tape: Tape, codes: Codes, { base, bias }: Composition): Scalar {
  const { device } = tape;
  const [composed, active] = [device.scratch('f64', codes.rows), device.scratch('f64', codes.rows)];
  device.kernels.composedEntries({ composed, active }, codes, base, bias);
  const [share, all] = [tape.scalar(), tape.scalar()];
  device.kernels.sum(share, composed, 1);
  device.kernels.sum(all, active, 1);
  device.kernels.divide(share, share, all);
  return share;
}
