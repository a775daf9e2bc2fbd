/**
 * Compositional Hierarchies: three tiers, each composing the codes of the one below. The published
 * model (`variant: literal`, compositional-literal.ts; methods 4.1) never trained: losses were NaN from the first step (methods 4.2).
 * This is the stable redesign of methods 4.4, our own; no results of others exist to compare it with. For i = 1, 2, 3:
 *
 *   h_i = TopK_{k_i}(ReLU(W_i (x − b) + V_i h_{i−1} + b_i)),  h_0 = 0          each tier composes lower ones but sees x
 *   x̂_{≤i} = b + Σ_{t≤i} W'_t h_t                                              every prefix reconstructs on its own
 *   L = Σ_i ‖x − x̂_{≤i}‖² + α Σ_i aux_i                                        sums over d, means over the batch
 *
 * `activation: relu` keeps every positive score and adds λ1 Σ_i w_i Σ_j h_ij ‖W'_ij‖ with the published λ1 and fixed w. Gradients
 * flow through h_{i−1} into the tier below. aux_i: the dead latents of tier i reconstruct what x̂_{≤i} leaves over (topk.ts); the
 * codes below are constants in it. Curriculum: tier 1 alone for a quarter of the run, then tiers 1 and 2 for a quarter, then all;
 * a tier that is not in yet is neither encoded nor trained.
 * Step: project the decoders' gradient, clip 1.0 over all tiers, Adam without weight decay, renormalise the decoders.
 * Ours where nothing is written down: V starts at 0; one factor on all encoders makes the first full reconstruction as long as x;
 * the warm-up is at most a tenth of the run; what counts as composition coverage (ops/composition.ts).
 */
import { z } from 'zod';
import type { Codes, Tensor } from '../engine/device.ts';
import { compose, compositionCoverage, type Composition } from '../engine/ops/composition.ts';
import { encodeAtLeast, encodeTop, encodeTopAmong, RELU, type Encoder } from '../engine/ops/encode.ts';
import { decode } from '../engine/ops/decode.ts';
import { joinCodes } from '../engine/ops/join-codes.ts';
import { normalizedError, squaredError } from '../engine/ops/losses.ts';
import { normWeightedPenalty } from '../engine/ops/penalty.ts';
import type { Parameter, UpdatePlan } from '../engine/optim.ts';
import { cubicWarmup, defaultWarmup } from '../engine/schedules.ts';
import type { Scalar, Tape } from '../engine/tape.ts';
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
import { LITERAL_PARTS, LiteralCompositional, literalCost } from './compositional-literal.ts';
import { ofEachTier, perTier, viewsOfTiers } from './parts/tiers.ts';

const weight = z.number().min(0);

const schema = z.strictObject({
  variant: z
    .enum(['stable', 'literal'])
    .default('stable')
    .describe(
      'stable = our redesign; literal = as published, with the keys width, l1, tierWeights, literalWithout, lr and warmupSteps',
    ),
  width: perTier
    .default(4608)
    .describe('latents of all tiers, shared 1 : 2 : 3, or a list of three; published [768, 1536, 2304]'),
  k: perTier.default(48).describe('active latents per token, of all tiers or a list of three (topk)'),
  activation: z
    .enum(['topk', 'relu'])
    .default('topk')
    .describe('selection in each tier; relu comes with the L1 penalty'),
  l1: weight.default(0.04).describe('λ1 (relu, literal)'),
  tierWeights: z
    .tuple([weight, weight, weight])
    .default([0.1, 0.3, 0.6])
    .describe('w, share of each tier in the penalty (relu; literal: at the start)'),
  l1Warmup: z.number().min(0).max(1).default(0.2).describe('share of the run over which λ1 rises from 0 (relu)'),
  curriculum: z.boolean().default(true).describe('tier 2 enters after a quarter of the run, tier 3 after half'),
  startFromData: z
    .boolean()
    .default(true)
    .describe('b starts at the geometric median of the first batch, encoders at its scale'),
  auxAlpha: weight.default(1 / 32).describe('weight of the auxiliary loss of dead latents, per tier'),
  auxK: z.number().int().positive().nullable().default(null).describe('dead latents per token in it; null = d / 2'),
  deadAfter: z
    .number()
    .int()
    .positive()
    .default(10_000_000)
    .describe('tokens without firing after which a latent is dead'),
  literalWithout: z
    .array(z.enum(LITERAL_PARTS))
    .default([])
    .describe('parts of the published recipe that are left out, to see which of them makes it fail (literal)'),
  lr: z.number().positive().default(3e-4).describe('learning rate'),
  warmupSteps: z
    .number()
    .int()
    .min(0)
    .nullable()
    .default(null)
    .describe('cubic warm-up; null = 2000, at most a tenth of the run'),
});

type Config = z.output<typeof schema>;

/** Rows of the first batch that decide the encoders' scale. */
const SCALE_ROWS = 64;

interface Tier {
  /** Counted from 1. */
  readonly number: number;
  readonly width: number;
  readonly k: number;
  /** Step with which it enters. */
  readonly fromStep: number;
  readonly encoder: Encoder & { bias: Tensor };
  /** [n_{i−1}, n_i]; undefined for the first tier. */
  readonly V: Tensor | undefined;
  readonly decoder: Tensor;
  readonly dead: DeadLatents;
}

interface TierCodes {
  tier: Tier;
  codes: Codes;
  /** The encoder as it was used. */
  encoder: Encoder;
  composition: Composition | undefined;
}

class Compositional implements TrainableSae {
  readonly architecture = 'compositional';
  readonly d: number;
  readonly width: number;
  readonly views: readonly View[];
  readonly forest = undefined;
  readonly parameters: readonly Parameter[];
  readonly update: UpdatePlan;
  /** tiers: how many have been trained; oldest<i>: largest number of rows since a latent of tier i fired. */
  hostState: HostState;
  readonly #config: Config;
  readonly #context: BuildContext;
  readonly #tiers: readonly Tier[];
  readonly #bias: Tensor;

  constructor(config: Config, context: BuildContext) {
    const { device, d, seed, steps } = context;
    const widths = ofEachTier(config.width);
    const ks = ofEachTier(config.k);
    this.#config = config;
    this.#context = context;
    this.d = d;
    this.width = widths.reduce((sum, n) => sum + n);
    this.views = viewsOfTiers(widths);
    const tensor = (...shape: number[]): Tensor => device.persistent('f32', ...shape);
    this.#bias = tensor(d);
    this.#tiers = widths.map((n, i) => ({
      number: i + 1,
      width: n,
      k: ks[i],
      fromStep: config.curriculum ? Math.floor((i * steps) / 4) : 0,
      encoder: { W: tensor(n, d), bias: tensor(n), center: this.#bias, floor: RELU },
      V: i === 0 ? undefined : tensor(widths[i - 1], n),
      decoder: tensor(n, d),
      dead: new DeadLatents(tensor(n), config.deadAfter, { above: 0 }),
    }));
    for (const { encoder, decoder, number, width } of this.#tiers) {
      const directions = unitRows(width, d, seed, decoderName(number));
      device.write(encoder.W, directions);
      device.write(decoder, directions);
    }
    this.hostState = {
      tiers: this.#tiersAt(0),
      ...Object.fromEntries(this.#tiers.map(({ number }) => [`oldest${number}`, 0])),
    };
    this.parameters = [
      ...this.#tiers.flatMap(({ number, encoder, V, decoder, fromStep }) => [
        { name: `tier${number}.W_enc`, tensor: encoder.W, unitRows: false, fromStep },
        { name: `tier${number}.b_enc`, tensor: encoder.bias, unitRows: false, fromStep },
        ...(V ? [{ name: `tier${number}.V`, tensor: V, unitRows: false, fromStep }] : []),
        { name: decoderName(number), tensor: decoder, unitRows: true, fromStep },
      ]),
      { name: 'b_dec', tensor: this.#bias, unitRows: false },
    ];
    const factor = cubicWarmup(config.warmupSteps ?? defaultWarmup(steps, 2000));
    this.update = {
      stages: [
        { kind: 'project', epsilon: 0 },
        { kind: 'clip', maxNorm: 1, style: 'optax' },
        { kind: 'adam', renormalize: 0 },
      ],
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0,
      learningRate: (step) => config.lr * factor(step),
    };
  }

  get outputBias(): Tensor {
    return this.#bias;
  }

  get state(): Record<string, Tensor> {
    return Object.fromEntries(this.#tiers.map(({ number, dead }) => [`tier${number}.since_fired`, dead.counter]));
  }

  start(batch: Float32Array): void {
    if (!this.#config.startFromData) return;
    const { device, seed } = this.#context;
    const center = geometricMedian(batch, this.d);
    device.write(this.#bias, center);
    const directions = this.#tiers.map(({ width, number }) => unitRows(width, this.d, seed, decoderName(number)));
    const factor = this.#scaleOf(batch, center, directions);
    for (const [i, { encoder }] of this.#tiers.entries()) {
      device.write(
        encoder.W,
        directions[i].map((value) => factor * value),
      );
    }
  }

  forward(tape: Tape, x: Tensor, step: number): TrainingForward {
    const { activation, l1, l1Warmup, tierWeights, auxAlpha, deadAfter } = this.#config;
    const warm = l1Warmup === 0 ? 1 : Math.min(1, step / (l1Warmup * this.#context.steps));
    const encoded = this.#encodeTiers(tape, x, this.#tiersAt(step));
    const losses: Record<string, LossTerm> = {};
    const observed: Record<string, Scalar> = {};
    let reconstruction = this.#bias;
    for (const { tier, codes, encoder, composition } of encoded) {
      const { number, decoder, dead } = tier;
      reconstruction = decode(tape, codes, decoder, reconstruction);
      losses[`l2_${number}`] = { value: squaredError(tape, reconstruction, x), weight: 1 };
      if (activation === 'relu') {
        const penalty = normWeightedPenalty(tape, codes, decoder, 'l1');
        losses[`l1_${number}`] = { value: penalty, weight: l1 * tierWeights[number - 1] * warm };
      }
      dead.observe(tape, codes);
      // Scoring dead latents costs a second product: skip it while none can be dead.
      if (this.hostState[`oldest${number}`] + codes.rows >= deadAfter && auxAlpha > 0)
        losses[`aux_${number}`] = { value: this.#aux(tape, x, tier, encoder, reconstruction), weight: auxAlpha };
      observed[`oldest${number}`] = dead.oldest(tape);
      if (composition) observed[`coverage${number}`] = compositionCoverage(tape, codes, composition);
    }
    return {
      losses,
      observed,
      codes: this.#join(tape, encoded),
      reconstruction,
      commit: () => encoded.forEach(({ tier }) => tier.dead.commit(tape)),
    };
  }

  afterStep(step: number, observed: Record<string, number>): void {
    const oldest = Object.entries(observed).filter(([name]) => name.startsWith('oldest'));
    this.hostState = { ...this.hostState, tiers: this.#tiersAt(step), ...Object.fromEntries(oldest) };
  }

  /** Of the tiers that have been trained. */
  encode(tape: Tape, x: Tensor): Codes {
    return this.#join(tape, this.#encodeTiers(tape, x, this.hostState.tiers));
  }

  dictionary({ device }: Tape): Tensor {
    const all = device.scratch('f32', this.width, this.d);
    let at = 0;
    for (const { decoder, width } of this.#tiers) {
      device.kernels.place(all, at, decoder);
      at += width * this.d;
    }
    return all;
  }

  async deadFraction(): Promise<number> {
    let dead = 0;
    for (const tier of this.#tiers) dead += tier.width * (await tier.dead.fraction(this.#context));
    return dead / this.width;
  }

  #tiersAt(step: number): number {
    return this.#tiers.filter(({ fromStep }) => step >= fromStep).length;
  }

  #encodeTiers(tape: Tape, x: Tensor, count: number): TierCodes[] {
    const encoded: TierCodes[] = [];
    for (const tier of this.#tiers.slice(0, count)) {
      const { V, k, encoder: own } = tier;
      const composition = V && compose(tape, encoded.at(-1)!.codes, V, own.bias);
      const encoder = composition ? { ...own, composition } : own;
      const codes =
        this.#config.activation === 'topk' ? encodeTop(tape, x, encoder, k) : encodeAtLeast(tape, x, encoder);
      encoded.push({ tier, codes, encoder, composition });
    }
    return encoded;
  }

  /** What the best dead latents of a tier make of the residual up to it. */
  #aux(tape: Tape, x: Tensor, { decoder, dead }: Tier, encoder: Encoder, reconstruction: Tensor): Scalar {
    const { device } = tape;
    const { composition } = encoder;
    const detached = composition ? { ...encoder, composition: { ...composition, detached: true } } : encoder;
    const k = this.#config.auxK ?? Math.floor(this.d / 2);
    const aux = encodeTopAmong(tape, x, detached, Math.max(1, k), dead.list(tape));
    const residual = device.scratch('f32', ...x.shape);
    device.kernels.squaredDifference(residual, device.scratch('f64', x.shape[0]), x, reconstruction);
    return normalizedError(tape, decode(tape, aux, decoder, null), residual);
  }

  #join(tape: Tape, encoded: readonly TierCodes[]): Codes {
    return joinCodes(
      tape,
      encoded.map(({ codes }) => codes),
      this.width,
    );
  }

  /** Mean ‖x − b‖ over mean ‖x̂ − b‖ with unit encoders, V = 0 and no biases. */
  #scaleOf(batch: Float32Array, center: Float64Array, directions: readonly Float32Array[]): number {
    const { d } = this;
    const rows = batch.length / d;
    const sampled = Math.min(rows, SCALE_ROWS);
    let [wanted, found] = [0, 0];
    for (let s = 0; s < sampled; s++) {
      const from = Math.floor((s * rows) / sampled) * d;
      const input = center.map((c, i) => batch[from + i] - c);
      const output = new Float64Array(d);
      for (const [t, { width, k }] of this.#tiers.entries()) {
        const row = (j: number): Float32Array => directions[t].subarray(j * d, j * d + d);
        const scores = Float64Array.from({ length: width }, (_, j) => dot(row(j), input));
        const floor = this.#config.activation === 'topk' ? scores.toSorted()[Math.max(0, width - k)] : 0;
        for (const [j, z] of scores.entries())
          if (z > 0 && z >= floor) row(j).forEach((value, i) => (output[i] += z * value));
      }
      wanted += Math.sqrt(dot(input, input));
      found += Math.sqrt(dot(output, output));
    }
    return wanted > 0 && found > 0 ? wanted / found : 1;
  }
}

const decoderName = (tier: number): string => `tier${tier}.W_dec`;

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

export const compositional = defineArchitecture({
  name: 'compositional',
  paper:
    'Anonymous, Compositional Hierarchies: Sparse Autoencoders for Multi-Level Language Model Interpretability, under review',
  summary: 'three tiers, each composing the codes of the one below; every prefix reconstructs',
  about: {
    idea:
      'Three tiers, in which every tier is encoded from the input and from the codes of the tier below: later latents can be ' +
      'combinations of earlier ones. Every prefix of tiers reconstructs on its own, and tiers enter training one after the ' +
      'other. A stable redesign; the published form, which never trained, is a variant.',
    equations:
      "h_i = TopK_{k_i}(ReLU(W_i (x − b) + V_i h_{i−1} + b_i)), x̂_{≤i} = b + Σ_{t≤i} W'_t h_t, L = Σ_i ‖x − x̂_{≤i}‖² + α " +
      "Σ_i aux_i; ours, after the paper's three-tier equations.",
    use:
      'To study composition of features: V says which latents a latent is made of. No published result to compare with; a ' +
      'latent may have several parts, so there is no forest.',
  },
  hierarchical: false,
  views: ['full', 'tier-1', 'tier-2'],
  normalization: 'scalar',
  schema,
  check: ({ variant, activation, width, k, tierWeights }) => {
    if (variant === 'literal')
      return tierWeights.some((w) => w === 0)
        ? 'tierWeights: the literal variant learns their logarithms; they have to be positive'
        : undefined;
    const [widths, ks] = [ofEachTier(width), ofEachTier(k)];
    const wrong = activation === 'topk' ? widths.findIndex((n, i) => ks[i] > n) : -1;
    return wrong < 0
      ? undefined
      : `k: ${ks[wrong]} active latents in tier ${wrong + 1} of width ${widths[wrong]}; k can be at most the width`;
  },
  cost: ({ variant, width, k }, d) => {
    const [widths, ks] = [ofEachTier(width), ofEachTier(k)];
    if (variant === 'literal') return literalCost(widths, d);
    const all = widths.reduce((sum, n) => sum + n);
    const between = [1, 2];
    return {
      parameters: 2 * all * d + all + d + between.reduce((sum, i) => sum + widths[i - 1] * widths[i], 0),
      // The part of V that active latents touch; with relu there may be more of them than k.
      encodeFlops: 2 * (all * d + between.reduce((sum, i) => sum + ks[i - 1] * widths[i], 0)),
      decodeFlops: 2 * d * ks.reduce((sum, n) => sum + n),
    };
  },
  build: (config, context) =>
    config.variant === 'literal' ? new LiteralCompositional(config, context) : new Compositional(config, context),
});
