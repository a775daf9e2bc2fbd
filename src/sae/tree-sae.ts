/**
 * Tree SAE — Cao et al., "Learning Hierarchical Feature Structures in Sparse Autoencoders" (arXiv 2605.07922), as in the
 * authors' released code (methods 5, verified). One dictionary split into privilege layers; every latent of a later layer has a
 * parent in an earlier one, or the root, and fires only where its parent does:
 *
 *   (1) z = W_enc (x̃ − b),  x̃ = each token standardised over its own d elements
 *   (6) f_i = z_i if parent(i) is the root or f_parent(i) > 1e-3; the k_l largest positive ones of each layer l
 *   (2) x̂_l = decode of layers ≤ l + b, brought back by the token's std and mean
 *   (7) L_recons = Σ_l mean (x̂_l − x)² / Var(x)
 *   (8) L_aux,l = mean (e − ê_l)² / mean (e − mean_d e)²,  e = x − x̂_l, ê_l by the 256 best dead latents of layer l, and b
 *   (9) L = L_recons + α Σ_{l ∈ auxLayers} L_aux,l
 *
 * Dead children change parents (eq. 10, algorithms 1 and 2, forest/allocation.ts): each step's loss is shared out as capacity
 * among the parents that fired; at growing intervals children are reallocated by capacity, at last all dead ones go to the root.
 * Step: renormalise the decoder, project its gradient, Adam; so rows are not exactly of unit norm after a step.
 *
 * Quirks of the source that are kept: b starts as the geometric median of the raw batch, although it is subtracted from
 * standardised tokens; ê is not brought back from standardised space, includes b, and is b where nothing is dead; e is not detached.
 * Eq. (8) of the paper has the plain squared error instead of the ratio. Ours: published steps shrink in proportion in runs that
 * are shorter than the published one; capacities are added after the step instead of before the backward pass (the same).
 */
import { z } from 'zod';
import { Random } from '../core/random.ts';
import type { Codes, Tensor } from '../engine/device.ts';
import { decode } from '../engine/ops/decode.ts';
import { encodeTree } from '../engine/ops/encode-tree.ts';
import { RELU, type Encoder } from '../engine/ops/encode.ts';
import { relativeError, residualRatio } from '../engine/ops/losses.ts';
import { restore, standardize } from '../engine/ops/standardize.ts';
import type { UpdatePlan } from '../engine/optim.ts';
import type { Tape } from '../engine/tape.ts';
import {
  addCapacity,
  attachDeadToRoot,
  dueAfter,
  fillRoot,
  reallocateDeadChildren,
  type AllocationClock,
  type AllocationSchedule,
  type Families,
} from '../forest/allocation.ts';
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
import { DeadLatents } from './parts/dead-latents.ts';
import { geometricMedian } from './parts/geometric-median.ts';
import { normalizeRows } from '../core/rows.ts';
import { uniform } from './parts/initial.ts';
import { prefixViews } from './parts/prefixes.ts';
import { TreeLayers } from './parts/tree-layers.ts';

/** The published run, in steps of 5 × 1024 tokens. */
const PUBLISHED_STEPS = 97_657;

const size = z.number().int().positive();
const steps = size.nullable().default(null);

const schema = z.strictObject({
  layers: z
    .array(size)
    .min(1)
    .default([6144, 18432])
    .describe('latents per privilege layer; published with four layers: 1536, 3072, 9216, 10752'),
  k: z
    .array(size)
    .min(1)
    .default([26, 6])
    .describe('active latents per token and layer; published with four layers: 21, 5, 4, 2'),
  lr: z.number().positive().default(1e-4).describe('learning rate, constant'),
  standardize: z.boolean().default(true).describe('whether the model standardises each token'),
  cumulative: z
    .boolean()
    .default(true)
    .describe('false: the loss of the whole reconstruction alone, without those of the first layers (an ablation)'),
  auxLayers: z.array(z.number().int().min(0)).default([0]).describe('layers with an auxiliary loss, counted from 0'),
  auxAlpha: z
    .number()
    .min(0)
    .default(1 / 32)
    .describe('weight of the auxiliary loss; published for Gemma on all layers: 1/128'),
  auxK: size.default(256).describe('dead latents per token in the auxiliary loss'),
  deadAfter: steps.describe(
    'steps without firing from which a latent is dead; null = 10M tokens, at most 2 % of the run',
  ),
  eligibleWithin: steps.describe('steps within which a latent must have fired to get children; null = 50k tokens'),
  reallocateAfter: steps.describe('steps before the first reallocation of dead children; null = 3000'),
  reallocateGrowth: z.number().min(1).default(2).describe('factor on the interval after each reallocation'),
  reallocateAtMost: steps.describe('largest interval between reallocations; null = 10 000'),
  rootReset: z
    .union([size, z.literal('never')])
    .nullable()
    .default(null)
    .describe('step at which all dead children go to the root and reallocation ends, or never; null = 50 000'),
  rootInitFrac: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe('share of every layer that the root has at least (appendix G)'),
  legacyAllocationOrder: z
    .boolean()
    .default(false)
    .describe('as in the released checkpoints: deeper layers keep the loss of the step of a reallocation'),
});

type Config = z.output<typeof schema>;

/** A latent fires, and opens its children, above this value. */
const FIRES = 1e-3;
/** Published in tokens. */
const TOKENS = { dead: 10_000_000, eligible: 50_000 };

type Floats = Tensor & { dtype: 'f32' };

class TreeSae implements TrainableSae {
  readonly architecture = 'tree-sae';
  readonly d: number;
  readonly width: number;
  readonly views: readonly View[];
  readonly standardizes: boolean;
  readonly parameters;
  readonly update: UpdatePlan;
  hostState: HostState;
  readonly #config: Config;
  readonly #context: BuildContext;
  readonly #encoder: Encoder & { center: Tensor };
  readonly #W_dec: Tensor;
  readonly #layers: TreeLayers;
  readonly #dead: DeadLatents;
  /** Counter below which a latent may get children. */
  readonly #eligible: number;
  readonly #schedule: AllocationSchedule;
  /** u32 [F]: parent of each latent, 2^32 − 1 = root. */
  readonly #parents: Tensor;
  /** Of each layer but the first: capacity of the latents before it and, last, of the root. */
  readonly #capacities: Tensor[];
  /** The same on the host. */
  #hostParents: Int32Array;
  readonly #hostCapacities: Float32Array[];
  #forest: Forest;
  /** f32 [F] of the last forward pass: 0 where a latent fired, else 1. */
  #idle: Tensor | undefined;

  constructor(config: Config, context: BuildContext) {
    const { device, d, seed, batch, steps: total } = context;
    this.#config = config;
    this.#context = context;
    this.d = d;
    this.standardizes = config.standardize;
    // Memory first: a width that does not fit is refused before millions of numbers are drawn.
    this.#layers = new TreeLayers(device, config.layers, config.k);
    const { ranges } = this.#layers;
    const width = (this.width = ranges[ranges.length - 1].to);
    this.views = prefixViews(ranges.map(({ to }) => to));
    const W_enc = device.persistent('f32', width, d);
    const W_dec = (this.#W_dec = device.persistent('f32', width, d));
    const b_dec = device.persistent('f32', d);
    this.#encoder = { W: W_enc, bias: null, center: b_dec, floor: RELU };
    const counter = device.persistent('f32', width);
    device.write(counter, new Float32Array(width).fill(-1));
    this.#parents = device.persistent('u32', width);
    this.#capacities = ranges.slice(1).map(({ from }) => device.persistent('f32', from + 1));
    this.#hostCapacities = ranges.slice(1).map(({ from }) => new Float32Array(from + 1));
    // Tied, as PyTorch draws a linear layer; the decoder's rows of unit norm.
    const directions = uniform(width * d, 1 / Math.sqrt(d), seed, 'W_enc');
    device.write(W_enc, directions);
    normalizeRows(directions, d);
    device.write(W_dec, directions);
    this.parameters = [
      { name: 'W_enc', tensor: W_enc, unitRows: false },
      { name: 'W_dec', tensor: W_dec, unitRows: true },
      { name: 'b_dec', tensor: b_dec, unitRows: false },
    ];
    this.#hostParents = this.#drawParents();
    this.#forest = this.#connect();

    const scaled = (published: number): number =>
      Math.max(1, Math.round(published * Math.min(1, total / PUBLISHED_STEPS)));
    const deadAfter = config.deadAfter ?? Math.max(2, Math.floor(Math.min(TOKENS.dead / batch, total / 50)));
    // The source counts the batch in which a latent fired as 1 and starts at 0; we as 0, and start at −1.
    this.#dead = new DeadLatents(counter, deadAfter - 1, { unit: 'steps', above: FIRES });
    this.#eligible = (config.eligibleWithin ?? Math.max(2, Math.floor(TOKENS.eligible / batch))) - 1;
    const interval = config.reallocateAfter ?? scaled(3000);
    const reset = config.rootReset ?? scaled(50_000);
    this.#schedule = {
      interval,
      growth: config.reallocateGrowth,
      maxInterval: config.reallocateAtMost ?? Math.max(interval, scaled(10_000)),
      rootReset: reset === 'never' ? null : reset,
    };
    this.hostState = { interval, sinceReallocation: 0, resetDone: 0 };
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

  get forest(): Forest {
    return this.#forest;
  }

  get state(): Record<string, Tensor> {
    const capacities = this.#capacities.map((tensor, i): [string, Tensor] => [`capacity_${i + 1}`, tensor]);
    return { steps_since_fired: this.#dead.counter, parent: this.#parents, ...Object.fromEntries(capacities) };
  }

  /** @throws ForestError for links that do not lead to earlier layers */
  restore(state: Readonly<Record<string, Float32Array | Uint32Array>>): void {
    this.#hostParents = Int32Array.from(state.parent);
    this.#hostCapacities.forEach((capacity, i) => capacity.set(state[`capacity_${i + 1}`]));
    this.#forest = this.#connect();
  }

  /** b_dec starts at the geometric median of the first batch, as it is: not standardised. */
  start(batch: Float32Array): void {
    this.#context.device.write(this.#encoder.center, geometricMedian(batch, this.d));
  }

  forward(tape: Tape, x: Tensor): TrainingForward {
    const { cumulative, auxLayers, auxAlpha, auxK, standardize: standardizes } = this.#config;
    const last = this.#layers.ranges.length - 1;
    const W_dec = this.#W_dec;
    const { center } = this.#encoder;
    const tokens = standardizes ? standardize(tape, x) : undefined;
    const { codes, among } = this.#encode(tape, tokens?.rows ?? x);
    this.#dead.observe(tape, codes);
    const idle = (this.#idle = tape.device.scratch('f32', this.width));
    tape.device.kernels.clear(idle);
    tape.device.kernels.countSinceFired(idle, codes, tape.latentIndex(codes), 1, FIRES);

    const losses: Record<string, LossTerm> = {};
    let prefix = center;
    let reconstruction = center;
    for (const [l, range] of this.#layers.ranges.entries()) {
      prefix = decode(tape, codes, W_dec, prefix, { range });
      reconstruction = tokens ? restore(tape, prefix, tokens) : prefix;
      if (cumulative || l === last) losses[`mse_${l}`] = { value: relativeError(tape, reconstruction, x), weight: 1 };
      if (auxAlpha === 0 || !auxLayers.includes(l)) continue;
      const dead = among(l, auxK, this.#dead.updated, this.#dead.threshold);
      const estimate = decode(tape, dead, W_dec, center);
      losses[`aux_${l}`] = { value: residualRatio(tape, estimate, reconstruction, x), weight: auxAlpha };
    }
    return { losses, observed: {}, codes, reconstruction, commit: () => this.#dead.commit(tape) };
  }

  afterStep(): void {}

  /** Capacities grow by the step's loss; when it is time, dead children change parents. */
  async maintain({ step, total }: Maintenance): Promise<void> {
    const clock = this.hostState as HostState & AllocationClock;
    if (this.#capacities.length === 0 || clock.resetDone) return;
    const { device } = this.#context;
    const counter = await device.read(this.#dead.counter as Floats);
    const idle = await device.read(this.#idle as Floats);
    const loss = Math.fround(total);
    this.hostState = { ...clock, sinceReallocation: clock.sinceReallocation + 1 };
    for (const capacity of this.#hostCapacities) {
      addCapacity(capacity, (p) => idle[p] === 0, loss);
      if (this.#config.legacyAllocationOrder) this.#allocate(counter, step);
    }
    if (!this.#config.legacyAllocationOrder) this.#allocate(counter, step);
    for (const [i, tensor] of this.#capacities.entries()) device.write(tensor, this.#hostCapacities[i]);
  }

  encode(tape: Tape, x: Tensor): Codes {
    return this.#encode(tape, this.standardizes ? standardize(tape, x).rows : x).codes;
  }

  dictionary(): Tensor {
    return this.#W_dec;
  }

  deadFraction(): Promise<number> {
    return this.#dead.fraction(this.#context);
  }

  async deadParts(): Promise<Record<string, number>> {
    const parts: Record<string, number> = {};
    for (const [l, range] of this.#layers.ranges.entries())
      parts[`layer_${l}`] = await this.#dead.fraction(this.#context, range);
    return parts;
  }

  #encode(tape: Tape, tokens: Tensor): ReturnType<typeof encodeTree> {
    return encodeTree(tape, tokens, this.#encoder, this.#layers.layers, FIRES);
  }

  /** Does what the schedule has for the end of this step. */
  #allocate(counter: Float32Array, step: number): void {
    const { due, clock } = dueAfter(this.#schedule, this.hostState as HostState & AllocationClock, step + 1);
    this.hostState = { ...clock };
    if (!due) return;
    const { rootInitFrac } = this.#config;
    const { threshold } = this.#dead;
    for (const [i, { from, to }] of this.#layers.ranges.slice(1).entries()) {
      const ofLayer = this.#hostParents.subarray(from, to);
      const families: Families = {
        parent: Uint32Array.from(ofLayer, (parent) => (parent < 0 ? from : parent)),
        dead: Array.from(counter.subarray(from, to), (since) => since >= threshold),
        capacity: this.#hostCapacities[i],
        eligible: [...Array.from(counter.subarray(0, from), (since) => since < this.#eligible), true],
      };
      if (due === 'reset') attachDeadToRoot(families);
      else {
        if (rootInitFrac > 0) fillRoot(families, rootInitFrac, new Random(this.#context.seed, 'root', step, i));
        reallocateDeadChildren(families, rootInitFrac > 0);
        this.#hostCapacities[i].fill(0);
      }
      families.parent.forEach((parent, c) => (ofLayer[c] = parent === from ? -1 : parent));
    }
    this.#forest = this.#connect();
  }

  /** Uniform over all earlier latents and the root, which has at least its share. */
  #drawParents(): Int32Array {
    const parents = new Int32Array(this.width).fill(-1);
    for (const [l, { from, to }] of this.#layers.ranges.entries()) {
      if (l === 0) continue;
      const random = new Random(this.#context.seed, 'init', 'parent', l);
      let missing = Math.ceil(this.#config.rootInitFrac * (to - from));
      for (let i = from; i < to; i++) {
        const parent = random.below(from + 1);
        if (parent === from) missing--;
        else parents[i] = parent;
      }
      while (missing > 0) {
        const i = from + random.below(to - from);
        if (parents[i] < 0) continue;
        parents[i] = -1;
        missing--;
      }
    }
    return parents;
  }

  /** Brings the parents to the device. */
  #connect(): Forest {
    const parents = this.#hostParents;
    const level = new Int32Array(this.width);
    for (const [l, { from, to }] of this.#layers.ranges.entries()) level.fill(l, from, to);
    // First of all: kernels take links for indices, and a forest of these levels has none that lead out of the layers before.
    const forest = new Forest(parents, level);
    this.#context.device.write(this.#parents, Uint32Array.from(parents));
    this.#layers.connect(parents);
    return forest;
  }
}

export const treeSae = defineArchitecture({
  name: 'tree-sae',
  paper: 'Cao et al. 2026, Learning Hierarchical Feature Structures in Sparse Autoencoders, arXiv 2605.07922',
  summary: 'layers of latents that fire only where their parents do; dead children move to parents that matter',
  about: {
    idea:
      'One dictionary in privilege layers: a latent of a later layer has a parent in an earlier one and can fire only where ' +
      'its parent does. Reconstruction losses are cumulative over layers, so parents explain what they can. Children that die ' +
      'move to parents that matter, by the loss that fell on them.',
    equations:
      '(1) standardised scores, (2) cumulative reconstructions, (6) gated top-k per layer, (7) L_recons, (8) L_aux, (9) ' +
      'total, (10) and algorithms 1–2 reallocation.',
    use:
      'A learned tree with hard gating, strong in hierarchy metrics at moderate cost. L0 per layer is fixed by hand; ' +
      'published schedules are long and are shrunk for short runs.',
  },
  hierarchical: true,
  views: ['full', 'prefix-1'],
  normalization: 'none',
  schema,
  check({ layers, k, auxLayers }) {
    if (layers.length !== k.length) return `k: ${k.length} numbers for ${layers.length} layers; one for each`;
    const l = k.findIndex((active, i) => active > layers[i]);
    if (l >= 0) return `k: ${k[l]} active latents in layer ${l} of ${layers[l]}; k can be at most the layer's size`;
    const missing = auxLayers.find((layer) => layer >= layers.length);
    return missing === undefined
      ? undefined
      : `auxLayers: there is no layer ${missing}; ${layers.length} layers are counted from 0`;
  },
  sized: ({ width, k }) => ({
    layers: [Math.ceil(width / 4), width - Math.ceil(width / 4)],
    k: [Math.max(1, k - Math.ceil((k * 6) / 32)), Math.ceil((k * 6) / 32)],
  }),
  cost({ layers, k, rootInitFrac }, d) {
    const active = k.reduce((sum, n) => sum + n, 0);
    let [before, activeBefore, scored] = [0, 0, 0];
    for (const [l, latents] of layers.entries()) {
      // Parents as drawn at the start: a child is open if its parent is active, or the root.
      const root = l === 0 ? 1 : Math.max(rootInitFrac, 1 / (before + 1));
      scored += latents * (root + (l === 0 ? 0 : ((1 - root) * activeBefore) / before));
      before += latents;
      activeBefore += k[l];
    }
    return { parameters: 2 * before * d + d, encodeFlops: Math.round(2 * scored * d), decodeFlops: 2 * active * d };
  },
  build: (config, context) => new TreeSae(config, context),
});
