/**
 * HierarchicalSAE, "Dynamic Feature Learning" (methods 3): despite its name a flat ReLU SAE whose L1 weight changes during
 * training. There is no released code; equations are the paper's, and what it leaves open is our reading (methods 3.4).
 *
 *   (1) z = ReLU(W_enc x + b_enc)        (2) x̂ = W_decᵀ z + b_dec, unit decoder rows; b_dec is not subtracted from x
 *   (3) λ_t = λ_0 (1 − t/T), λ_0 = 1/√F  (ours: down to a λ_T that need not be 0)
 *   (4) p_i = share of the last w steps in which latent i fired;  p_i < 0.01: latent i is resampled
 *   (5) α_t = clamp(L_target / L_recon, 0.1, 2), constant under differentiation
 *   (6) L = ‖x − x̂‖² + λ_t α_t ‖z‖₁
 *   (7) every w steps: decoder cosine > 0.9: encoder rows are averaged, one latent of the pair is resampled
 *
 * sums over d in (6), means over the batch. Our reading: L_recon in (5) is the squared error per element of the batch at hand
 * (summed over d, α would be 0.1 throughout), and L_target is relative: 0.1 of the variance per element; the literal 2.5 is a
 * setting. Windows do not overlap: usage is looked at every w steps, before the merges. Resampling is Anthropic's recipe: with
 * rows that are a multiple of x itself, as in dictionary_learning, inputs of norm √d that are not centred let the error explode
 * when many latents start anew at once. Adam's moments of changed rows become 0; nothing changes after the last step. "Adam,
 * weight decay 0.01" is AdamW. Step: project, clip 1.0, Adam, renormalise.
 *
 * With λ_T = 0 and width d the paper's model ends with most of its latents active: it becomes a dense rotation, every metric
 * of reconstruction improves for that reason alone, and a step costs as much as a dense one. Compare at equal L0 with a
 * `lambdaFinal` > 0.
 */
import { z } from 'zod';
import { Random } from '../core/random.ts';
import type { Tensor } from '../engine/device.ts';
import { decode } from '../engine/ops/decode.ts';
import { absoluteSum, squaredError, totalVariance } from '../engine/ops/losses.ts';
import type { UpdatePlan } from '../engine/optim.ts';
import type { Scalar, Tape } from '../engine/tape.ts';
import { defineArchitecture, type BuildContext, type Maintenance, type TrainingForward } from './architecture.ts';
import { flatCost, NOMINAL_L0 } from './parts/cost.ts';
import { disjointPairs, mergeLatents, similarRows } from './parts/merging.ts';
import { balancedNorms, ReluSae } from './parts/relu-sae.ts';
import { drawRows, gatherRows, reconstructionErrors, restartLatents } from './parts/resampling.ts';

const schema = z.strictObject({
  width: z.number().int().positive().default(2304).describe('number of latents F; the paper takes d'),
  lambda0: z.number().min(0).nullable().default(null).describe('λ_0, weight of the L1 term at the start; null = 1/√F'),
  lambdaFinal: z.number().min(0).default(0).describe('λ_T, the weight that is reached at the end of the run'),
  lossTarget: z
    .union([z.literal('relative'), z.number().positive()])
    .default('relative')
    .describe('L_target per element: relative = 0.1 of the variance, or a number (2.5 in the paper)'),
  alphaMin: z.number().positive().default(0.1).describe('smallest α'),
  alphaMax: z.number().positive().default(2).describe('largest α'),
  window: z.number().int().positive().default(100).describe('w, steps between looks at usage and at duplicates'),
  minUsage: z
    .number()
    .min(0)
    .max(1)
    .default(0.01)
    .describe('latents that fired in a smaller share of steps are resampled'),
  mergeAbove: z
    .number()
    .positive()
    .max(1)
    .default(0.9)
    .describe('decoder cosine above which two latents are merged; 1 = never'),
  resampling: z
    .enum(['release', 'anthropic'])
    .default('anthropic')
    .describe('new encoder rows: a multiple of the direction of an input, or of the input itself (release)'),
  lr: z.number().positive().default(3e-4).describe('learning rate'),
  weightDecay: z.number().min(0).default(0.01).describe('weight decay of all parameters'),
  weightDecayStyle: z
    .enum(['decoupled', 'coupled'])
    .default('decoupled')
    .describe('AdamW, or L2 as a part of the gradient'),
  clip: z.number().positive().default(1).describe('largest global norm of the gradient'),
});

type Config = z.output<typeof schema>;

/** L_target relative to the variance. */
const RELATIVE_TARGET = 0.1;

/** Latents that fired in a share of the window's steps below `minUsage`, by the steps in which they did not fire. */
export function underused(silentSteps: ArrayLike<number>, window: number, minUsage: number): number[] {
  return Array.from(silentSteps).flatMap((silent, latent) => ((window - silent) / window < minUsage ? [latent] : []));
}

class DynamicSparsity extends ReluSae {
  readonly architecture = 'dynamic-sparsity';
  readonly update: UpdatePlan;
  readonly #config: Config;
  /** f32 [F]: steps of the current window in which a latent did not fire. */
  readonly #silent: Tensor;

  constructor(config: Config, context: BuildContext) {
    const { width, lr, weightDecay, weightDecayStyle: decayStyle, clip, window } = config;
    const deadAfter = window * context.batch;
    super(
      { width, centered: false, unitDecoder: true, initialNorms: balancedNorms(width, context.d), deadAfter },
      context,
    );
    this.#config = config;
    this.#silent = context.device.persistent('f32', width);
    this.update = {
      stages: [
        { kind: 'project', epsilon: 0 },
        { kind: 'clip', maxNorm: clip, style: 'optax' },
        { kind: 'adam', renormalize: 0 },
      ],
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay,
      decayStyle,
      learningRate: () => lr,
    };
  }

  override get state(): Record<string, Tensor> {
    return { ...super.state, silent_steps: this.#silent };
  }

  forward(tape: Tape, x: Tensor, step: number): TrainingForward {
    const { device } = tape;
    const codes = this.encode(tape, x);
    const reconstruction = decode(tape, codes, this.W_dec, this.outputBias);
    const l2 = squaredError(tape, reconstruction, x);
    const divisor = this.#inverseAlpha(tape, l2, x);
    this.dead.observe(tape, codes);
    const notFired = device.scratch('f32', this.width);
    device.kernels.clear(notFired);
    device.kernels.countSinceFired(notFired, codes, tape.latentIndex(codes), 1, 0);
    return {
      losses: {
        l2: { value: l2, weight: 1 },
        // α_t ‖z‖₁
        adaptive_l1: { value: absoluteSum(tape, codes, divisor), weight: this.#lambda(step) },
      },
      observed: { inverseAlpha: divisor },
      codes,
      reconstruction,
      commit: () => {
        this.dead.commit(tape);
        device.kernels.scale(this.#silent, true, notFired, 1);
      },
    };
  }

  async maintain({ step, x, clearMoments }: Maintenance): Promise<void> {
    const { window, minUsage, mergeAbove, resampling } = this.#config;
    const { device, seed, steps } = this.context;
    if ((step + 1) % window > 0 || step + 1 >= steps) return;
    const weights = { W_enc: this.encoder.W, b_enc: this.encoder.bias, W_dec: this.W_dec };
    const silent = await device.read(this.#silent as Tensor & { dtype: 'f32' });
    const pairs = mergeAbove < 1 ? disjointPairs(await similarRows(device, this.W_dec, mergeAbove)) : [];
    await mergeLatents(device, weights, pairs, clearMoments);
    const free = new Set([...underused(silent, window, minUsage), ...pairs.map(([, j]) => j)]);
    const latents = [...free].sort((a, b) => a - b);
    const errors = await reconstructionErrors(device, this, x);
    const rows = drawRows(errors, latents.length, new Random(seed, 'resample', step));
    await restartLatents(device, weights, latents, await gatherRows(device, x, rows), resampling, clearMoments);
    device.write(this.#silent, new Float32Array(this.width));
  }

  /** 1/α_t of eq. (5): the penalty is divided by it on the device, within the step. */
  #inverseAlpha(tape: Tape, l2: Scalar, x: Tensor): Scalar {
    const { lossTarget, alphaMin, alphaMax } = this.#config;
    const out = tape.scalar();
    const [low, high] = [1 / alphaMax, 1 / alphaMin];
    const { kernels } = tape.device;
    // Error and variance are summed over d alike.
    if (lossTarget === 'relative')
      kernels.clampedRatio(out, l2, totalVariance(tape, x), 1 / RELATIVE_TARGET, low, high);
    else kernels.clampedRatio(out, l2, null, 1 / (this.d * lossTarget), low, high);
    return out;
  }

  /** λ_t of eq. (3). */
  #lambda(step: number): number {
    const { lambda0, lambdaFinal } = this.#config;
    const share = Math.min(1, step / this.context.steps);
    return (lambda0 ?? 1 / Math.sqrt(this.width)) * (1 - share) + lambdaFinal * share;
  }
}

export const dynamicSparsity = defineArchitecture({
  name: 'dynamic-sparsity',
  paper: 'HierarchicalSAE: Dynamic Feature Learning, without code',
  summary: 'flat; an L1 penalty that fades and adapts to the error, merging and resampling of latents',
  about: {
    idea:
      'An L1 penalty that starts strong and fades, and adapts to how good the reconstruction is; latents that are hardly used ' +
      'start anew and latents that point the same way are merged. Despite its title the model has no hierarchy.',
    equations:
      '(1)–(2) ReLU SAE, (3) λ_t, (4) usage and resampling, (5) α_t, (6) L = ‖x − x̂‖² + λ_t α_t ‖z‖₁, (7) merging.',
    use:
      "To examine that paper's claims. As published (λ to 0 and width d) it ends dense: every reconstruction metric improves " +
      'for that reason alone. Set lambdaFinal > 0 and compare at equal L0.',
  },
  hierarchical: false,
  views: ['full'],
  normalization: 'scalar',
  schema,
  check: ({ alphaMin, alphaMax }) =>
    alphaMin > alphaMax ? `alphaMin: ${alphaMin} is above alphaMax ${alphaMax}` : undefined,
  sized: ({ width }) => ({ width }),
  cost: ({ width }, d) => flatCost(width, NOMINAL_L0, d),
  build: (config, context) => new DynamicSparsity(config, context),
});
