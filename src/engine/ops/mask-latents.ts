/**
 * Values of codes times a factor per latent: value_e · factor_i. `mask` holds the factors of the entries, for `decode` to leave out
 * what they switch off. factor [F] is data. Gradient: ∂value_e = factor_i ∂out_e.
 */
import type { Codes, Tensor } from '../device.ts';
import type { Tape } from '../tape.ts';

export function maskLatents(tape: Tape, codes: Codes, factor: Tensor): { values: Tensor; mask: Tensor } {
  const { device } = tape;
  const { kernels } = device;
  const [values, mask] = [device.scratchLike(codes, 'f32'), device.scratchLike(codes, 'f32')];
  kernels.spreadLatents(mask, codes, factor);
  kernels.multiply(values, false, codes.value, mask);
  if (tape.tracks(codes.value)) {
    tape.record([values], () => {
      const dOut = tape.gradientOf(values);
      const slot = dOut && tape.slotForValues(codes);
      if (slot) kernels.multiply(slot.tensor, slot.accumulate, dOut, mask);
    });
  }
  return { values, mask };
}
