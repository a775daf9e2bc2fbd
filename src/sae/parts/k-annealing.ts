/** Annealing of k from the dimension of the activations down to its value (dictionary_learning). */
import { z } from 'zod';

export const annealingKeys = {
  kAnnealSteps: z
    .number()
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe('steps over which k falls from d to its value; null = constant'),
};

export interface AnnealingConfig {
  width: number;
  k: number;
  kAnnealSteps: number | null;
}

/** k of a step; the source anneals at the end of a step, so step 0 runs with the final k and step 1 with d. */
export function annealedK({ width, k, kAnnealSteps }: AnnealingConfig, d: number, step: number): number {
  if (kAnnealSteps === null || step === 0) return k;
  const share = Math.min(step - 1, kAnnealSteps) / kAnnealSteps;
  return Math.min(width, Math.trunc(d * (1 - share) + k * share));
}
