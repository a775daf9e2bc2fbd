/** The kernels of `engine/kernels.ts` for the reference device, by theme. */
import type { Kernels } from '../kernels.ts';
import { batchTopKernels } from './batch-top.ts';
import { denseKernels } from './dense.ts';
import { encodingKernels } from './encoding.ts';
import { expertKernels } from './experts.ts';
import { gatedMagnitudeKernels } from './gated-magnitudes.ts';
import { familyKernels } from './family.ts';
import { jumpKernels } from './jump.ts';
import { penaltyKernels } from './penalty.ts';
import { gateKernels } from './gate.ts';
import { layerNormKernels } from './layer-norm.ts';
import { routingKernels } from './routing.ts';
import { pursuitKernels } from './pursuit.ts';
import { sparseKernels } from './sparse.ts';
import { standardizeKernels } from './standardize.ts';
import type { ReferenceCodes } from './tensors.ts';
import { tiersKernels } from './tiers.ts';
import { updateKernels } from './update.ts';

/** What a kernel needs from the device. */
export interface Recorder {
  /** Appends a step of work to the queue. */
  record(step: () => void): void;
  /** Fixes the number of entries of codes of open size, while the queue runs. */
  resolve(codes: ReferenceCodes, entries: number): void;
}

export function referenceKernels(device: Recorder): Kernels {
  return {
    ...encodingKernels(device),
    ...gateKernels(device),
    ...routingKernels(device),
    ...sparseKernels(device),
    ...expertKernels(device),
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
