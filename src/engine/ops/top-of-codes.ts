/**
 * The k largest entries of each row of given codes (ties: lowest latent; filled with value 0 from latent 0 upwards).
 * Gradient: ∂value of an entry taken += ∂value of its copy; entries not taken and fills get none.
 */
import type { Codes } from '../device.ts';
import type { Tape } from '../tape.ts';

export function topOfCodes(tape: Tape, codes: Codes, k: number): Codes {
  const { device } = tape;
  const top = device.scratchCodes(codes.rows, codes.width, k);
  const position = device.scratch('u32', codes.rows * k);
  device.kernels.topOfCodes(top, position, codes);
  if (tape.tracks(codes.value)) {
    tape.record([top.value], () => {
      const dTop = tape.gradientOf(top.value);
      if (!dTop) return;
      const slot = tape.slotForValues(codes)!;
      if (!slot.accumulate) device.kernels.clear(slot.tensor);
      device.kernels.scatterAdd(slot.tensor, dTop, position);
    });
  }
  return top;
}
