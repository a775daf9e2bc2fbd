/** The kernels of `engine/kernels.ts` for the reference device, by theme. */
import type { Kernels } from '../kernels.ts';
import { denseKernels } from './dense.ts';
import { encodingKernels } from './encoding.ts';
import { expertKernels } from './experts.ts';
import { gateKernels } from './gate.ts';
import { routingKernels } from './routing.ts';
import { sparseKernels } from './sparse.ts';
import { standardizeKernels } from './standardize.ts';
import type { ReferenceCodes } from './tensors.ts';
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
    ...denseKernels(device),
    ...standardizeKernels(device),
    ...updateKernels(device),
  };
}
