/** Magnitudes of gated codes. */
import type { GatedMagnitudeKernels } from '../../kernels.ts';
import type { CpuDevice } from '../device.ts';
import { on } from './arguments.ts';

export function gatedMagnitudeKernels(device: CpuDevice): GatedMagnitudeKernels {
  return {
    gateMagnitudes(out, gate, gain, gateBias, magnitudeBias) {
      const entries = [on(gate.rowPtr), on(gate.index), on(gate.value)];
      device.emit('gateMagnitudes', on(out), ...entries, on(gain), on(gateBias), on(magnitudeBias), gate.rows);
    },
    gateGradients(out, gate, index, { magnitude, dMagnitude }, gain, gateBias) {
      const targets = [out.gate, out.r, out.gateBias, out.magnitudeBias];
      device.emit(
        'gateGradients',
        ...targets.flatMap(({ tensor, accumulate }) => [on(tensor), Number(accumulate)]),
        on(index.latentPtr),
        on(index.entryOf),
        on(gate.value),
        on(magnitude),
        on(dMagnitude),
        on(gain),
        on(gateBias),
        gate.width,
      );
    },
  };
}
