/**
 * Layer norm of codes h [B, n], zeros included: y_b = (h_b − μ_b) / σ_b, μ_b and σ_b mean and (biased) standard deviation of the row's
 * own n elements; no epsilon, no gain: a row without active latents is 0/0, not a number. Gradient, at the entries alone:
 *   ∂h_bi = (∂y_bi − mean_i ∂y_b − y_bi · mean_i(∂y_b · y_b)) / σ_b
 * Encoders drop scores that are not numbers, where a ReLU would pass them on: `square` says that there were some.
 */
import type { Codes, Tensor } from '../device.ts';
import type { Scalar, Tape } from '../tape.ts';

export interface NormalizedCodes {
  /** y [B, n] */
  rows: Tensor;
  /** Number of rows without active latents. */
  silent: Scalar;
  /** Σ y²: B·n, or not a number. No gradient. */
  square: Scalar;
}

export function layerNorm(tape: Tape, codes: Codes): NormalizedCodes {
  const { device } = tape;
  const out = device.scratch('f32', codes.rows, codes.width);
  const std = device.scratch('f32', codes.rows);
  const flags = device.scratch('f64', codes.rows);
  device.kernels.normalizeCodes({ out, std, silent: flags }, codes);
  const silent = tape.scalar();
  device.kernels.sum(silent, flags, 1);
  const square = tape.scalar();
  device.kernels.innerProduct(square, out, out);
  if (tape.tracks(codes.value)) {
    tape.record([out], () => {
      const dOut = tape.gradientOf(out);
      const slot = dOut && tape.slotForValues(codes);
      if (slot) device.kernels.normalizeCodesGradient(slot, codes, { out, std }, dOut);
    });
  }
  return { rows: out, silent, square };
}
