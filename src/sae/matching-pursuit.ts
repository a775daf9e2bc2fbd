/**
 * Matching-pursuit SAE — Costa et al., "From Flat to Hierarchical: Extracting Sparse Representations with Matching Pursuit"
 * (arXiv 2506.03093; methods 9.10): a tied dictionary whose latents are chosen one after the other, each for what the ones before have
 * left over. With unit rows d_i and r_0 = x − b, for t = 1 … k:
 *
 *   i = argmax d_i · r,   v = ReLU(d_i · r),   z_i += v,   r −= v d_i           x̂ = b + Σ_i z_i d_i,   L = ‖x − x̂‖² = ‖r_k‖²
 *
 * sum over d, mean over the batch, gradients through all steps (ops/pursuit.ts). The sources differ: overcomplete's MpSAE always takes k
 * steps and has no ReLU; SAELens' MatchingPursuitTrainingSAE stops where ‖r‖ < 1e-2 or a latent is taken again, which is the default
 * here. `revive` is the term that overcomplete recommends, −1e-2 · mean(r · d_i) over the latents with no value ≥ 1e-2 in the batch,
 * for a mean squared error per element: ours sums over d, so its weight is multiplied by d (and it needs no ten such latents).
 * Neither source says how to optimise; the plan of dictionary_learning's TopKTrainer is ours: median start, projected gradient, clip
 * 1.0, Adam, renormalised rows.
 *
 * A step costs more than a top-k SAE's at the same width: the Gram matrix of the dictionary takes F²·d products where an encoder takes
 * B·F·d, every one of the k selections passes over all F scores of a row, and nothing of that can be left out. Measured at d 192,
 * F 3072, k 32, batch 2048: 5 to 7 times.
 */
import { z } from 'zod';
import type { Codes, Tensor } from '../engine/device.ts';
import { squaredError } from '../engine/ops/losses.ts';
import { pursuit, type Pursuit } from '../engine/ops/pursuit.ts';
import { revival } from '../engine/ops/revival.ts';
import type { UpdatePlan } from '../engine/optim.ts';
import type { Tape } from '../engine/tape.ts';
import {
  defineArchitecture,
  type BuildContext,
  type HostState,
  type LossTerm,
  type TrainableSae,
  type TrainingForward,
  type View,
} from './architecture.ts';
import { DeadLatents } from './parts/dead-latents.ts';
import { geometricMedian } from './parts/geometric-median.ts';
import { unitRows } from './parts/initial.ts';
import { decayKey, scaledRate, scaledRateKey, warmupAndDecay, warmupKey } from './parts/rate.ts';

/** The Gram matrix [F, F] takes 256 MiB at this width. */
const WIDEST = 8192;

/** A latent whose largest value in a batch is below counts as silent in the revival term. */
const SILENT_BELOW = 1e-2;

const schema = z.strictObject({
  width: z.number().int().positive().default(4096).describe(`number of latents F, at most ${WIDEST}`),
  k: z.number().int().positive().default(32).describe('steps of the pursuit: at most as many active latents per token'),
  residualThreshold: z.number().min(0).default(1e-2).describe('norm of what is left below which it stops; 0 = never'),
  stopOnRepeat: z.boolean().default(true).describe('stop after a latent was taken a second time'),
  revive: z
    .number()
    .min(0)
    .default(0)
    .describe('weight of the revival of silent latents; recommended by the authors: 0.01'),
  lr: scaledRateKey,
  warmupSteps: warmupKey,
  decayFrom: decayKey,
  deadAfter: z
    .number()
    .int()
    .positive()
    .default(10_000_000)
    .describe('tokens without firing after which a latent is dead'),
});

type Config = z.output<typeof schema>;

class MatchingPursuit implements TrainableSae {
  readonly architecture = 'matching-pursuit';
  readonly d: number;
  readonly width: number;
  readonly views: readonly View[];
  readonly forest = undefined;
  readonly parameters;
  readonly update: UpdatePlan;
  readonly outputBias: Tensor;
  hostState: HostState = {};
  readonly #config: Config;
  readonly #context: BuildContext;
  readonly #W: Tensor;
  readonly #dead: DeadLatents;

  constructor(config: Config, context: BuildContext) {
    const { device, d, seed, steps } = context;
    const { width } = config;
    this.#config = config;
    this.#context = context;
    this.d = d;
    this.width = width;
    this.views = [{ name: 'full', from: 0, to: width }];
    this.#W = device.persistent('f32', width, d);
    this.outputBias = device.persistent('f32', d);
    this.#dead = new DeadLatents(device.persistent('f32', width), config.deadAfter, { above: 0 });
    device.write(this.#W, unitRows(width, d, seed, 'W_dec'));
    this.parameters = [
      { name: 'W_dec', tensor: this.#W, unitRows: true },
      { name: 'b_dec', tensor: this.outputBias, unitRows: false },
    ];
    this.update = {
      stages: [
        { kind: 'project', epsilon: 0 },
        { kind: 'clip', maxNorm: 1, style: 'torch' },
        { kind: 'adam', renormalize: 0 },
      ],
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0,
      learningRate: warmupAndDecay({ ...config, peak: scaledRate(config.lr, width) }, steps),
    };
  }

  get state(): Record<string, Tensor> {
    return { since_fired: this.#dead.counter };
  }

  start(batch: Float32Array): void {
    this.#context.device.write(this.outputBias, geometricMedian(batch, this.d));
  }

  forward(tape: Tape, x: Tensor): TrainingForward {
    const { revive } = this.#config;
    const { device } = tape;
    const { codes, residual } = this.#pursue(tape, x);
    const losses: Record<string, LossTerm> = { l2: { value: squaredError(tape, residual, null), weight: 1 } };
    if (revive > 0) {
      const value = revival(tape, residual, this.#W, this.#silent(tape, codes));
      losses.revival = { value, weight: -revive * this.d };
    }
    this.#dead.observe(tape, codes);
    const reconstruction = device.scratch('f32', ...x.shape);
    device.kernels.scale(reconstruction, false, x, 1);
    device.kernels.scale(reconstruction, true, residual, -1);
    return { losses, observed: {}, codes, reconstruction, commit: () => this.#dead.commit(tape) };
  }

  afterStep(): void {}

  encode(tape: Tape, x: Tensor): Codes {
    return this.#pursue(tape, x).codes;
  }

  dictionary(): Tensor {
    return this.#W;
  }

  deadFraction(): Promise<number> {
    return this.#dead.fraction(this.#context);
  }

  #pursue(tape: Tape, x: Tensor): Pursuit {
    const { k, residualThreshold: threshold, stopOnRepeat: onRepeat } = this.#config;
    return pursuit(tape, x, this.#W, this.outputBias, k, { threshold, onRepeat });
  }

  /** 1 for latents without a value ≥ 1e-2 in this batch, else 0. */
  #silent(tape: Tape, codes: Codes): Tensor {
    const silent = tape.device.scratch('f32', this.width);
    tape.device.kernels.clear(silent);
    tape.device.kernels.countSinceFired(silent, codes, tape.latentIndex(codes), 1, SILENT_BELOW);
    return silent;
  }
}

export const matchingPursuit = defineArchitecture({
  name: 'matching-pursuit',
  paper:
    'Costa et al. 2025, From Flat to Hierarchical: Extracting Sparse Representations with Matching Pursuit, arXiv 2506.03093',
  summary: 'latents chosen one after the other, each for what the ones before left over',
  about: {
    idea:
      'Latents are chosen one after the other: always the one that fits best what the earlier ones have left over. So a ' +
      'latent need not be distinct from those it never occurs with, only from those it completes. Encoder and decoder are ' +
      'the same dictionary, and gradients flow through all choices.',
    equations:
      'r_0 = x − b; for t = 1 … k: i = argmax_i d_i·r, v = ReLU(d_i·r), z_i += v, r −= v d_i; x̂ = b + Σ z_i d_i, L = ‖r_k‖². ' +
      'Stops where ‖r‖ < τ or a latent is taken again (SAELens).',
    use:
      'Where reconstruction at a given L0 counts most: in Tree SAE’s comparison it explains most variance and has the worst ' +
      'hierarchy and absorption, and a step costs several times that of a top-k SAE.',
  },
  hierarchical: false,
  views: ['full'],
  normalization: 'scalar',
  schema,
  check: ({ width, k }) => {
    if (width > WIDEST)
      return `width: matching pursuit holds the ${width} × ${width} inner products of its dictionary; it can be at most ${WIDEST}`;
    return k > width ? `k: ${k} steps over ${width} latents; k can be at most the width` : undefined;
  },
  cost: ({ width, k }, d) => ({
    parameters: width * d + d,
    // Scores once, then k corrections of all of them; the Gram matrix belongs to the dictionary, not to a token.
    encodeFlops: 2 * (width * d + k * width + 2 * k * d),
    decodeFlops: 2 * k * d,
  }),
  build: (config, context) => new MatchingPursuit(config, context),
});
