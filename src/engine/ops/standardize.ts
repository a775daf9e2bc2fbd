/**
 * Standardisation of each token inside a model (Tree SAE and its baselines): x̃ = (x − m)/(s + 1e-5), m and s the mean and
 * unbiased standard deviation of the token's own d elements; a reconstruction r of x̃ goes back as r·s + m (s without the 1e-5,
 * as in the released code). m and s are data. Gradient: ∂r = s · ∂out.
 */
import type { Tensor } from '../device.ts';
import type { Tape } from '../tape.ts';

const EPSILON = 1e-5;

export interface Standardized {
  /** x̃ [B, d] */
  rows: Tensor;
  /** [B] each */
  mean: Tensor;
  std: Tensor;
}

export function standardize({ device }: Tape, x: Tensor): Standardized {
  const [rows, d] = x.shape;
  const out = device.scratch('f32', rows, d);
  const [mean, std] = [device.scratch('f32', rows), device.scratch('f32', rows)];
  device.kernels.standardizeRows({ out, mean, std }, x, EPSILON);
  return { rows: out, mean, std };
}

/** Brings a reconstruction of the standardised rows back to the space of x. */
export function restore(tape: Tape, reconstruction: Tensor, { mean, std }: Standardized): Tensor {
  const { device } = tape;
  const out = device.scratch('f32', ...reconstruction.shape);
  device.kernels.restoreRows(out, reconstruction, std, mean);
  if (tape.tracks(reconstruction)) {
    tape.record([out], () => {
      const dOut = tape.gradientOf(out);
      const slot = dOut && tape.slotFor(reconstruction);
      if (slot) device.kernels.scaleRows(slot.tensor, slot.accumulate, std, dOut, 1);
    });
  }
  return out;
}
