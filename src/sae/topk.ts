/**
 * TopK SAE — Gao et al., "Scaling and evaluating sparse autoencoders" (arXiv 2406.04093), as released in
 * dictionary_learning's TopKTrainer (methods 9.2, all constants verified there).
 *
 *   f = TopK_k(ReLU(W_enc (x − b_dec) + b_enc)),   x̂ = W_decᵀ f + b_dec
 *   L = ‖x − x̂‖² + α ‖r − ê‖² / ‖r − mean r‖²,    r = x − x̂ detached, ê = reconstruction by the k_aux best dead latents
 *
 * sums over d, means over the batch. Step: project the decoder's gradient, clip 1.0, Adam, renormalise the decoder.
 * Ours: the default warm-up is at most a tenth of the run; rows without a positive latent count as 0 in the mean that
 * the threshold follows.
 */
import { z } from 'zod';
import type { Codes, Tensor } from '../engine/device.ts';
import { encodeAtLeast, encodeTop, encodeTopAmong, RELU, type Encoder } from '../engine/ops/encode.ts';
import { decode } from '../engine/ops/decode.ts';
import { normalizedError, squaredError } from '../engine/ops/losses.ts';
import type { UpdatePlan } from '../engine/optim.ts';
import { defaultWarmup, linearWarmupDecay } from '../engine/schedules.ts';
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
import { geometricMedian } from './parts/geometric-median.ts';
import { unitRows } from './parts/initial.ts';

const schema = z.strictObject({
  width: z.number().int().positive().default(16384).describe('number of latents F'),
  k: z.number().int().positive().default(32).describe('active latents per token'),
  lr: z.number().positive().nullable().default(null).describe('peak learning rate; null = 2e-4 / √(width / 2^14)'),
  warmupSteps: z
    .number()
    .int()
    .min(0)
    .nullable()
    .default(null)
    .describe('linear warm-up; null = 1000, at most a tenth of the run'),
  decayFrom: z
    .number()
    .min(0)
    .max(1)
    .default(0.8)
    .describe('share of the run after which the rate falls linearly to 0; 1 = never'),
  auxAlpha: z
    .number()
    .min(0)
    .default(1 / 32)
    .describe('weight of the auxiliary loss of dead latents'),
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
  thresholdBeta: z.number().min(0).max(1).default(0.999).describe('decay of the running inference threshold'),
  thresholdFrom: z.number().int().min(0).default(1000).describe('step after which the threshold is tracked'),
  kAnnealSteps: z
    .number()
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe('steps over which k falls from d to its value; null = constant'),
  inference: z.enum(['topk', 'threshold']).default('topk').describe('selection after training'),
});

type Config = z.output<typeof schema>;

/** epsilon of the decoder constraint in the source: projection w / (‖w‖ + 1e-6), renormalisation by the float32 machine epsilon. */
const PROJECT_EPSILON = 1e-6;
const RENORM_EPSILON = 2 ** -23;

class TopK implements TrainableSae {
  readonly architecture = 'topk';
  readonly d: number;
  readonly width: number;
  readonly views: readonly View[];
  readonly forest = undefined;
  readonly parameters;
  readonly update: UpdatePlan;
  /** threshold: −1 = unset; oldest: largest counter of rows since a latent was selected. */
  hostState: HostState = { threshold: -1, oldest: 0 };
  readonly #config: Config;
  readonly #context: BuildContext;
  readonly #encoder: Encoder & { bias: Tensor; center: Tensor };
  readonly #W_dec: Tensor;
  readonly #dead: DeadLatents;

  constructor(config: Config, context: BuildContext) {
    const { device, d, seed, steps } = context;
    this.#config = config;
    this.#context = context;
    this.d = d;
    this.width = config.width;
    this.views = [{ name: 'full', from: 0, to: config.width }];
    const W_enc = device.persistent('f32', config.width, d);
    const W_dec = device.persistent('f32', config.width, d);
    const b_enc = device.persistent('f32', config.width);
    const b_dec = device.persistent('f32', d);
    const directions = unitRows(config.width, d, seed, 'W_dec');
    device.write(W_dec, directions);
    device.write(W_enc, directions);
    this.#encoder = { W: W_enc, bias: b_enc, center: b_dec, floor: RELU };
    this.#W_dec = W_dec;
    this.parameters = [
      { name: 'W_enc', tensor: W_enc, unitRows: false },
      { name: 'b_enc', tensor: b_enc, unitRows: false },
      { name: 'W_dec', tensor: W_dec, unitRows: true },
      { name: 'b_dec', tensor: b_dec, unitRows: false },
    ];
    this.#dead = new DeadLatents(device.persistent('f32', config.width), config.deadAfter);
    const peak = config.lr ?? 2e-4 / Math.sqrt(config.width / 2 ** 14);
    const warmup = config.warmupSteps ?? defaultWarmup(steps);
    const decayStart = config.decayFrom < 1 ? Math.floor(config.decayFrom * steps) : undefined;
    const factor = linearWarmupDecay(steps, warmup, decayStart);
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
      learningRate: (step) => peak * factor(step),
    };
  }

  get outputBias(): Tensor {
    return this.#encoder.center;
  }

  get state(): Record<string, Tensor> {
    return { since_selected: this.#dead.counter };
  }

  /** b_dec starts at the geometric median of the first batch. */
  start(batch: Float32Array): void {
    this.#context.device.write(this.#encoder.center, geometricMedian(batch, this.d));
  }

  forward(tape: Tape, x: Tensor, step: number): TrainingForward {
    const { auxAlpha, auxK, deadAfter } = this.#config;
    const { kernels } = tape.device;
    const codes = encodeTop(tape, x, this.#encoder, this.#kAt(step));
    const reconstruction = decode(tape, codes, this.#W_dec, this.#encoder.center);
    const losses: Record<string, LossTerm> = { l2: { value: squaredError(tape, reconstruction, x), weight: 1 } };

    this.#dead.observe(tape, codes);
    // Scoring dead latents costs a second product: skip it while none can be dead.
    if (this.hostState.oldest + codes.rows >= deadAfter && auxAlpha > 0) {
      const aux = encodeTopAmong(tape, x, this.#encoder, auxK ?? Math.floor(this.d / 2), this.#dead.list(tape));
      const residual = tape.device.scratch('f32', ...x.shape);
      const rowSums = tape.device.scratch('f64', codes.rows);
      kernels.squaredDifference(residual, rowSums, x, reconstruction);
      losses.aux = { value: normalizedError(tape, decode(tape, aux, this.#W_dec, null), residual), weight: auxAlpha };
    }

    const smallest = tape.device.scratch('f64', codes.rows);
    const meanSmallest = tape.scalar();
    kernels.smallestPositive(smallest, codes);
    kernels.sum(meanSmallest, smallest, 1 / codes.rows);
    return {
      losses,
      observed: { meanSmallest, oldest: this.#dead.oldest(tape) },
      codes,
      reconstruction,
      commit: () => this.#dead.commit(tape),
    };
  }

  afterStep(step: number, observed: Record<string, number>): void {
    const { thresholdBeta: beta, thresholdFrom } = this.#config;
    const { threshold } = this.hostState;
    const tracked = threshold < 0 ? observed.meanSmallest : beta * threshold + (1 - beta) * observed.meanSmallest;
    this.hostState = { threshold: step > thresholdFrom ? tracked : threshold, oldest: observed.oldest };
  }

  encode(tape: Tape, x: Tensor): Codes {
    if (this.#config.inference === 'topk') return encodeTop(tape, x, this.#encoder, this.#config.k);
    // The source keeps values strictly above the threshold.
    return encodeAtLeast(tape, x, { ...this.#encoder, floor: nextFloat(Math.max(0, this.hostState.threshold)) });
  }

  dictionary(): Tensor {
    return this.#W_dec;
  }

  deadFraction(): Promise<number> {
    return this.#dead.fraction(this.#context);
  }

  /** k of a step; annealing is applied at the end of a step in the source, so step 0 runs with the final k. */
  #kAt(step: number): number {
    const { k, kAnnealSteps } = this.#config;
    if (kAnnealSteps === null || step === 0) return k;
    const share = Math.min(step - 1, kAnnealSteps) / kAnnealSteps;
    return Math.min(this.width, Math.trunc(this.d * (1 - share) + k * share));
  }
}

/** The next larger float32 of a number ≥ 0. */
function nextFloat(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer);
  bits[0]++;
  return new Float32Array(bits.buffer)[0];
}

export const topk = defineArchitecture({
  name: 'topk',
  paper: 'Gao et al. 2024, Scaling and evaluating sparse autoencoders, arXiv 2406.04093',
  summary: 'flat; the k largest latents of each token are active',
  about: {
    idea:
      'Instead of penalising activity, keep exactly the k largest latents of every token. L0 is chosen, not tuned, and active ' +
      'latents are not shrunk as under an L1 penalty. Latents that have not fired for long learn from what the others leave over.',
    equations:
      'Section 2.3: z = TopK(W_enc (x − b_pre)), here with ReLU and a bias of the encoder as in dictionary_learning. Appendix A.2: ' +
      'L = ‖x − x̂‖² + α ‖e − ê‖²/‖e − ē‖², ê from the k_aux best dead latents, α = 1/32.',
    use:
      'The baseline: fast, one sparsity knob, hard to break. Not when tokens need very different numbers of latents (batchtopk), or ' +
      'when the relation between latents matters: nothing keeps a parent from being absorbed by its children.',
  },
  hierarchical: false,
  views: ['full'],
  normalization: 'scalar',
  schema,
  check: ({ k, width }) =>
    k > width ? `k: ${k} active latents of width ${width}; k can be at most the width` : undefined,
  cost: ({ width, k }, d) => flatCost(width, k, d),
  build: (config, context) => new TopK(config, context),
});
