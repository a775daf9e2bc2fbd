/** The kernels of `engine/kernels.ts` as commands, by theme: argument lists, and temporaries that a command needs. */
import type { Kernels } from '../kernels.ts';
import type { CpuDevice } from './device.ts';
import { codesKernels } from './kernels/codes.ts';
import { denseKernels } from './kernels/dense.ts';
import { encodingKernels, type CpuEncodingKernels } from './kernels/encoding.ts';
import { expertsKernels } from './kernels/experts.ts';
import { gateKernels } from './kernels/gate.ts';
import { routingKernels } from './kernels/routing.ts';
import { standardizeKernels } from './kernels/standardize.ts';
import { updateKernels } from './kernels/update.ts';

export type CpuKernels = Kernels & CpuEncodingKernels;

export function cpuKernels(device: CpuDevice): CpuKernels {
  return {
    ...encodingKernels(device),
    ...gateKernels(device),
    ...routingKernels(device),
    ...codesKernels(device),
    ...expertsKernels(device),
    ...denseKernels(device),
    ...standardizeKernels(device),
    ...updateKernels(device),
  };
}
