/**
 * HSAE — Luo et al., "From Atoms to Trees: Building a Structured Feature Forest with Hierarchical Sparse Autoencoders"
 * (arXiv 2602.11881; methods 2, from the paper's text, there is no released code). L JumpReLU SAEs of growing width, each of which
 * reconstructs alone, and links from every level to the one above that are learned by alternating with the weights:
 *
 *   f_i = a_i d_i,  a = JumpReLU_θ(W_enc x),   SAE_ℓ = Σ_{i in level ℓ} f_i       (no biases)
 *   L = Σ_ℓ [ ‖S̃AE_ℓ − x‖² + λ_ℓ L0_ℓ ] + ρ Σ_{i with children} ‖f_i − Σ_{j ∈ C(i)} f_j‖²
 *   f̃_i = Σ_{j ∈ C(i)} f_j for a random share r of the latents with children, once per step, else f_i
 *
 * sums over d and latents, means over the batch. Every `assignEvery` steps each latent takes the most similar one of the level
 * above as parent (cosine of encoder rows); the least similar fifth stays without. λ_ℓ is steered so that every level has its
 * target L0. Decoder rows are normalised after each step, nothing is projected or clipped; Adam(0, .995).
 *
 * Our reading (methods 2.2–2.4): latents are swapped with probability r, the last level and latents without children never; L0 and
 * L_PC use the activations before swapping; thresholds are learned straight through on scores, with log θ as the parameter; the
 * first assignment follows step 0. Not published and ours: peak rate (3e-4, the upper end of JumpReLU practice), bandwidth, step
 * size of the controller, θ at the start (such that random directions have the target L0 on the first batch), λ at the start
 * (θ²: for orthogonal directions a latent then pays for itself exactly above its threshold).
 * `joint: false` is the paper's baseline: independent SAEs (ρ = 0, r = 0) that are linked after the last step.
 *
 * Latents: level after level in one index space, so that one dense product and one set of codes serve all of them. `full` is the
 * reconstruction of the deepest level alone, `level-ℓ` that of level ℓ.
 */
import { z } from 'zod';
import { InputError } from '../core/errors.ts';
import { Random } from '../core/random.ts';
import type { Codes, Tensor } from '../engine/device.ts';
import type { FamilyLinks, LatentRange } from '../engine/kernels.ts';
import { nearestRows } from '../engine/nearest-rows.ts';
import { decode } from '../engine/ops/decode.ts';
import { exponential } from '../engine/ops/exponential.ts';
import { familyLoss } from '../engine/ops/family-loss.ts';
import { jumpReLU, l0Loss } from '../engine/ops/jump-relu.ts';
import { squaredError } from '../engine/ops/losses.ts';
import { maskLatents } from '../engine/ops/mask-latents.ts';
import type { UpdatePlan } from '../engine/optim.ts';
import { warmTenthCosine } from '../engine/schedules.ts';
import type { Scalar, Tape } from '../engine/tape.ts';
import { assignParents, NO_PARENT, pruneFamilies, TOPOLOGIES, UNASSIGNED, type Nearest } from '../forest/assignment.ts';
import { Forest } from '../forest/forest.ts';
import {
  defineArchitecture,
  type BuildContext,
  type HostState,
  type LossTerm,
  type Maintenance,
  type TrainableSae,
  type TrainingForward,
  type View,
} from './architecture.ts';
import { CoActivationMeans } from './parts/co-activation.ts';
import { DeadLatents } from './parts/dead-latents.ts';
import { ghostCodes, ghostLoss } from './parts/ghost-gradients.ts';
import { unitRows } from './parts/initial.ts';
import { autotune, followTrajectory } from './parts/l0-controller.ts';
import { quantileThreshold } from './parts/quantile-threshold.ts';

const WIDTHS = [2048, 4096, 8192, 16384];

const schema = z.strictObject({
  widths: z
    .array(z.number().int().positive())
    .min(1)
    .default(WIDTHS)
    .describe('number of latents of each level, from the coarsest'),
  targetL0: z
    .array(z.number().positive())
    .min(1)
    .default([50])
    .describe('active latents per token: of each level, or one number for all'),
  rho: z.number().min(0).default(0.01).describe('ρ, weight of the parent–child loss'),
  perturbation: z.number().min(0).max(1).default(0.05).describe('r, share of the latents that their children replace'),
  unassigned: z.number().min(0).max(1).default(UNASSIGNED).describe('share of each level that stays without a parent'),
  topology: z
    .enum(TOPOLOGIES)
    .default('partial')
    .describe(
      'shape of the forest: partial as published; full: none without a parent; fixed: the first links stay; ' +
        'binary: at most two children per parent',
    ),
  joint: z
    .boolean()
    .default(true)
    .describe('false: independent SAEs, linked after training (the baseline of the paper)'),
  similarity: z
    .enum(['encoder', 'decoder', 'coactivation'])
    .default('encoder')
    .describe(
      'what decides who is whose parent: cosines of rows, or a running mean of P(parent | child) (a number per pair)',
    ),
  assignEvery: z
    .number()
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe('steps between assignments; null = 5000, at most a twentieth of the run'),
  lr: z.number().positive().default(3e-4).describe('peak learning rate'),
  bandwidth: z.number().positive().default(0.05).describe('ε, width of the straight-through window of thresholds'),
  thresholdInit: z
    .number()
    .positive()
    .nullable()
    .default(null)
    .describe('θ at the start; null = by the target L0 on the first batch'),
  lambdaInit: z.number().positive().nullable().default(null).describe('λ of every level at the start; null = θ²'),
  controller: z
    .enum(['trajectory', 'autotune', 'fixed'])
    .default('trajectory')
    .describe('what steers λ: the rule of the paper, that of SynthSAEBench, or nothing'),
  controllerRate: z.number().positive().default(1e-3).describe('η of the rule of the paper'),
  controllerMomentum: z.number().min(0).lt(1).default(0.999).describe('momentum of its running mean of L0'),
  controllerStep: z.number().positive().default(1e-3).describe('κ, log of its factor on λ per step'),
  ghosts: z.boolean().default(true).describe('ghost gradients for dead latents'),
  deadAfter: z
    .number()
    .int()
    .positive()
    .default(10_000_000)
    .describe('tokens without firing after which a latent is dead'),
});

type Config = z.output<typeof schema>;

/** Decoder rows are divided by their norm + this. */
const RENORM_EPSILON = 0;
/** Share of the run after which fixed links are made: the warm-up of the learning rate [ours; not published]. */
const FIXED_AFTER = 0.1;
/** Encoder rows of a level that are scored to find its first threshold. */
const SAMPLE = 512;

interface Swaps {
  /** f32 [F]: 0 where a latent is replaced, else 1. */
  keep: Tensor;
  /** f32 [F]: 1 where a latent's parent is replaced, else 0. */
  take: Tensor;
}

export class HsaeForest implements TrainableSae {
  readonly architecture = 'hsae-forest';
  readonly d: number;
  readonly width: number;
  readonly views: readonly View[];
  readonly outputBias = null;
  readonly parameters;
  readonly update: UpdatePlan;
  /** Of each level ℓ: lambda_ℓ, lambda_start_ℓ, ema_ℓ and rate_ℓ of its controller; oldest: largest counter of rows since a latent fired. */
  hostState: HostState;
  /** Which latents are to be replaced in a step, 1 = yes; the draws of (seed, step) unless given. */
  swapsOf: (step: number) => ArrayLike<number>;
  readonly #config: Config;
  readonly #context: BuildContext;
  readonly #levels: readonly LatentRange[];
  readonly #W_enc: Tensor;
  readonly #W_dec: Tensor;
  readonly #log_threshold: Tensor;
  readonly #links: FamilyLinks;
  readonly #dead: DeadLatents;
  /** Some encoder rows of each level, as they were drawn. */
  readonly #sample: readonly Float32Array[];
  /** Of each pair of levels, where they decide the links. */
  readonly #together: readonly CoActivationMeans[];
  #forest: Forest;

  constructor(config: Config, context: BuildContext) {
    const { device, d, seed, steps } = context;
    this.#config = config;
    this.#context = context;
    this.d = d;
    this.#levels = levelsOf(config.widths);
    const width = (this.width = this.#levels.at(-1)!.to);
    this.views = viewsOf(this.#levels);
    this.#W_enc = device.persistent('f32', width, d);
    this.#W_dec = device.persistent('f32', width, d);
    this.#log_threshold = device.persistent('f32', width);
    this.#dead = new DeadLatents(device.persistent('f32', width), config.deadAfter, { above: 0 });
    this.#links = { parents: device.persistent('u32', width), hasChildren: device.persistent('u32', width) };
    const pairs = config.similarity === 'coactivation' ? this.#levels.slice(1) : [];
    this.#together = pairs.map(
      ({ from: split, to }, l) => new CoActivationMeans(device, { from: this.#levels[l].from, split, to }),
    );
    const directions = unitRows(width, d, seed, 'W_dec');
    device.write(this.#W_enc, directions);
    device.write(this.#W_dec, directions);
    this.#sample = this.#levels.map(({ from, to }) => directions.slice(from * d, Math.min(to, from + SAMPLE) * d));
    this.parameters = [
      { name: 'W_enc', tensor: this.#W_enc, unitRows: false },
      { name: 'W_dec', tensor: this.#W_dec, unitRows: true },
      { name: 'log_threshold', tensor: this.#log_threshold, unitRows: false },
    ];
    this.#forest = this.#link(new Int32Array(width).fill(-1));
    this.hostState = { oldest: 0 };
    for (const l of this.#levels.keys()) this.#startController(l, config.lambdaInit ?? 1);
    this.swapsOf = (step) => this.#drawSwaps(step);
    this.update = {
      stages: [{ kind: 'adam', renormalize: RENORM_EPSILON }],
      beta1: 0,
      beta2: 0.995,
      epsilon: 1e-8,
      weightDecay: 0,
      learningRate: warmTenthCosine(config.lr, steps),
    };
  }

  get forest(): Forest {
    return this.#forest;
  }

  get state(): Record<string, Tensor> {
    const together = this.#together.map(({ sums }, l) => [`together_${l + 1}`, sums] as const);
    return { parents: this.#links.parents, since_fired: this.#dead.counter, ...Object.fromEntries(together) };
  }

  /** Thresholds and λ that suit the first batch, see the top of this file. */
  start(batch: Float32Array): void {
    const { thresholdInit, lambdaInit } = this.#config;
    const logs = new Float32Array(this.width);
    for (const [l, { from, to }] of this.#levels.entries()) {
      const share = Math.min(0.5, this.#targetL0(l) / (to - from));
      const theta = thresholdInit ?? quantileThreshold(batch, this.#sample[l], this.d, share);
      logs.fill(Math.log(theta), from, to);
      this.#startController(l, lambdaInit ?? theta * theta);
    }
    this.#context.device.write(this.#log_threshold, logs);
  }

  /** What is swapped is written to the device before anything is recorded. */
  forward(tape: Tape, x: Tensor, step: number): TrainingForward {
    const { bandwidth, ghosts } = this.#config;
    const swaps = this.#swaps(tape, step);
    const encoder = { W: this.#W_enc, bias: null, center: null };
    const jump = jumpReLU(tape, x, encoder, exponential(tape, this.#log_threshold), bandwidth);
    const { codes } = jump;
    const kept = swaps ? maskLatents(tape, codes, swaps.keep) : { mask: null };
    const taken = swaps && maskLatents(tape, codes, swaps.take);
    const losses: Record<string, LossTerm> = {};
    const observed: Record<string, Scalar> = {};
    const dead = ghosts && this.hostState.oldest >= this.#dead.threshold ? this.#dead.list(tape, 'before') : undefined;
    const haunting = dead && ghostCodes(tape, x, encoder, dead);
    let reconstruction = x;
    for (const [l, range] of this.#levels.entries()) {
      // Latents below their threshold have value 0 and still move it.
      reconstruction = decode(tape, codes, this.#W_dec, null, { ...kept, range });
      const below = this.#levels[l + 1];
      if (taken && below) reconstruction = decode(tape, codes, this.#W_dec, reconstruction, { ...taken, range: below });
      const name = l + 1;
      const { l0 } = l0Loss(tape, jump, { window: 'pre', range });
      losses[`l2_${name}`] = { value: squaredError(tape, reconstruction, x), weight: 1 };
      losses[`l0_${name}`] = { value: l0, weight: this.hostState[`lambda_${name}`] };
      observed[`l0_${name}`] = l0;
      if (haunting)
        losses[`ghost_${name}`] = {
          value: ghostLoss(tape, haunting, this.#W_dec, reconstruction, x, range),
          weight: 1,
        };
      if (below && this.#rho > 0) {
        const levels = { from: range.from, split: range.to, to: below.to };
        losses[`family_${name}`] = {
          value: familyLoss(tape, codes, this.#W_dec, this.#links, levels),
          weight: this.#rho,
        };
      }
    }
    this.#dead.observe(tape, codes);
    return {
      losses,
      observed: { ...observed, oldest: this.#dead.oldest(tape) },
      codes,
      reconstruction,
      commit: () => {
        this.#dead.commit(tape);
        for (const means of this.#together) means.add(tape, codes, step);
      },
    };
  }

  afterStep(_step: number, observed: Record<string, number>): void {
    const state: HostState = { ...this.hostState, oldest: observed.oldest };
    for (const l of this.#levels.keys()) Object.assign(state, this.#steered(l, observed[`l0_${l + 1}`]));
    this.hostState = state;
  }

  async maintain({ step }: Maintenance): Promise<void> {
    const { joint, assignEvery, topology } = this.#config;
    const { steps } = this.#context;
    const every = assignEvery ?? Math.max(1, Math.min(5000, Math.floor(steps / 20)));
    // The first links follow step 0, unless there are some already. Fixed ones wait for directions that mean something.
    const isDue =
      topology === 'fixed'
        ? step + 1 === Math.max(1, Math.ceil(FIXED_AFTER * steps))
        : (step + 1) % every === 0 || (step === 0 && this.#forest.edgeCount === 0);
    if (joint ? isDue : step === steps - 1) await this.assign();
  }

  /** Links every latent anew; see forest/assignment.ts. The queue must be empty. */
  async assign(): Promise<void> {
    const { topology, unassigned } = this.#config;
    const parents = new Int32Array(this.width).fill(-1);
    for (const [l, nearest] of (await this.nearest()).entries()) {
      const [{ from: above }, { from }] = [this.#levels[l], this.#levels[l + 1]];
      const assigned = assignParents(nearest, topology === 'full' ? 0 : unassigned);
      const kept = topology === 'binary' ? pruneFamilies(assigned, nearest.similarity, 2) : assigned;
      kept.forEach((parent, i) => {
        if (parent !== -1) parents[from + i] = above + parent;
      });
    }
    this.#forest = this.#link(parents);
  }

  /** For each level but the first: the nearest latents of the level above, and their cosines. */
  async nearest(): Promise<Nearest[]> {
    const { device } = this.#context;
    if (this.#together.length > 0) return Promise.all(this.#together.map((means) => means.nearest(device)));
    const W = this.#config.similarity === 'encoder' ? this.#W_enc : this.#W_dec;
    const rows = await device.read(W as Tensor & { dtype: 'f32' });
    const [...levels] = this.#levels.map(({ from, to }) => rows.subarray(from * this.d, to * this.d));
    const found: Nearest[] = [];
    for (const [l, level] of levels.slice(1).entries()) found.push(await nearestRows(device, level, levels[l], this.d));
    return found;
  }

  /** @throws InputError for links that are not between neighbouring levels */
  restore(state: Readonly<Record<string, Float32Array | Uint32Array>>): void {
    const parents = Array.from(state.parents, (parent) => (parent === NO_PARENT ? -1 : parent));
    for (const [l, { from, to }] of this.#levels.entries()) {
      const above = this.#levels[l - 1] ?? { from: 0, to: 0 };
      for (let i = from; i < to; i++) {
        const parent = parents[i];
        if (parent === -1 || (above.from <= parent && parent < above.to)) continue;
        throw new InputError(`parents: latent ${i} of level ${l + 1} names ${parent}, which is not on the level above`);
      }
    }
    this.#forest = this.#link(Int32Array.from(parents));
  }

  encode(tape: Tape, x: Tensor): Codes {
    const encoder = { W: this.#W_enc, bias: null, center: null };
    return jumpReLU(tape, x, encoder, exponential(tape, this.#log_threshold), 0).codes;
  }

  dictionary(): Tensor {
    return this.#W_dec;
  }

  deadFraction(): Promise<number> {
    return this.#dead.fraction(this.#context);
  }

  get #rho(): number {
    return this.#config.joint ? this.#config.rho : 0;
  }

  #targetL0(l: number): number {
    const { targetL0 } = this.#config;
    return targetL0[Math.min(l, targetL0.length - 1)];
  }

  #startController(l: number, lambda: number): void {
    const name = l + 1;
    Object.assign(this.hostState, {
      [`lambda_${name}`]: lambda,
      [`lambda_start_${name}`]: lambda,
      [`ema_${name}`]: -1,
      [`rate_${name}`]: 0,
    });
  }

  /** λ and what its controller remembers, after a step with this L0. */
  #steered(l: number, l0: number): HostState {
    const { controller, controllerRate: rate, controllerMomentum: momentum, controllerStep: step } = this.#config;
    const [targetL0, name] = [this.#targetL0(l), l + 1];
    const [lambda, lambdaStart] = [this.hostState[`lambda_${name}`], this.hostState[`lambda_start_${name}`]];
    const ema = this.hostState[`ema_${name}`];
    if (controller === 'trajectory') {
      const after = followTrajectory({ lambda, lambdaStart, ema }, l0, { targetL0, rate, momentum, step });
      return { [`lambda_${name}`]: after.lambda, [`ema_${name}`]: after.ema };
    }
    if (controller === 'fixed') return {};
    const before = { multiplier: lambda / lambdaStart, ema, rate: this.hostState[`rate_${name}`] };
    const after = autotune(before, l0, targetL0);
    return {
      [`lambda_${name}`]: after.multiplier * lambdaStart,
      [`ema_${name}`]: after.ema,
      [`rate_${name}`]: after.rate,
    };
  }

  #drawSwaps(step: number): Uint8Array {
    const random = new Random(this.#context.seed, 'perturbation', step);
    return Uint8Array.from({ length: this.width }, () => Number(random.uniform() < this.#config.perturbation));
  }

  /** The swaps that have an effect, on the device; undefined if there are none. */
  #swaps(tape: Tape, step: number): Swaps | undefined {
    const { perturbation, joint } = this.#config;
    if (!joint || perturbation === 0 || this.#forest.edgeCount === 0) return undefined;
    const { parent } = this.#forest;
    const drawn = this.swapsOf(step);
    const [keep, take] = [new Float32Array(this.width).fill(1), new Float32Array(this.width)];
    for (let i = 0; i < this.width; i++) {
      if (parent[i] === -1 || !drawn[parent[i]]) continue;
      take[i] = 1;
      keep[parent[i]] = 0;
    }
    const put = (values: Float32Array): Tensor => {
      const tensor = tape.device.scratch('f32', this.width);
      tape.device.write(tensor, values);
      return tensor;
    };
    return { keep: put(keep), take: put(take) };
  }

  /** Takes over links and puts them on the device. */
  #link(parents: Int32Array): Forest {
    const { device } = this.#context;
    const level = new Int32Array(this.width);
    for (const [l, { from, to }] of this.#levels.entries()) level.fill(l, from, to);
    const forest = new Forest(parents, level);
    device.write(
      this.#links.parents,
      Uint32Array.from(parents, (parent) => (parent === -1 ? NO_PARENT : parent)),
    );
    device.write(
      this.#links.hasChildren,
      Uint32Array.from(parents, (_, i) => forest.children(i).length),
    );
    return forest;
  }
}

function levelsOf(widths: readonly number[]): LatentRange[] {
  let from = 0;
  return widths.map((width) => ({ from, to: (from += width) }));
}

/** `full` is the deepest level, the others are `level-1`, `level-2`, … */
function viewsOf(levels: readonly LatentRange[]): View[] {
  const named = levels.slice(0, -1).map((range, l) => ({ name: `level-${l + 1}`, ...range }));
  return [{ name: 'full', ...levels.at(-1)! }, ...named];
}

export const hsaeForest = defineArchitecture({
  name: 'hsae-forest',
  paper: 'Luo et al. 2026, From Atoms to Trees: … Hierarchical Sparse Autoencoders, arXiv 2602.11881',
  summary: 'levels of independent dictionaries; links between neighbouring levels are learned',
  about: {
    idea:
      'Several JumpReLU SAEs of growing width, level by level, each of which reconstructs alone. Links between neighbouring ' +
      'levels are learned by alternating: parents are assigned by similarity, then a loss makes every parent equal to the sum ' +
      'of its children, which are swapped for it at random.',
    equations:
      'L = Σ_ℓ [‖S̃AE_ℓ − x‖² + λ_ℓ L0_ℓ] + ρ L_PC, L_PC = Σ ‖f_i − Σ_{j ∈ C(i)} f_j‖²; random feature perturbation; ' +
      'hierarchy update every assignEvery steps (section 3 of the paper).',
    use:
      'Deep forests over features of different grain, where each level should be usable alone. L0 adds up over levels while ' +
      '`full` is the deepest alone, so at equal total L0 it reconstructs less; links are soft: a child may fire without its ' +
      'parent.',
  },
  hierarchical: true,
  views: viewsOf(levelsOf(WIDTHS)).map(({ name }) => name),
  normalization: 'scalar',
  schema,
  check: ({ widths, targetL0 }) => {
    if (targetL0.length > 1 && targetL0.length !== widths.length)
      return `targetL0: ${targetL0.length} numbers for ${widths.length} levels of widths; give one per level, or one for all`;
    const level = widths.findIndex((width, l) => targetL0[Math.min(l, targetL0.length - 1)] > width);
    return level === -1
      ? undefined
      : `targetL0: more active latents than the ${widths[level]} of level ${level + 1}; it can be at most the width`;
  },
  // Levels that double in width; both numbers are those of all levels together.
  sized({ width, k }) {
    const unit = Math.max(1, Math.round(width / 15));
    return { widths: [unit, 2 * unit, 4 * unit, width - 7 * unit], targetL0: [k / 4] };
  },
  cost: ({ widths, targetL0 }, d) => {
    const width = widths.reduce((sum, n) => sum + n, 0);
    const active = widths.reduce((sum, _, l) => sum + targetL0[Math.min(l, targetL0.length - 1)], 0);
    return { parameters: 2 * width * d + width, encodeFlops: 2 * width * d, decodeFlops: 2 * active * d };
  },
  build: (config, context) => new HsaeForest(config, context),
});
