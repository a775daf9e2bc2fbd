/**
 * Magnitudes of gated latents (arXiv 2404.16014): a gate π = u + b_gate lets a latent through where π > 0, and what passes is
 *
 *   f = ReLU(e^r u + b_mag),   u = π − b_gate
 *
 * The codes hold the open gates' π; the result has the same entries with f as values (0 where the rectifier closes).
 * r, b_gate, b_mag [F]. The gate itself has no gradient. With m = ∂f where f > 0, else 0:
 *   ∂π = e^r m,   ∂b_gate = −Σ_b e^r m,   ∂b_mag = Σ_b m,   ∂r = Σ_b m e^r u
 * so that ∂b_gate and what flows through π into the same bias cancel: u does not depend on it.
 */
import type { Codes, Tensor } from '../device.ts';
import type { Tape } from '../tape.ts';

export interface GateParameters {
  r: Tensor;
  gateBias: Tensor;
  magnitudeBias: Tensor;
}

export function gatedMagnitudes(tape: Tape, gate: Codes, { r, gateBias, magnitudeBias }: GateParameters): Codes {
  const { device } = tape;
  const { kernels } = device;
  const gain = device.scratch('f32', ...r.shape);
  kernels.exponential(gain, r);
  const magnitude = device.scratchLike(gate, 'f32');
  kernels.gateMagnitudes(magnitude, gate, gain, gateBias, magnitudeBias);
  if (tape.tracks(gate.value, r, gateBias, magnitudeBias)) tape.record([magnitude], backward);
  return device.withValues(gate, magnitude);

  function backward(): void {
    const dMagnitude = tape.gradientOf(magnitude);
    if (!dMagnitude) return;
    const out = {
      gate: tape.slotForValues(gate),
      r: tape.slotFor(r),
      gateBias: tape.slotFor(gateBias),
      magnitudeBias: tape.slotFor(magnitudeBias),
    };
    if (!allThere(out)) throw new Error('gatedMagnitudes: watch the encoder, r and both biases');
    kernels.gateGradients(out, gate, tape.latentIndex(gate), { magnitude, dMagnitude }, gain, gateBias);
  }
}

const allThere = <K extends string, T>(slots: Record<K, T | undefined>): slots is Record<K, T> =>
  Object.values(slots).every((slot) => slot !== undefined);
