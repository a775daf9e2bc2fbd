/**
 * ReLU SAE with an L1 penalty — Bricken et al., "Towards Monosemanticity" (2023) and Cunningham et al. (arXiv 2309.08600), as
 * released in dictionary_learning's StandardTrainer (methods 9.1, constants verified there).
 *
 *   f = ReLU(W_enc (x − b_dec) + b_enc),   x̂ = W_decᵀ f + b_dec
 *   L = ‖x − x̂‖² + λ ‖f‖₁,   λ warmed up linearly
 *
 * sums over d, means over the batch. Step: project the decoder's gradient, Adam, renormalise; no clipping. On request every
 * `resampleEvery` steps latents that were silent for half as long start anew (parts/resampling.ts), after which the
 * learning rate warms up again.
 *
 * Ours: W_enc starts in the directions of W_dec, with x̂ ≈ x (the source draws it); warm-ups shrink with short runs; resampling
 * may be combined with the decay of the rate.
 *
 * At the start half of all latents are active: such a step costs about twice a wholly dense one, for a short while. At equal L0 a
 * step costs what topk's does.
 */
import { z } from 'zod';
import { Random } from '../core/random.ts';
import type { Tensor } from '../engine/device.ts';
import { decode } from '../engine/ops/decode.ts';
import { absoluteSum, squaredError } from '../engine/ops/losses.ts';
import type { UpdatePlan } from '../engine/optim.ts';
import { defaultWarmup } from '../engine/schedules.ts';
import type { Tape } from '../engine/tape.ts';
import { defineArchitecture, type BuildContext, type Maintenance, type TrainingForward } from './architecture.ts';
import { flatCost, NOMINAL_L0 } from './parts/cost.ts';
import { CONSTRAINED_ADAM, l1Keys, l1Schedules } from './parts/l1-family.ts';
import { balancedNorms, ReluSae } from './parts/relu-sae.ts';
import { drawRows, gatherRows, reconstructionErrors, restartLatents } from './parts/resampling.ts';

const schema = z.strictObject({
  ...l1Keys(1e-3),
  resampleEvery: z
    .number()
    .int()
    .min(2)
    .nullable()
    .default(null)
    .describe('steps between resamplings of latents that were silent for half as long; null = never'),
  resampling: z
    .enum(['release', 'anthropic'])
    .default('release')
    .describe('new encoder rows: a multiple of the input (released code) or of its direction (Anthropic)'),
});

type Config = z.output<typeof schema>;

class ReluL1 extends ReluSae {
  readonly architecture = 'relu-l1';
  readonly update: UpdatePlan;
  readonly #config: Config;
  readonly #penalty: (step: number) => number;

  constructor(config: Config, context: BuildContext) {
    const { width, deadAfter, resampleEvery } = config;
    super(
      { width, centered: true, unitDecoder: true, initialNorms: balancedNorms(width, context.d), deadAfter },
      context,
    );
    this.#config = config;
    const { learningRate, penalty } = l1Schedules(config, context.steps);
    this.#penalty = penalty;
    const warmup = config.warmupSteps ?? defaultWarmup(context.steps);
    this.update = {
      stages: CONSTRAINED_ADAM,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0,
      learningRate: (step) => {
        const since = resampleEvery === null || step < resampleEvery ? Infinity : step % resampleEvery;
        return learningRate(step) * (since < warmup ? since / warmup : 1);
      },
    };
  }

  forward(tape: Tape, x: Tensor, step: number): TrainingForward {
    const codes = this.encode(tape, x);
    const reconstruction = decode(tape, codes, this.W_dec, this.outputBias);
    this.dead.observe(tape, codes);
    return {
      losses: {
        l2: { value: squaredError(tape, reconstruction, x), weight: 1 },
        l1: { value: absoluteSum(tape, codes), weight: this.#penalty(step) },
      },
      observed: {},
      codes,
      reconstruction,
      commit: () => this.dead.commit(tape),
    };
  }

  async maintain({ step, x, clearMoments }: Maintenance): Promise<void> {
    const { resampleEvery, resampling } = this.#config;
    if (resampleEvery === null || step === 0 || step % resampleEvery > 0) return;
    const { device, batch, seed } = this.context;
    const counters = await device.read(this.dead.counter as Tensor & { dtype: 'f32' });
    const silent = [...counters.keys()].filter((latent) => counters[latent] > (resampleEvery / 2) * batch);
    if (silent.length === 0) return;
    const errors = await reconstructionErrors(device, this, x);
    const rows = drawRows(errors, silent.length, new Random(seed, 'resample', step));
    const weights = { W_enc: this.encoder.W, b_enc: this.encoder.bias, W_dec: this.W_dec };
    await restartLatents(device, weights, silent, await gatherRows(device, x, rows), resampling, clearMoments);
  }
}

export const reluL1 = defineArchitecture({
  name: 'relu-l1',
  paper: 'Bricken et al. 2023, Towards Monosemanticity; Cunningham et al. 2023, arXiv 2309.08600',
  summary: 'flat; rectified latents under an L1 penalty, decoder rows of unit norm',
  about: {
    idea:
      'The first SAEs: rectified codes and a penalty on their sum. Decoder rows have unit norm, so that the penalty cannot be evaded by ' +
      'small codes and large rows. On request latents that stay silent start anew at inputs that are reconstructed badly.',
    equations:
      'f = ReLU(W_enc (x − b_dec) + b_enc), x̂ = W_decᵀ f + b_dec; L = ‖x − x̂‖² + λ‖f‖₁ (Cunningham et al., ' +
      'section 2).',
    use:
      'To reproduce early work, or as the simplest reference. L0 follows from λ only after training, and the penalty shrinks every code: ' +
      'at equal L0 it reconstructs worse than topk.',
  },
  hierarchical: false,
  views: ['full'],
  normalization: 'scalar',
  schema,
  sized: ({ width }) => ({ width }),
  cost: ({ width }, d) => flatCost(width, NOMINAL_L0, d),
  build: (config, context) => new ReluL1(config, context),
});
