/**
 * JumpReLU SAE — Rajamanoharan et al., "Jumping Ahead: Improving Reconstruction Fidelity with JumpReLU Sparse Autoencoders"
 * (arXiv 2407.14435), in the two forms in which it is trained today (methods 9.4, both verified against the released code):
 *
 *   f = z · 1[z > θ],  z = W_enc x + b_enc,   x̂ = W_decᵀ f + b_dec,   L = ‖x − x̂‖² + sparsity
 *
 *   dictionary_learning  θ itself is the parameter; sparsity = λ ((L0 / L0*) − 1)², L0 the mean of the batch, its window tested on
 *                        the code; decoder projected, clip 1.0, Adam(0, .999), renormalised
 *   saelens (6.18)       log θ is the parameter; the input is centred, z = W_enc (x − b_dec) + b_enc; sparsity = λ L0 (`step`, window
 *                        tested on z; the form of the paper) or λ Σ tanh(c f ‖d‖); dead latents are pulled by Σ relu(θ − z) ‖d‖;
 *                        free decoder, clip 1.0, Adam(.9, .999)
 *
 * `dialect` sets every key that is null; keys that are given win. Sums over d and latents, means over the batch; gradients of θ
 * in engine/ops/jump-relu.ts. Sparsity is warmed up linearly from 0 at step 0.
 * Cost: with θ near 0 half of all latents are active at first, so the first steps of a run are dense, whatever the kernels.
 * Our reading: published thresholds suit inputs with RMS 1; warm-ups are at most a tenth of a short run.
 */
import { z } from 'zod';
import type { Codes, Tensor } from '../engine/device.ts';
import { decode } from '../engine/ops/decode.ts';
import { encodeAllAmong } from '../engine/ops/encode.ts';
import { exponential } from '../engine/ops/exponential.ts';
import { jumpReLU, l0Loss, thresholdGap, type CountWindow, type JumpCodes } from '../engine/ops/jump-relu.ts';
import { squaredError } from '../engine/ops/losses.ts';
import { normWeightedPenalty } from '../engine/ops/penalty.ts';
import type { UpdatePlan } from '../engine/optim.ts';
import { defaultWarmup, linearWarmupDecay, warmupFromFirst } from '../engine/schedules.ts';
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
import { flatCost } from './parts/cost.ts';
import { DeadLatents } from './parts/dead-latents.ts';
import { unitRows } from './parts/initial.ts';
import { PROJECT_EPSILON, RENORM_EPSILON } from './parts/top-k-family.ts';

const steps = z.number().int().min(0).nullable().default(null);

const schema = z.strictObject({
  width: z.number().int().positive().default(16384).describe('number of latents F'),
  dialect: z
    .enum(['dictionary_learning', 'saelens'])
    .default('dictionary_learning')
    .describe('whose conventions decide the keys that are null'),
  thresholdForm: z
    .enum(['plain', 'log'])
    .nullable()
    .default(null)
    .describe('the parameter is θ or log θ; null = plain (dictionary_learning), log (saelens)'),
  thresholdInit: z.number().positive().nullable().default(null).describe('θ at the start; null = 0.001, 0.01'),
  bandwidth: z
    .number()
    .positive()
    .nullable()
    .default(null)
    .describe('ε, width of the straight-through window; null = 0.001, 0.05'),
  window: z
    .enum(['post', 'pre'])
    .nullable()
    .default(null)
    .describe('L0’s window is tested on the code or on the score; null = post, pre'),
  sparsity: z.enum(['target', 'step', 'tanh']).nullable().default(null).describe('sparsity loss; null = target, step'),
  sparsityWeight: z.number().min(0).default(1).describe('λ'),
  targetL0: z.number().positive().default(20).describe('L0* of the target loss: active latents per token'),
  tanhScale: z.number().positive().default(4).describe('c of the tanh loss'),
  preActWeight: z.number().min(0).default(0).describe('weight of the loss on scores of dead latents; Anthropic: 3e-6'),
  centerInput: z.boolean().nullable().default(null).describe('b_dec is subtracted from the input; null = no, yes'),
  decoder: z
    .enum(['unit', 'free'])
    .nullable()
    .default(null)
    .describe('decoder rows are kept at norm 1 or not; null = unit, free'),
  decoderNorm: z
    .number()
    .positive()
    .nullable()
    .default(null)
    .describe('norm of the decoder rows at the start; null = 1, 0.1'),
  lr: z.number().positive().nullable().default(null).describe('peak learning rate; null = 7e-5, 3e-4'),
  beta1: z.number().min(0).lt(1).nullable().default(null).describe('Adam’s β1; null = 0, 0.9'),
  warmupSteps: steps.describe(
    'warm-up of the rate; null = 1000, at most a tenth of the run (dictionary_learning), 0 (saelens)',
  ),
  sparsityWarmupSteps: steps.describe(
    'warm-up of λ; null = 2000, at most a fifth of the run (dictionary_learning), 0 (saelens)',
  ),
  decayFrom: z
    .number()
    .min(0)
    .max(1)
    .nullable()
    .default(null)
    .describe('share of the run after which the rate falls linearly to 0; 1 = never; null = 0.8, 1'),
  deadAfter: z
    .number()
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe(
      'a latent is dead after so many tokens (dictionary_learning) or steps (saelens) without firing; null = 10 000 000, 1000',
    ),
});

type Config = z.output<typeof schema>;

/** Keys that a dialect decides. */
type Convention = Pick<
  { [K in keyof Config]: NonNullable<Config[K]> },
  | 'thresholdForm'
  | 'thresholdInit'
  | 'bandwidth'
  | 'window'
  | 'sparsity'
  | 'centerInput'
  | 'decoder'
  | 'decoderNorm'
  | 'lr'
  | 'beta1'
  | 'warmupSteps'
  | 'sparsityWarmupSteps'
  | 'decayFrom'
  | 'deadAfter'
>;

function conventions(dialect: Config['dialect'], total: number): Convention {
  if (dialect === 'saelens') {
    return {
      thresholdForm: 'log',
      thresholdInit: 0.01,
      bandwidth: 0.05,
      window: 'pre',
      sparsity: 'step',
      centerInput: true,
      decoder: 'free',
      decoderNorm: 0.1,
      lr: 3e-4,
      beta1: 0.9,
      warmupSteps: 0,
      sparsityWarmupSteps: 0,
      decayFrom: 1,
      deadAfter: 1000,
    };
  }
  return {
    thresholdForm: 'plain',
    thresholdInit: 0.001,
    bandwidth: 0.001,
    window: 'post',
    sparsity: 'target',
    centerInput: false,
    decoder: 'unit',
    decoderNorm: 1,
    lr: 7e-5,
    beta1: 0,
    warmupSteps: defaultWarmup(total),
    sparsityWarmupSteps: 2 * defaultWarmup(total),
    decayFrom: 0.8,
    deadAfter: 10_000_000,
  };
}

/** The configuration with every key decided. */
function settled(config: Config, total: number): Omit<Config, keyof Convention> & Convention {
  const given = Object.entries(config).filter(([, value]) => value !== null);
  return { ...config, ...conventions(config.dialect, total), ...(Object.fromEntries(given) as Partial<Convention>) };
}

class JumpReLU implements TrainableSae {
  readonly architecture = 'jumprelu';
  readonly d: number;
  readonly width: number;
  readonly views: readonly View[];
  readonly forest = undefined;
  readonly parameters;
  readonly update: UpdatePlan;
  /** oldest: largest counter of rows or steps since a latent fired. */
  hostState: HostState = { oldest: 0 };
  readonly #config: ReturnType<typeof settled>;
  readonly #context: BuildContext;
  readonly #encoder: { W: Tensor; bias: Tensor; center: Tensor | null };
  readonly #W_dec: Tensor;
  readonly #b_dec: Tensor;
  /** θ or log θ [F] */
  readonly #threshold: Tensor;
  readonly #dead: DeadLatents;
  readonly #warm: (step: number) => number;

  constructor(given: Config, context: BuildContext) {
    const { device, d, seed } = context;
    const config = settled(given, context.steps);
    const { width } = config;
    this.#config = config;
    this.#context = context;
    this.d = d;
    this.width = width;
    this.views = [{ name: 'full', from: 0, to: width }];
    const W_enc = device.persistent('f32', width, d);
    this.#W_dec = device.persistent('f32', width, d);
    const b_enc = device.persistent('f32', width);
    this.#b_dec = device.persistent('f32', d);
    this.#threshold = device.persistent('f32', width);
    const dead = device.persistent('f32', width);
    const directions = unitRows(width, d, seed, 'W_dec').map((value) => value * config.decoderNorm);
    for (const W of [W_enc, this.#W_dec]) device.write(W, directions);
    const isLog = config.thresholdForm === 'log';
    const start = isLog ? Math.log(config.thresholdInit) : config.thresholdInit;
    device.write(this.#threshold, new Float32Array(width).fill(start));
    this.#encoder = { W: W_enc, bias: b_enc, center: config.centerInput ? this.#b_dec : null };
    this.parameters = [
      { name: 'W_enc', tensor: W_enc, unitRows: false },
      { name: 'b_enc', tensor: b_enc, unitRows: false },
      { name: 'W_dec', tensor: this.#W_dec, unitRows: config.decoder === 'unit' },
      { name: 'b_dec', tensor: this.#b_dec, unitRows: false },
      { name: isLog ? 'log_threshold' : 'threshold', tensor: this.#threshold, unitRows: false },
    ];
    // dictionary_learning counts tokens; SAELens counts forward passes and asks for more than its window.
    this.#dead =
      config.dialect === 'saelens'
        ? new DeadLatents(dead, config.deadAfter + 1, { unit: 'steps', above: 0 })
        : new DeadLatents(dead, config.deadAfter, { above: 0 });
    this.#warm = linearWarmupDecay(context.steps, config.sparsityWarmupSteps, undefined);
    this.update = {
      stages: [
        { kind: 'project', epsilon: PROJECT_EPSILON },
        { kind: 'clip', maxNorm: 1, style: 'torch' },
        { kind: 'adam', renormalize: RENORM_EPSILON },
      ],
      beta1: config.beta1,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0,
      learningRate: learningRate(config, context.steps),
    };
  }

  get outputBias(): Tensor {
    return this.#b_dec;
  }

  get state(): Record<string, Tensor> {
    return { since_fired: this.#dead.counter };
  }

  start(): void {}

  forward(tape: Tape, x: Tensor, step: number): TrainingForward {
    const { preActWeight, sparsityWeight } = this.#config;
    const threshold = this.#thresholds(tape);
    const jump = jumpReLU(tape, x, this.#encoder, threshold, this.#config.bandwidth);
    const { codes } = jump;
    // Latents below their threshold have value 0 and still move it.
    const reconstruction = decode(tape, codes, this.#W_dec, this.#b_dec, { mask: null });
    const { loss, l0 } = this.#sparsity(tape, jump);
    const losses: Record<string, LossTerm> = {
      l2: { value: squaredError(tape, reconstruction, x), weight: 1 },
      sparsity: { value: loss, weight: sparsityWeight * this.#warm(step) },
    };
    // Scoring dead latents costs a second product: skip it while there are none.
    if (preActWeight > 0 && this.hostState.oldest >= this.#dead.threshold) {
      const dead = encodeAllAmong(tape, x, { ...this.#encoder, floor: -Infinity }, this.#dead.list(tape, 'before'));
      const gap = thresholdGap(tape, dead, threshold);
      losses.pre_act = { value: normWeightedPenalty(tape, gap, this.#W_dec, 'l1'), weight: preActWeight };
    }
    this.#dead.observe(tape, codes);
    return {
      losses,
      observed: { l0, oldest: this.#dead.oldest(tape) },
      codes,
      reconstruction,
      commit: () => this.#dead.commit(tape),
    };
  }

  afterStep(_step: number, { oldest }: Record<string, number>): void {
    this.hostState = { oldest };
  }

  encode(tape: Tape, x: Tensor): Codes {
    const positive = tape.device.scratch('f32', this.width);
    // Plain thresholds may become negative; negative codes are not active after training (relu in the source).
    tape.device.kernels.rectify(positive, this.#thresholds(tape));
    return jumpReLU(tape, x, this.#encoder, positive, 0).codes;
  }

  dictionary(): Tensor {
    return this.#W_dec;
  }

  deadFraction(): Promise<number> {
    return this.#dead.fraction(this.#context);
  }

  #thresholds(tape: Tape): Tensor {
    return this.#config.thresholdForm === 'log' ? exponential(tape, this.#threshold) : this.#threshold;
  }

  #sparsity(tape: Tape, jump: JumpCodes): { loss: LossTerm['value']; l0: LossTerm['value'] } {
    const { sparsity, targetL0, tanhScale } = this.#config;
    const window: CountWindow = this.#config.window;
    const { l0, loss } = l0Loss(tape, jump, { window, ...(sparsity === 'target' && { target: targetL0 }) });
    if (sparsity !== 'tanh') return { l0, loss };
    return { l0, loss: normWeightedPenalty(tape, jump.codes, this.#W_dec, 'tanh', tanhScale) };
  }
}

/** dictionary_learning warms up from 0 at step 0, SAELens from peak / warm-up. */
function learningRate(
  { dialect, lr, warmupSteps, decayFrom }: Convention & Pick<Config, 'dialect'>,
  total: number,
): (step: number) => number {
  const decayStart = decayFrom < 1 ? Math.floor(decayFrom * total) : undefined;
  const factor = linearWarmupDecay(total, dialect === 'saelens' ? 0 : warmupSteps, decayStart);
  if (dialect !== 'saelens') return (step) => lr * factor(step);
  const warm = warmupFromFirst(warmupSteps);
  return (step) => lr * warm(step) * factor(step);
}

export const jumprelu = defineArchitecture({
  name: 'jumprelu',
  paper: 'Rajamanoharan et al. 2024, Jumping Ahead: … JumpReLU Sparse Autoencoders, arXiv 2407.14435',
  summary: 'flat; a latent is active above a threshold of its own, learned straight through',
  about: {
    idea:
      'Every latent has a threshold of its own, below which it is silent and above which its value is kept. Thresholds are ' +
      'learned although a step has no gradient: a straight-through estimate uses the inputs near the threshold. The penalty ' +
      'counts active latents instead of their size, so codes are not shrunk.',
    equations:
      'f = z ⊙ H(z − θ), L = ‖x − x̂‖² + λ‖f‖₀ (section 3), or the quadratic target and the tanh penalty of later code.',
    use:
      'Strong reconstruction with a cheap encoder (no selection), L0 differing by token. Needs care: the penalty or a target ' +
      'for L0, the bandwidth and the scale of the inputs have to fit each other; the first steps are dense.',
  },
  hierarchical: false,
  views: ['full'],
  normalization: 'scalar',
  schema,
  check({ width, targetL0, sparsity, dialect }) {
    const hasTarget = (sparsity ?? conventions(dialect, 0).sparsity) === 'target';
    return hasTarget && targetL0 > width
      ? `targetL0: ${targetL0} active latents of width ${width}; it can be at most the width`
      : undefined;
  },
  sized: ({ width, k }) => ({ width, targetL0: k }),
  cost: (config, d) => {
    const flat = flatCost(config.width, config.targetL0, d);
    return { ...flat, parameters: flat.parameters + config.width };
  },
  build: (config, context) => new JumpReLU(config, context),
});
