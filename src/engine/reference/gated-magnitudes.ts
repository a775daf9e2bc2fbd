/** Magnitudes of gated codes. */
import type { GatedMagnitudeKernels, GradientTarget } from '../kernels.ts';
import type { Recorder } from './kernels.ts';
import { eachLatent } from './sparse.ts';
import { f32, u32 } from './tensors.ts';

export function gatedMagnitudeKernels({ record }: Recorder): GatedMagnitudeKernels {
  return {
    gateMagnitudes(out, gate, gain, gateBias, magnitudeBias) {
      record(() => {
        const [scores, gains, shifts, biases] = [gate.value, gain, gateBias, magnitudeBias].map(f32);
        u32(gate.index).forEach((i, e) => (f32(out)[e] = Math.max(0, gains[i] * (scores[e] - shifts[i]) + biases[i])));
      });
    },

    gateGradients(out, gate, index, { magnitude, dMagnitude }, gain, gateBias) {
      record(() => {
        const [scores, gains, shifts] = [gate.value, gain, gateBias].map(f32);
        eachLatent(gate, index, (i, entries) => {
          let [sum, moment] = [0, 0];
          for (const { entry } of entries) {
            const m = f32(magnitude)[entry] > 0 ? f32(dMagnitude)[entry] : 0;
            sum += m;
            moment += m * (scores[entry] - shifts[i]);
            add(out.gate, entry, gains[i] * m);
          }
          add(out.r, i, gains[i] * moment);
          add(out.gateBias, i, -gains[i] * sum);
          add(out.magnitudeBias, i, sum);
        });
      });
    },
  };
}

function add({ tensor, accumulate }: GradientTarget, at: number, value: number): void {
  const result = f32(tensor);
  result[at] = (accumulate ? result[at] : 0) + value;
}
