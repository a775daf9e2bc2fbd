/** The experts of H-SAE. */
import type { ExpertsKernels } from '../../kernels.ts';
import type { CpuDevice } from '../device.ts';
import { on } from './arguments.ts';

export function expertsKernels(device: CpuDevice): ExpertsKernels {
  return {
    expertsForward(out, codes, y, E, D, shape) {
      const { atoms, subspace, theta, slope } = shape;
      const outputs = [on(out.c), on(out.winner), on(out.sub), on(out.rowSums)];
      device.emit(
        'expertsForward',
        ...outputs,
        on(codes.rowPtr),
        on(codes.index),
        on(codes.value),
        on(y),
        on(E),
        on(D),
        codes.rows,
        atoms,
        subspace,
        theta,
        slope,
      );
    },
    expertsBackward(out, codes, index, saved, E, D, shape, l1) {
      const { atoms, subspace, theta, slope } = shape;
      const outputs = [on(out.dY), on(out.dE), on(out.dD), Number(out.accumulate)];
      const inputs = [
        on(saved.dC),
        on(saved.winner),
        on(saved.sub),
        on(index.latentPtr),
        on(index.entryOf),
        on(codes.value),
        on(saved.y),
        on(E),
        on(D),
      ];
      device.emit('expertsBackward', ...outputs, ...inputs, codes.width, atoms, subspace, theta, slope, l1);
    },
    joinExperts(out, top, winner, sub, atoms) {
      device.emit(
        'joinExperts',
        on(out.index),
        on(out.value),
        on(top.index),
        on(top.value),
        on(winner),
        on(sub),
        top.rows,
        top.perRow!,
        top.width,
        atoms,
      );
    },
  };
}
