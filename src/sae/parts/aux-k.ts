/**
 * The auxiliary loss of dead latents (Gao et al. 2024, methods 9.2): the k_aux dead latents that respond most to a token, ẑ, shall
 * reconstruct what the model missed, r = x − x̂ (detached). The released trainers disagree about the rest:
 *
 *   dictionary-learning   ‖W_decᵀ ẑ − r‖² / ‖r − mean r‖²,  weight 1/32  (saprmarks/dictionary_learning)
 *   openai                the same value, but ê = W_decᵀ ẑ + b_dec against r + b_dec, where the second b_dec is detached: b_dec gets
 *                         a gradient; weight 1/32  (openai/sparse_autoencoder train.py, its trained loss being normalised too)
 *   saelens               ‖W_decᵀ ẑ + b_dec − r‖² · min(dead / k_aux, 1),  weight 1; dead before this batch  (SAELens topk_sae.py)
 *
 * sums over d, means over the batch (also in `mean r`). What counts as dead is the trainer's; k_aux is d/2 in all but openai's code.
 */
import { z } from 'zod';
import type { Tensor } from '../../engine/device.ts';
import { decode } from '../../engine/ops/decode.ts';
import { encodeTopAmong, type Encoder } from '../../engine/ops/encode.ts';
import { normalizedError, squaredError } from '../../engine/ops/losses.ts';
import type { Tape } from '../../engine/tape.ts';
import type { LossTerm } from '../architecture.ts';
import type { DeadLatents } from './dead-latents.ts';

export const auxKeys = {
  aux: z
    .enum(['dictionary_learning', 'openai', 'saelens'])
    .default('dictionary_learning')
    .describe('whose auxiliary loss of dead latents'),
  auxAlpha: z.number().min(0).nullable().default(null).describe('its weight; null = 1/32, with saelens 1'),
  auxK: z
    .number()
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe('dead latents per token in the auxiliary loss; null = d / 2'),
  deadAfter: z
    .number()
    .int()
    .positive()
    .default(10_000_000)
    .describe('tokens without selection after which a latent is dead'),
};

export interface AuxConfig {
  aux: 'dictionary_learning' | 'openai' | 'saelens';
  auxAlpha: number | null;
  auxK: number | null;
  deadAfter: number;
}

/** What the host knows of dead latents after the step before. */
export interface Deaths {
  /** Largest counter of rows since a latent was selected. */
  oldest: number;
  /** Number of dead latents; only with saelens. */
  dead: number;
}

export interface AuxInputs {
  x: Tensor;
  reconstruction: Tensor;
  encoder: Encoder;
  W_dec: Tensor;
  b_dec: Tensor;
  /** Has observed this batch. */
  dead: DeadLatents;
  deaths: Deaths;
}

/** The term, or undefined where no latent can be dead: scoring dead latents costs a second product. */
export function auxiliaryLoss(tape: Tape, config: AuxConfig, inputs: AuxInputs): LossTerm | undefined {
  const { x, reconstruction, encoder, W_dec, b_dec, dead, deaths } = inputs;
  const [rows, d] = x.shape;
  const k = config.auxK ?? Math.floor(d / 2);
  const alpha = config.auxAlpha ?? (config.aux === 'saelens' ? 1 : 1 / 32);
  const none = config.aux === 'saelens' ? deaths.dead === 0 : deaths.oldest + rows < config.deadAfter;
  if (alpha === 0 || none) return undefined;

  const list = dead.list(tape, config.aux === 'saelens' ? 'before' : 'after');
  const codes = encodeTopAmong(tape, x, encoder, k, list);
  const { kernels } = tape.device;
  const residual = tape.device.scratch('f32', rows, d);
  kernels.squaredDifference(residual, tape.device.scratch('f64', rows), x, reconstruction);
  switch (config.aux) {
    case 'dictionary_learning':
      return { value: normalizedError(tape, decode(tape, codes, W_dec, null), residual), weight: alpha };
    case 'openai':
      kernels.scaleRows(residual, true, null, b_dec, 1);
      return { value: normalizedError(tape, decode(tape, codes, W_dec, b_dec), residual), weight: alpha };
    case 'saelens': {
      const value = squaredError(tape, decode(tape, codes, W_dec, b_dec), residual);
      return { value, weight: alpha * Math.min(deaths.dead / k, 1) };
    }
  }
}
