/** The kernels of `engine/kernels.ts` as commands, by theme: argument lists, and temporaries that a command needs. */
import type { CpuDevice } from './device.ts';
import { codesKernels } from './kernels/codes.ts';
import { denseKernels } from './kernels/dense.ts';
import { encodingKernels } from './kernels/encoding.ts';
import { expertsKernels } from './kernels/experts.ts';
import { updateKernels } from './kernels/update.ts';

export type CpuKernels = ReturnType<typeof cpuKernels>;

export const cpuKernels = (
  device: CpuDevice,
): ReturnType<typeof encodingKernels> &
  ReturnType<typeof codesKernels> &
  ReturnType<typeof expertsKernels> &
  ReturnType<typeof denseKernels> &
  ReturnType<typeof updateKernels> => ({
  ...encodingKernels(device),
  ...codesKernels(device),
  ...expertsKernels(device),
  ...denseKernels(device),
  ...updateKernels(device),
});
