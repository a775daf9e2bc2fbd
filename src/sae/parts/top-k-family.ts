/**
 * What dictionary_learning's trainers of top-k SAEs have in common: TopKTrainer, BatchTopKTrainer and
 * MatryoshkaBatchTopKTrainer are copies of one another but for selection and reconstruction loss (methods 9.2, 9.3, 9.6).
 *
 *   f = select(ReLU(W_enc (x − b_dec) + b_enc)),   x̂ = W_decᵀ f + b_dec,   L = reconstruction + α · aux (aux-k.ts)
 *
 * Step: project the decoder's gradient, clip 1.0, Adam, renormalise the decoder.
 */
import { z } from 'zod';
import type { Codes, Tensor } from '../../engine/device.ts';
import { RELU, type Encoder } from '../../engine/ops/encode.ts';
import type { UpdatePlan } from '../../engine/optim.ts';
import type { Scalar, Tape } from '../../engine/tape.ts';
import type { BuildContext, HostState, LossTerm, TrainableSae, TrainingForward, View } from '../architecture.ts';
import { auxiliaryLoss, auxKeys, type AuxConfig } from './aux-k.ts';
import { DeadLatents, type Counting } from './dead-latents.ts';
import { geometricMedian } from './geometric-median.ts';
import { unitRows } from './initial.ts';
import { decayKey, scaledRate, scaledRateKey, warmupAndDecay, warmupKey } from './rate.ts';
import { annealedK, annealingKeys, type AnnealingConfig } from './k-annealing.ts';
import {
  encodeAbove,
  thresholdKeys,
  thresholdSchedule,
  trackedThreshold,
  UNSET,
  type ThresholdConfig,
} from './threshold.ts';

export const topKFamilyKeys = {
  width: z.number().int().positive().default(16384).describe('number of latents F'),
  k: z.number().int().positive().default(32).describe('active latents per token'),
  lr: scaledRateKey,
  warmupSteps: warmupKey,
  decayFrom: decayKey,
  ...auxKeys,
  ...thresholdKeys,
  ...annealingKeys,
};

export interface TopKFamilyConfig extends AuxConfig, ThresholdConfig, AnnealingConfig {
  lr: number | null;
  warmupSteps: number | null;
  decayFrom: number;
}

export const moreThanWidth = ({ k, width }: { k: number; width: number }): string | undefined =>
  k > width ? `k: ${k} active latents of width ${width}; k can be at most the width` : undefined;

/** epsilon of the decoder constraint in the source: projection w / (‖w‖ + 1e-6), renormalisation by the float32 machine epsilon. */
export const PROJECT_EPSILON = 1e-6;
export const RENORM_EPSILON = 2 ** -23;

/** Selection and reconstruction of one batch. */
export interface Selected {
  codes: Codes;
  /** By all latents [B, d]. */
  reconstruction: Tensor;
  losses: Record<string, LossTerm>;
}

export abstract class TopKFamily<Config extends TopKFamilyConfig> implements TrainableSae {
  abstract readonly architecture: string;
  readonly d: number;
  readonly width: number;
  readonly views: readonly View[];
  readonly forest = undefined;
  readonly parameters;
  readonly update: UpdatePlan;
  /** threshold of inference; oldest, dead: see aux-k.ts */
  hostState: HostState = { threshold: UNSET, oldest: 0, dead: 0 };
  protected readonly config: Config;
  protected readonly context: BuildContext;
  protected readonly encoder: Encoder & { bias: Tensor; center: Tensor };
  protected readonly W_dec: Tensor;
  readonly #dead: DeadLatents;

  /** @param encoderScale factor on the encoder, which starts as a copy of the decoder W [F, d] */
  constructor(
    config: Config,
    context: BuildContext,
    views: readonly View[],
    firing: Counting,
    encoderScale?: (W: Float32Array) => number,
  ) {
    const { device, d, seed, steps } = context;
    const { width } = config;
    this.config = config;
    this.context = context;
    this.d = d;
    this.width = width;
    this.views = views;
    const W_enc = device.persistent('f32', width, d);
    const W_dec = device.persistent('f32', width, d);
    const b_enc = device.persistent('f32', width);
    const b_dec = device.persistent('f32', d);
    const directions = unitRows(width, d, seed, 'W_dec');
    device.write(W_dec, directions);
    const scale = encoderScale?.(directions) ?? 1;
    device.write(
      W_enc,
      directions.map((value) => scale * value),
    );
    this.encoder = { W: W_enc, bias: b_enc, center: b_dec, floor: RELU };
    this.W_dec = W_dec;
    this.parameters = [
      { name: 'W_enc', tensor: W_enc, unitRows: false },
      { name: 'b_enc', tensor: b_enc, unitRows: false },
      { name: 'W_dec', tensor: W_dec, unitRows: true },
      { name: 'b_dec', tensor: b_dec, unitRows: false },
    ];
    this.#dead = new DeadLatents(device.persistent('f32', width), config.deadAfter, firing);
    this.update = {
      stages: [
        { kind: 'project', epsilon: PROJECT_EPSILON },
        { kind: 'clip', maxNorm: 1, style: 'torch' },
        { kind: 'adam', renormalize: RENORM_EPSILON },
      ],
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0,
      learningRate: warmupAndDecay({ ...config, peak: scaledRate(config.lr, width) }, steps),
    };
  }

  /** Selects about k latents per row and reconstructs. */
  protected abstract select(tape: Tape, x: Tensor, k: number, step: number): Selected;

  /** What the inference threshold follows, given the smallest positive value of each row (f64, 0 where there is none). */
  protected abstract smallest(tape: Tape, ofRows: Tensor): Scalar;

  get outputBias(): Tensor {
    return this.encoder.center;
  }

  get state(): Record<string, Tensor> {
    return { since_selected: this.#dead.counter };
  }

  /** b_dec starts at the geometric median of the first batch. */
  start(batch: Float32Array): void {
    this.context.device.write(this.encoder.center, geometricMedian(batch, this.d));
  }

  forward(tape: Tape, x: Tensor, step: number): TrainingForward {
    const { config, encoder, W_dec } = this;
    const { codes, reconstruction, losses } = this.select(tape, x, annealedK(config, this.d, step), step);
    const dead = this.#dead;
    dead.observe(tape, codes);
    const { oldest, dead: count } = this.hostState;
    const aux = auxiliaryLoss(tape, config, {
      x,
      reconstruction,
      encoder,
      W_dec,
      b_dec: encoder.center,
      dead,
      deaths: { oldest, dead: count },
    });
    if (aux) losses.aux = aux;

    const ofRows = tape.device.scratch('f64', codes.rows);
    tape.device.kernels.smallestPositive(ofRows, codes);
    const observed: Record<string, Scalar> = { smallest: this.smallest(tape, ofRows), oldest: dead.oldest(tape) };
    if (config.aux === 'saelens') observed.dead = dead.count(tape);
    return { losses, observed, codes, reconstruction, commit: () => dead.commit(tape) };
  }

  afterStep(step: number, { smallest, oldest, dead = 0 }: Record<string, number>): void {
    const threshold = trackedThreshold(
      thresholdSchedule(this.config, this.context.steps),
      this.hostState.threshold,
      smallest,
      step,
    );
    this.hostState = { threshold, oldest, dead };
  }

  encode(tape: Tape, x: Tensor): Codes {
    return encodeAbove(tape, x, this.encoder, this.hostState.threshold);
  }

  dictionary(): Tensor {
    return this.W_dec;
  }

  deadFraction(): Promise<number> {
    return this.#dead.fraction(this.context);
  }
}
