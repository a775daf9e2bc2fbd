/** The kernels of `engine/kernels.ts` as commands, by theme: argument lists, and temporaries that a command needs. */
import type { Kernels } from '../kernels.ts';
import type { CpuDevice } from './device.ts';
import { batchTopKernels } from './kernels/batch-top.ts';
import { codesKernels } from './kernels/codes.ts';
import { denseKernels } from './kernels/dense.ts';
import { encodingKernels, type CpuEncodingKernels } from './kernels/encoding.ts';
import { expertsKernels } from './kernels/experts.ts';
import { gatedMagnitudeKernels } from './kernels/gated-magnitudes.ts';
import { familyKernels } from './kernels/family.ts';
import { jumpKernels } from './kernels/jump.ts';
import { penaltyKernels } from './kernels/penalty.ts';
import { gateKernels } from './kernels/gate.ts';
import { layerNormKernels } from './kernels/layer-norm.ts';
import { routingKernels } from './kernels/routing.ts';
import { pursuitKernels } from './kernels/pursuit.ts';
import { standardizeKernels } from './kernels/standardize.ts';
import { tiersKernels } from './kernels/tiers.ts';
import { updateKernels } from './kernels/update.ts';

export type CpuKernels = Kernels & CpuEncodingKernels;

export function cpuKernels(device: CpuDevice): CpuKernels {
  return {
    ...encodingKernels(device),
    ...gateKernels(device),
    ...routingKernels(device),
    ...codesKernels(device),
    ...expertsKernels(device),
    ...tiersKernels(device),
    ...pursuitKernels(device),
    ...layerNormKernels(device),
    ...denseKernels(device),
    ...standardizeKernels(device),
    ...gatedMagnitudeKernels(device),
    ...batchTopKernels(device),
    ...updateKernels(device),
    ...penaltyKernels(device),
    ...jumpKernels(device),
    ...familyKernels(device),
  };
}
