/**
 * ReLU SAE with an L1 penalty weighted by decoder norms — Anthropic's April 2024 update, as released in
 * dictionary_learning's StandardTrainerAprilUpdate (methods 9.1, verified).
 *
 *   f = ReLU(W_enc (x − b_dec) + b_enc),   x̂ = W_decᵀ f + b_dec
 *   L = ‖x − x̂‖² + λ Σ_i f_i ‖d_i‖,   d_i the rows of W_dec, λ warmed up linearly
 *
 * sums over d, means over the batch. The decoder is free: no projection, no renormalisation; the penalty's gradient flows into
 * the norms too. Step: clip 1.0, Adam. W_enc starts as W_dec with rows of norm 0.1. Warm-ups shrink with short runs.
 */
import { z } from 'zod';
import type { Tensor } from '../engine/device.ts';
import { decode } from '../engine/ops/decode.ts';
import { squaredError } from '../engine/ops/losses.ts';
import { normWeightedPenalty } from '../engine/ops/penalty.ts';
import type { UpdatePlan } from '../engine/optim.ts';
import type { Tape } from '../engine/tape.ts';
import { defineArchitecture, type BuildContext, type TrainingForward } from './architecture.ts';
import { flatCost, NOMINAL_L0 } from './parts/cost.ts';
import { l1Keys, l1Schedules } from './parts/l1-family.ts';
import { ReluSae } from './parts/relu-sae.ts';

const schema = z.strictObject(l1Keys(1e-3));

type Config = z.output<typeof schema>;

class ReluL1April extends ReluSae {
  readonly architecture = 'relu-l1-april';
  readonly update: UpdatePlan;
  readonly #penalty: (step: number) => number;

  constructor(config: Config, context: BuildContext) {
    const { width, deadAfter } = config;
    super(
      { width, centered: true, unitDecoder: false, initialNorms: { encoder: 0.1, decoder: 0.1 }, deadAfter },
      context,
    );
    const { learningRate, penalty } = l1Schedules(config, context.steps);
    this.#penalty = penalty;
    this.update = {
      stages: [{ kind: 'clip', maxNorm: 1, style: 'torch' }, { kind: 'adam' }],
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0,
      learningRate,
    };
  }

  forward(tape: Tape, x: Tensor, step: number): TrainingForward {
    const codes = this.encode(tape, x);
    const reconstruction = decode(tape, codes, this.W_dec, this.outputBias);
    this.dead.observe(tape, codes);
    return {
      losses: {
        l2: { value: squaredError(tape, reconstruction, x), weight: 1 },
        l1: { value: normWeightedPenalty(tape, codes, this.W_dec, 'l1'), weight: this.#penalty(step) },
      },
      observed: {},
      codes,
      reconstruction,
      commit: () => this.dead.commit(tape),
    };
  }
}

export const reluL1April = defineArchitecture({
  name: 'relu-l1-april',
  paper: 'Anthropic 2024, Circuits Updates – April 2024: Update on how we train SAEs',
  summary: 'flat; rectified latents under an L1 penalty weighted by the norms of a free decoder',
  about: {
    idea:
      'Weighs every code by the norm of its decoder row in the L1 penalty, which makes constraints on the decoder unnecessary: code times norm ' +
      'is what a latent really adds. Together with a small initial decoder and clipping this trains with few dead latents and no resampling.',
    equations: 'L = ‖x − x̂‖² + λ Σᵢ fᵢ ‖dᵢ‖, with the encoder and decoder of relu-l1.',
    use:
      'The better of the two L1 baselines, and where decoder norms should be free. Like relu-l1 it shrinks codes, and L0 has to be found by ' +
      'trying λ.',
  },
  hierarchical: false,
  views: ['full'],
  normalization: 'scalar',
  schema,
  sized: ({ width }) => ({ width }),
  cost: ({ width }, d) => flatCost(width, NOMINAL_L0, d),
  build: (config, context) => new ReluL1April(config, context),
});
