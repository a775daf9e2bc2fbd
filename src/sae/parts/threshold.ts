/**
 * The inference threshold of models that select by rank: a running mean of the smallest activation that training selects
 * (methods 9.3). At inference a latent is active where its activation is strictly larger, whatever the rest of the batch.
 */
import { nextFloat } from '../../core/floats.ts';
import { z } from 'zod';
import type { Codes, Tensor } from '../../engine/device.ts';
import { encodeAtLeast, type Encoder } from '../../engine/ops/encode.ts';
import { defaultWarmup } from '../../engine/schedules.ts';
import type { Tape } from '../../engine/tape.ts';

/** Value of a threshold that nothing has been observed for. */
export const UNSET = -1;

export const thresholdKeys = {
  thresholdBeta: z
    .number()
    .min(0)
    .max(1)
    .nullable()
    .default(null)
    .describe('decay of the running inference threshold; null = 0.999, less in runs of under 10 000 steps'),
  thresholdFrom: z
    .number()
    .int()
    .min(0)
    .nullable()
    .default(null)
    .describe('step after which the threshold is tracked; null = 1000, at most a tenth of the run'),
};

export interface ThresholdConfig {
  thresholdBeta: number | null;
  thresholdFrom: number | null;
}

/** The published constants, with a memory of at most a tenth of the run. */
export function thresholdSchedule(
  { thresholdBeta, thresholdFrom }: ThresholdConfig,
  steps: number,
): { beta: number; from: number } {
  return {
    beta: thresholdBeta ?? 1 - Math.min(1, Math.max(1e-3, 10 / steps)),
    from: thresholdFrom ?? defaultWarmup(steps),
  };
}

/** The threshold after step `step`, which observed `smallest`. The first value that is tracked is taken as it is. */
export function trackedThreshold(
  { beta, from }: { beta: number; from: number },
  threshold: number,
  smallest: number,
  step: number,
): number {
  if (step <= from) return threshold;
  return threshold < 0 ? smallest : beta * threshold + (1 - beta) * smallest;
}

/** Codes of the activations strictly above the threshold; of all positive ones while it is unset. */
export function encodeAbove(tape: Tape, x: Tensor, encoder: Encoder, threshold: number): Codes {
  return encodeAtLeast(tape, x, { ...encoder, floor: nextFloat(Math.max(0, threshold)) });
}
