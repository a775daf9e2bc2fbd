/** Keys and schedule of the learning rate that dictionary_learning's trainers, and those after them, have in common. */
import { z } from 'zod';
import { defaultWarmup, linearWarmupDecay } from '../../engine/schedules.ts';

export const warmupKey = z
  .number()
  .int()
  .min(0)
  .nullable()
  .default(null)
  .describe('linear warm-up of the learning rate; null = 1000, at most a tenth of the run');

export const decayKey = z
  .number()
  .min(0)
  .max(1)
  .default(0.8)
  .describe('share of the run after which the rate falls linearly to 0; 1 = never');

/** Peak learning rate of the trainers of top-k SAEs. */
export const scaledRateKey = z
  .number()
  .positive()
  .nullable()
  .default(null)
  .describe('peak learning rate; null = 2e-4 / √(width / 2^14)');

/** The value of {@link scaledRateKey}. */
export const scaledRate = (lr: number | null, width: number): number => lr ?? 2e-4 / Math.sqrt(width / 2 ** 14);

/** Learning rate of step t = 0, 1, …: exactly 0 at first, where there is a warm-up. */
export function warmupAndDecay(
  { peak, warmupSteps, decayFrom }: { peak: number; warmupSteps: number | null; decayFrom: number },
  steps: number,
): (step: number) => number {
  const decayStart = decayFrom < 1 ? Math.floor(decayFrom * steps) : undefined;
  const factor = linearWarmupDecay(steps, warmupSteps ?? defaultWarmup(steps), decayStart);
  return (step) => peak * factor(step);
}
