/** Vectors for optimiser and training primitives: `optim/*.json`. */
import { basename } from 'node:path';
import { unknownName } from '../core/config.ts';
import { InputError } from '../core/errors.ts';
import type { Device } from '../engine/device.ts';
import type { Report } from './report.ts';
import { runAdam } from './vectors/adam.ts';
import { runClip } from './vectors/clip.ts';
import { runGeometricMedian } from './vectors/geometric-median.ts';
import { runGhostGradients } from './vectors/ghost-gradients.ts';
import { runJumpreluSte } from './vectors/jumprelu-ste.ts';
import { runProjection } from './vectors/projection.ts';
import { runSchedules } from './vectors/schedules.ts';

type Run = (device: Device, path: string, report: Report) => void | Promise<void>;

const runs: Readonly<Record<string, Run>> = {
  'adam.json': runAdam,
  'clip.json': runClip,
  'decoder_projection.json': runProjection,
  'geometric_median.json': runGeometricMedian,
  'ghost_grads.json': runGhostGradients,
  'jumprelu_ste.json': runJumpreluSte,
  'schedules.json': runSchedules,
};

export const vectorFiles = Object.keys(runs);

/** @throws InputError for a file that is none of {@link vectorFiles} or not of their form */
export async function runVectors(device: Device, path: string, report: Report): Promise<void> {
  const run = runs[basename(path)];
  if (!run) throw new InputError(unknownName('file of vectors', basename(path), vectorFiles), { where: path });
  await run(device, path, report);
}
