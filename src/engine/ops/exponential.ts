/** out = exp(a), element by element: thresholds from their logarithms, ghost activations. Gradient: ∂a = out · ∂out. */
import type { Codes, Tensor } from '../device.ts';
import type { Tape } from '../tape.ts';

/** @param entriesOf the codes whose entries `a` belongs to, where its size is theirs */
export function exponential(tape: Tape, a: Tensor, entriesOf?: Codes): Tensor {
  const { device } = tape;
  const make = (): Tensor => (entriesOf ? device.scratchLike(entriesOf, 'f32') : device.scratch('f32', ...a.shape));
  const out = make();
  device.kernels.exponential(out, a);
  if (tape.tracks(a)) {
    tape.record([out], () => {
      const dOut = tape.gradientOf(out);
      const slot = dOut && tape.slotFor(a, make);
      if (slot) device.kernels.multiply(slot.tensor, slot.accumulate, dOut, out);
    });
  }
  return out;
}
