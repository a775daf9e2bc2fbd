/** What the L1 trainers of dictionary_learning (Standard, April update, Gated) have in common: keys and schedules. */
import { z } from 'zod';
import { defaultWarmup, linearWarmupDecay } from '../../engine/schedules.ts';
import { decayKey, warmupAndDecay, warmupKey } from './rate.ts';

/** @param lr default learning rate, which differs between the trainers */
export const l1Keys = (lr: number) => ({
  width: z.number().int().positive().default(16384).describe('number of latents F'),
  l1: z.number().min(0).default(0.1).describe('λ, weight of the sparsity penalty'),
  l1WarmupSteps: z
    .number()
    .int()
    .min(0)
    .nullable()
    .default(null)
    .describe('linear warm-up of λ from 0; null = 2000, at most a fifth of the run'),
  lr: z.number().positive().default(lr).describe('peak learning rate'),
  warmupSteps: warmupKey,
  decayFrom: decayKey,
  deadAfter: z
    .number()
    .int()
    .positive()
    .default(10_000_000)
    .describe('tokens without activity after which a latent counts as dead'),
});

interface ScheduleConfig {
  l1: number;
  l1WarmupSteps: number | null;
  lr: number;
  warmupSteps: number | null;
  decayFrom: number;
}

/** Learning rate and λ of step t = 0, 1, …; both start at exactly 0. */
export function l1Schedules(
  { l1, l1WarmupSteps, lr, warmupSteps, decayFrom }: ScheduleConfig,
  steps: number,
): { learningRate: (step: number) => number; penalty: (step: number) => number } {
  const ramp = linearWarmupDecay(Infinity, l1WarmupSteps ?? 2 * defaultWarmup(steps), undefined);
  return {
    learningRate: warmupAndDecay({ peak: lr, warmupSteps, decayFrom }, steps),
    penalty: (step) => l1 * ramp(step),
  };
}

/** dictionary_learning's ConstrainedAdam: removes the gradient along w / ‖w‖, steps, divides by ‖w‖; nothing is clipped. */
export const CONSTRAINED_ADAM = [
  { kind: 'project', epsilon: 0 },
  { kind: 'adam', renormalize: 0 },
] as const;
