/**
 * The compositional model as it was published (methods 4.1), which never took a step: losses were NaN in all runs (methods 4.2). It is
 * here to show what happens and why; `variant: stable` (compositional.ts) is the one to use.
 *
 *   (1), (4)  h_i = ReLU(W_i LN(h_{i−1}) + b_i), i = 1, 2, 3, with x itself for LN(h_0)
 *   (2), (5)  x̂ = Σ_i W'_i h_i + b'
 *   (3), (6)  L = ‖x − x̂‖² + λ1 Σ_i w_i ‖h_i‖₁, w = softmax(a) learned, at the start [0.1, 0.3, 0.6]
 *
 * Xavier weights, AdamW (weight decay 1e-4) with a cubic warm-up, gradients clipped tier by tier at 1, 2 and 5. LN has no epsilon, as
 * nothing is said of one: a token for which a tier is silent makes 0/0. "Dynamic tiers" and "curriculum" are named, never defined:
 * left out. Ours: a is three numbers that the host trains by the same AdamW; b' belongs to no tier and is not clipped.
 *
 * Why it fails: as soon as a tier is silent for a single token (a token of zeros, a tier of few latents, one large step), the loss is
 * NaN and stays so, for no step is taken any more. Inputs that are not normalised (mean norm 308, outliers) help, since one step then throws
 * a tier's pre-activations to either side; descent on w moves the penalty to the tier that is silent already. In float32 with double
 * precision sums, wide tiers and the published rate it may still train for long on such inputs.
 */
import type { Codes, Tensor } from '../engine/device.ts';
import { decode } from '../engine/ops/decode.ts';
import { encodeAtLeast, RELU, type Encoder } from '../engine/ops/encode.ts';
import { joinCodes } from '../engine/ops/join-codes.ts';
import { layerNorm, type NormalizedCodes } from '../engine/ops/layer-norm.ts';
import { absoluteSum, squaredError } from '../engine/ops/losses.ts';
import type { Parameter, UpdatePlan } from '../engine/optim.ts';
import { cubicWarmup, defaultWarmup } from '../engine/schedules.ts';
import type { Scalar, Tape } from '../engine/tape.ts';
import type { BuildContext, Cost, HostState, LossTerm, TrainableSae, TrainingForward, View } from './architecture.ts';
import { DeadLatents } from './parts/dead-latents.ts';
import { normalizeRows } from '../core/rows.ts';
import { uniform } from './parts/initial.ts';
import { ofEachTier, viewsOfTiers, type PerTier } from './parts/tiers.ts';

/** Parts of the recipe that its failure could be blamed on (methods 4.3), each of which can be left out. */
export const LITERAL_PARTS = ['layer_norm', 'learned_weights', 'tier_clips', 'free_decoder', 'weight_decay'] as const;
export type LiteralPart = (typeof LITERAL_PARTS)[number];

export interface LiteralConfig {
  /** layer_norm: tiers read the codes themselves · learned_weights: w stays · tier_clips: one clip of 1 for all · free_decoder: rows of unit norm. */
  literalWithout: readonly LiteralPart[];
  width: PerTier;
  l1: number;
  tierWeights: readonly number[];
  lr: number;
  warmupSteps: number | null;
  deadAfter: number;
}

const [BETA1, BETA2, EPSILON, WEIGHT_DECAY] = [0.9, 0.999, 1e-8, 1e-4];

/** Largest norm of the gradient of each tier. */
const CLIPS = [1, 2, 5];

/** Inputs longer than this many times √d are named as a cause of divergence. */
const LONG = 3;

interface Tier {
  readonly number: number;
  readonly encoder: Encoder & { bias: Tensor };
  readonly decoder: Tensor;
  /** Makes rows of codes where no LayerNorm does. */
  readonly identity: Tensor | undefined;
  readonly dead: DeadLatents;
}

export class LiteralCompositional implements TrainableSae {
  readonly architecture = 'compositional';
  readonly d: number;
  readonly width: number;
  readonly views: readonly View[];
  readonly forest = undefined;
  readonly parameters: readonly Parameter[];
  readonly update: UpdatePlan;
  readonly outputBias: Tensor;
  /** a<i>, m<i>, v<i>: logit of w_i and its moments; taken: steps of their Adam; inputNorm: mean ‖x‖ of the first batch. */
  hostState: HostState;
  readonly #config: LiteralConfig;
  readonly #context: BuildContext;
  readonly #tiers: readonly Tier[];
  readonly #has: (part: LiteralPart) => boolean;

  constructor(config: LiteralConfig, context: BuildContext) {
    const { device, d, seed, steps } = context;
    const widths = ofEachTier(config.width);
    const has = (this.#has = (part: LiteralPart): boolean => !config.literalWithout.includes(part));
    this.#config = config;
    this.#context = context;
    this.d = d;
    this.width = widths.reduce((sum, n) => sum + n);
    this.views = viewsOfTiers(widths);
    const tensor = (...shape: number[]): Tensor => device.persistent('f32', ...shape);
    this.outputBias = tensor(d);
    this.#tiers = widths.map((n, i) => ({
      number: i + 1,
      encoder: { W: tensor(n, i === 0 ? d : widths[i - 1]), bias: tensor(n), center: null, floor: RELU },
      decoder: tensor(n, d),
      identity: has('layer_norm') || i === 2 ? undefined : tensor(n, n),
      dead: new DeadLatents(tensor(n), config.deadAfter, { above: 0 }),
    }));
    for (const { number, encoder, decoder } of this.#tiers) {
      device.write(encoder.W, xavier(encoder.W.shape, seed, nameOf(number, 'W_enc')));
      const rows = xavier(decoder.shape, seed, nameOf(number, 'W_dec'));
      if (!has('free_decoder')) normalizeRows(rows, d);
      device.write(decoder, rows);
    }
    for (const { identity } of this.#tiers) if (identity) device.write(identity, identityOf(identity.shape[0]));
    const perTier = this.#tiers.map(({ number, encoder, decoder }) => [
      { name: nameOf(number, 'W_enc'), tensor: encoder.W, unitRows: false },
      { name: nameOf(number, 'b_enc'), tensor: encoder.bias, unitRows: false },
      { name: nameOf(number, 'W_dec'), tensor: decoder, unitRows: !has('free_decoder') },
    ]);
    this.parameters = [...perTier.flat(), { name: 'b_dec', tensor: this.outputBias, unitRows: false }];
    this.hostState = { taken: 0, inputNorm: 0 };
    for (const [i, w] of config.tierWeights.entries())
      Object.assign(this.hostState, { [`a${i + 1}`]: Math.log(w), [`m${i + 1}`]: 0, [`v${i + 1}`]: 0 });
    const factor = cubicWarmup(config.warmupSteps ?? defaultWarmup(steps, 2000));
    this.update = {
      stages: [
        ...(has('tier_clips')
          ? perTier.map((parameters, i) => ({
              kind: 'clip' as const,
              maxNorm: CLIPS[i],
              style: 'torch' as const,
              only: parameters.map(({ name }) => name),
            }))
          : [{ kind: 'clip' as const, maxNorm: 1, style: 'torch' as const }]),
        has('free_decoder') ? { kind: 'adam' } : { kind: 'adam', renormalize: 0 },
      ],
      beta1: BETA1,
      beta2: BETA2,
      epsilon: EPSILON,
      weightDecay: has('weight_decay') ? WEIGHT_DECAY : 0,
      learningRate: (step) => config.lr * factor(step),
    };
  }

  get state(): Record<string, Tensor> {
    return Object.fromEntries(this.#tiers.map(({ number, dead }) => [nameOf(number, 'since_fired'), dead.counter]));
  }

  start(batch: Float32Array): void {
    const rows = batch.length / this.d;
    let sum = 0;
    for (let r = 0; r < rows; r++) sum += Math.hypot(...batch.subarray(r * this.d, (r + 1) * this.d));
    // What is not finite has no place in a checkpoint.
    this.hostState = { ...this.hostState, inputNorm: Number.isFinite(sum) ? sum / rows : 0 };
  }

  forward(tape: Tape, x: Tensor): TrainingForward {
    const { codes, norms } = this.#encodeTiers(tape, x);
    let reconstruction = this.outputBias;
    for (const [i, { decoder }] of this.#tiers.entries())
      reconstruction = decode(tape, codes[i], decoder, reconstruction);
    const losses: Record<string, LossTerm> = { l2: { value: squaredError(tape, reconstruction, x), weight: 1 } };
    const observed: Record<string, Scalar> = {};
    const w = this.#weights();
    for (const [i, { number, dead }] of this.#tiers.entries()) {
      const l1 = absoluteSum(tape, codes[i]);
      losses[`l1_${number}`] = { value: l1, weight: this.#config.l1 * w[i] };
      observed[`l1_${number}`] = l1;
      dead.observe(tape, codes[i]);
    }
    for (const [i, normalized] of norms.entries()) {
      // Terms of weight 0: what is not a number shall reach the loss, and a step that is not taken shall tell why.
      losses[`norm_${i + 1}`] = { value: normalized.square, weight: 0 };
      losses[`silent_${i + 1}`] = { value: normalized.silent, weight: 0 };
    }
    return {
      losses,
      observed,
      codes: joinCodes(tape, codes, this.width),
      reconstruction,
      commit: () => this.#tiers.forEach(({ dead }) => dead.commit(tape)),
    };
  }

  /** One step of AdamW on the logits: ∂L/∂a_i = λ1 w_i (‖h_i‖₁ − Σ_j w_j ‖h_j‖₁). */
  afterStep(step: number, observed: Record<string, number>): void {
    if (!this.#has('learned_weights')) return;
    const state: HostState = { ...this.hostState, taken: this.hostState.taken + 1 };
    const lr = this.update.learningRate(step);
    const w = this.#weights();
    const l1 = w.map((_, i) => observed[`l1_${i + 1}`]);
    const mean = w.reduce((sum, share, i) => sum + share * l1[i], 0);
    for (const [i, share] of w.entries()) {
      const [a, m, v] = ['a', 'm', 'v'].map((letter) => `${letter}${i + 1}`);
      const gradient = this.#config.l1 * share * (l1[i] - mean);
      state[m] = BETA1 * state[m] + (1 - BETA1) * gradient;
      state[v] = BETA2 * state[v] + (1 - BETA2) * gradient ** 2;
      const [first, second] = [state[m] / (1 - BETA1 ** state.taken), state[v] / (1 - BETA2 ** state.taken)];
      state[a] = (1 - lr * WEIGHT_DECAY) * state[a] - (lr * first) / (Math.sqrt(second) + EPSILON);
    }
    this.hostState = state;
  }

  explainDivergence(losses: Readonly<Record<string, number>>): string | undefined {
    const causes: string[] = [];
    const [silent] = [1, 2].filter((number) => losses[`silent_${number}`] > 0);
    if (silent !== undefined) {
      causes.push(
        `tier ${silent} went silent for ${losses[`silent_${silent}`]} tokens of the batch: LayerNorm of zeros is 0/0, and every loss after it NaN`,
      );
    }
    const { inputNorm } = this.hostState;
    const ordinary = Math.sqrt(this.d);
    if (inputNorm > LONG * ordinary) {
      causes.push(
        `the inputs are not normalised: their mean norm was ${inputNorm.toPrecision(3)} where ${ordinary.toPrecision(3)} is ordinary, one step throws whole tiers to one side (--set normalize=scalar)`,
      );
    }
    if (causes.length === 0) return undefined;
    return `the published model is expected to diverge, use variant=stable; here ${causes.join('; ')}`;
  }

  encode(tape: Tape, x: Tensor): Codes {
    return joinCodes(tape, this.#encodeTiers(tape, x).codes, this.width);
  }

  dictionary({ device }: Tape): Tensor {
    const all = device.scratch('f32', this.width, this.d);
    for (const [i, { decoder }] of this.#tiers.entries())
      device.kernels.place(all, (i === 0 ? 0 : this.views[i].to) * this.d, decoder);
    return all;
  }

  async deadFraction(): Promise<number> {
    let dead = 0;
    for (const { dead: counted, decoder } of this.#tiers)
      dead += decoder.shape[0] * (await counted.fraction(this.#context));
    return dead / this.width;
  }

  /** Codes of every tier, and those of tiers 1 and 2 normalised, where they are. */
  #encodeTiers(tape: Tape, x: Tensor): { codes: Codes[]; norms: NormalizedCodes[] } {
    const codes: Codes[] = [];
    const norms: NormalizedCodes[] = [];
    let rows = x;
    for (const { encoder, identity, number } of this.#tiers) {
      const tier = encodeAtLeast(tape, rows, encoder);
      codes.push(tier);
      if (number === this.#tiers.length) break;
      if (identity) rows = decode(tape, tier, identity, null, { frozen: true });
      else {
        const normalized = layerNorm(tape, tier);
        norms.push(normalized);
        rows = normalized.rows;
      }
    }
    return { codes, norms };
  }

  /** w = softmax(a) */
  #weights(): number[] {
    const powers = [1, 2, 3].map((i) => Math.exp(this.hostState[`a${i}`]));
    const total = powers.reduce((sum, power) => sum + power);
    return powers.map((power) => power / total);
  }
}

const nameOf = (tier: number, what: string): string => `tier${tier}.${what}`;

function identityOf(n: number): Float32Array {
  const matrix = new Float32Array(n * n);
  for (let i = 0; i < n; i++) matrix[i * n + i] = 1;
  return matrix;
}

/** U(−√(6 / (rows + cols)), …): Xavier's uniform weights. */
function xavier([rows, cols]: readonly number[], seed: number, name: string): Float32Array {
  return uniform(rows * cols, Math.sqrt(6 / (rows + cols)), seed, name);
}

/** Encoding is dense from tier to tier; how many latents fire is not known beforehand: all are counted. */
export function literalCost(widths: readonly number[], d: number): Cost {
  const all = widths.reduce((sum, n) => sum + n);
  const encoders = widths.reduce((sum, n, i) => sum + n * (i === 0 ? d : widths[i - 1]), 0);
  return { parameters: encoders + all * d + all + d, encodeFlops: 2 * encoders, decodeFlops: 2 * all * d };
}
