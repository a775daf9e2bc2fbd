/**
 * The Matryoshka baseline of "Tree SAE: Learning Hierarchical Feature Structures in Sparse Autoencoders" (arXiv 2605.07922), as released in
 * tue147/tree-sae (MatryoshkaSAE; methods 5.2 and 5.4, all constants verified there): top-k per token over the whole dictionary, on
 * tokens that the model standardises itself (ops/standardize.ts).
 *
 *   x̃ = standardised x,   f = TopK_k(ReLU(W_enc (x̃ − b_dec))),   x̂_g = (Σ_{i < end_g} f_i W_dec,i + b_dec) restored
 *   L = Σ_g mean((x̂_g − x)²) / (Var x + 1e-8) + α mean((e − ê)²) / mean((e − mean_d e)²)
 *
 * e = x − x̂_G is not detached; ê = W_decᵀ ẑ + b_dec by the k_aux best dead latents ẑ, not restored (ops/losses.ts, residualRatio). With no
 * latent dead ê = b_dec, so the auxiliary term is about α, not 0. A latent fires with a value > 1e-3; it is dead after deadAfter
 * tokens, counted in whole steps of which the step that fires is the first.
 * Step: renormalise the decoder, project its gradient by the new rows, Adam: between steps rows are not exactly of norm 1.
 * b_dec starts at the geometric median of the raw first batch, although it is used in the standardised space, as released.
 */
import { z } from 'zod';
import type { Codes, Tensor } from '../engine/device.ts';
import { encodeTop, encodeTopAmong, RELU, type Encoder } from '../engine/ops/encode.ts';
import { decode } from '../engine/ops/decode.ts';
import { relativeError, residualRatio } from '../engine/ops/losses.ts';
import { restore, standardize } from '../engine/ops/standardize.ts';
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
import { normalizeRows } from '../core/rows.ts';
import { uniform } from './parts/initial.ts';
import { fixedEnds, prefixName, prefixViews, wrongFractions } from './parts/prefixes.ts';
import { moreThanWidth } from './parts/top-k-family.ts';

/** 1536, 3072, 9216 and 10752 latents of 24576. */
const DEFAULT_FRACTIONS = [1 / 16, 1 / 8, 3 / 8, 7 / 16];

const schema = z.strictObject({
  width: z.number().int().positive().default(24576).describe('number of latents F'),
  k: z.number().int().positive().default(32).describe('active latents per token'),
  groupFractions: z
    .array(z.number().positive())
    .min(1)
    .default(DEFAULT_FRACTIONS)
    .describe('shares of the dictionary that each prefix adds to the one before'),
  lr: z.number().positive().default(1e-4).describe('learning rate, constant'),
  auxAlpha: z
    .number()
    .min(0)
    .default(1 / 32)
    .describe('weight of the auxiliary loss of dead latents'),
  auxK: z.number().int().positive().default(256).describe('dead latents per token in the auxiliary loss'),
  deadAfter: z
    .number()
    .int()
    .positive()
    .default(10_000_000)
    .describe('tokens without firing after which a latent is dead, in whole steps'),
});

type Config = z.output<typeof schema>;

/** A latent fires with a value above this. */
const FIRES_ABOVE = 1e-3;

class MatryoshkaTopK implements TrainableSae {
  readonly architecture = 'matryoshka-topk';
  readonly d: number;
  readonly width: number;
  readonly views: readonly View[];
  readonly forest = undefined;
  readonly standardizes = true;
  readonly parameters;
  readonly update: UpdatePlan;
  hostState: HostState = {};
  readonly #config: Config;
  readonly #context: BuildContext;
  readonly #ends: readonly number[];
  readonly #encoder: Encoder & { center: Tensor };
  readonly #W_dec: Tensor;
  readonly #dead: DeadLatents;

  constructor(config: Config, context: BuildContext) {
    const { device, d, seed, batch } = context;
    const { width } = config;
    this.#config = config;
    this.#context = context;
    this.d = d;
    this.width = width;
    this.#ends = fixedEnds(config.groupFractions, width);
    this.views = prefixViews(this.#ends);
    const W_enc = device.persistent('f32', width, d);
    const W_dec = device.persistent('f32', width, d);
    const b_dec = device.persistent('f32', d);
    const counter = device.persistent('f32', width);
    // torch's Linear; the decoder starts as its rows at norm 1.
    const weights = uniform(width * d, 1 / Math.sqrt(d), seed, 'W_enc');
    device.write(W_enc, weights);
    normalizeRows(weights, d);
    device.write(W_dec, weights);
    this.#encoder = { W: W_enc, bias: null, center: b_dec, floor: RELU };
    this.#W_dec = W_dec;
    this.parameters = [
      { name: 'W_enc', tensor: W_enc, unitRows: false },
      { name: 'W_dec', tensor: W_dec, unitRows: true },
      { name: 'b_dec', tensor: b_dec, unitRows: false },
    ];
    // The source's counter is 1 in the step that fires, ours 0: it is one behind everywhere.
    device.write(counter, new Float32Array(width).fill(-1));
    const deadSteps = Math.max(1, Math.floor(config.deadAfter / batch));
    this.#dead = new DeadLatents(counter, deadSteps - 1, { unit: 'steps', above: FIRES_ABOVE });
    this.update = {
      stages: [{ kind: 'renormalize', epsilon: 0 }, { kind: 'project', epsilon: 'raw' }, { kind: 'adam' }],
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 6.25e-10,
      weightDecay: 0,
      learningRate: () => config.lr,
    };
  }

  get outputBias(): Tensor {
    return this.#encoder.center;
  }

  /** Steps since a latent fired, 0 in the step that did. */
  get state(): Record<string, Tensor> {
    return { since_fired: this.#dead.counter };
  }

  start(batch: Float32Array): void {
    this.#context.device.write(this.#encoder.center, geometricMedian(batch, this.d));
  }

  forward(tape: Tape, x: Tensor): TrainingForward {
    const { k, auxAlpha, auxK } = this.#config;
    const encoder = this.#encoder;
    const standardized = standardize(tape, x);
    const codes = encodeTop(tape, standardized.rows, encoder, k);
    this.#dead.observe(tape, codes);

    const losses: Record<string, LossTerm> = {};
    let [sum, reconstruction]: [Tensor, Tensor] = [encoder.center, x];
    this.#ends.forEach((end, i) => {
      const range = { from: this.#ends[i - 1] ?? 0, to: end };
      sum = decode(tape, codes, this.#W_dec, sum, { range });
      reconstruction = restore(tape, sum, standardized);
      const name = end === this.width ? 'mse' : prefixName(i);
      losses[name] = { value: relativeError(tape, reconstruction, x), weight: 1 };
    });
    if (auxAlpha > 0) {
      const dead = encodeTopAmong(tape, standardized.rows, encoder, auxK, this.#dead.list(tape));
      const estimate = decode(tape, dead, this.#W_dec, encoder.center);
      losses.aux = { value: residualRatio(tape, estimate, reconstruction, x), weight: auxAlpha };
    }
    return { losses, observed: {}, codes, reconstruction, commit: () => this.#dead.commit(tape) };
  }

  afterStep(): void {}

  encode(tape: Tape, x: Tensor): Codes {
    return encodeTop(tape, standardize(tape, x).rows, this.#encoder, this.#config.k);
  }

  dictionary(): Tensor {
    return this.#W_dec;
  }

  deadFraction(): Promise<number> {
    return this.#dead.fraction(this.#context);
  }
}

export const matryoshkaTopK = defineArchitecture({
  name: 'matryoshka-topk',
  paper:
    'Tree SAE: Learning Hierarchical Feature Structures in Sparse Autoencoders, arXiv 2605.07922; its Matryoshka baseline',
  summary: 'flat with nested prefixes; the k largest latents of each standardised token are active',
  about: {
    idea:
      'The Matryoshka loss as the Tree SAE paper trains its baseline: top-k per token instead of per batch, on tokens that ' +
      'the model standardises itself, with errors relative to the variance of the batch.',
    equations:
      'Eq. (7) and (9) of the Tree SAE paper with prefixes in place of privilege layers, as in its released baseline.',
    use: 'To compare with tree-sae under its own conventions. Otherwise prefer matryoshka.',
  },
  hierarchical: false,
  views: prefixViews(fixedEnds(DEFAULT_FRACTIONS, 24576)).map(({ name }) => name),
  normalization: 'none',
  schema,
  check: (config) => moreThanWidth(config) ?? wrongFractions(config.groupFractions, config.width),
  cost: ({ width, k }, d) => ({ parameters: 2 * width * d + d, encodeFlops: 2 * width * d, decodeFlops: 2 * k * d }),
  build: (config, context) => new MatryoshkaTopK(config, context),
});
