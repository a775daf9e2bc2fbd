/**
 * H-SAE — Muchane et al., "Incorporating Hierarchical Semantics in Sparse Autoencoder Architectures" (arXiv 2506.01197),
 * as in the authors' released code (methods 1.2–1.5, verified). Every top latent owns an SAE with one active atom in a
 * learned subspace of dimension s:
 *
 *   (2.1) z = E x where ≥ θ, else 0;  top = TopK_k(z);  x̂_top = Σ_{j ∈ top} z_j d_j            θ = 1/√d at both levels
 *   (3.1) x̂ = x̂_top + Σ_{j ∈ top} W_up[j] SAE1_j(W_down[j] x)     (input is x itself; not multiplied by z_j)
 *   (3.3) L_recon = ‖x − x̂‖² + β ‖x − x̂_top‖²
 *   (3.2) L = L_recon + λ1 L_ortho + λ2 (Σ|z| + Σ_{j ∈ top} Σ_atoms |q_j|),  λ1, λ2 warmed up linearly
 *
 * sums over d, means over the batch; |z| counts all top latents ≥ θ, not only the selected; inputs have unit norm; no biases.
 * Where fewer than k top latents reach θ, those of lowest index fill up: they reconstruct nothing, but their atoms are in
 * the L1 term. Step: project gradients of decoder rows, clip 0.75, Adam, renormalise. Dead latents are counted, not revived.
 *
 * Latents: top latent j is j, atom m of expert j is n + j·a + m; its decoder row is W_up[j] D[j][m].
 */
import { z } from 'zod';
import type { Codes, Tensor } from '../engine/device.ts';
import type { ExpertShape } from '../engine/kernels.ts';
import { decode } from '../engine/ops/decode.ts';
import { encodeAtLeast, encodeTop, type Encoder } from '../engine/ops/encode.ts';
import { expertCodes, type Experts } from '../engine/ops/experts.ts';
import { absoluteSum, squaredError } from '../engine/ops/losses.ts';
import { orthogonality } from '../engine/ops/orthogonality.ts';
import { topOfCodes } from '../engine/ops/top-of-codes.ts';
import type { UpdatePlan } from '../engine/optim.ts';
import { defaultWarmup, warmupCosine } from '../engine/schedules.ts';
import type { Tape } from '../engine/tape.ts';
import { Forest } from '../forest/forest.ts';
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
import { normalizeRows } from '../core/rows.ts';
import { uniform } from './parts/initial.ts';
import { moreThanWidth } from './parts/top-k-family.ts';

const schema = z.strictObject({
  width: z.number().int().min(2).default(16384).describe('number of top latents n, each with an expert'),
  atoms: z.number().int().positive().default(16).describe('sub-latents per expert (a)'),
  subspace: z.number().int().positive().default(4).describe('dimension of an expert’s subspace (s)'),
  k: z.number().int().positive().default(32).describe('active top latents per token'),
  l1: z.number().min(0).default(1e-3).describe('λ2'),
  ortho: z.number().min(0).default(0.1).describe('λ1'),
  orthoVariant: z.enum(['release', 'paper', 'paper_raw']).default('release').describe('which reading of eq. (3.4)'),
  topWeight: z.number().min(0).default(0.1).describe('β, weight of the reconstruction by the top level alone'),
  theta: z.number().positive().nullable().default(null).describe('θ of both levels; null = 1/√d as published'),
  lr: z.number().positive().default(5e-4).describe('peak learning rate'),
  lrInitial: z.number().min(0).default(1e-11).describe('learning rate of step 0'),
  warmupSteps: z
    .number()
    .int()
    .min(0)
    .nullable()
    .default(null)
    .describe('warm-up of the learning rate, λ1 and λ2; null = 1000, at most a tenth of the run'),
  clip: z.number().positive().default(0.75).describe('largest global norm of the gradient'),
  deadAfter: z
    .number()
    .int()
    .positive()
    .default(10_000_000)
    .describe('tokens without a positive value after which a latent counts as dead'),
});

type Config = z.output<typeof schema>;

/** Slope of the atoms' activation below θ. */
const LEAK = 0.01;

class HSae implements TrainableSae {
  readonly architecture = 'h-sae';
  readonly d: number;
  readonly width: number;
  readonly views: readonly View[];
  readonly outputBias = null;
  readonly forest: Forest;
  readonly parameters;
  readonly update: UpdatePlan;
  hostState: HostState = {};
  readonly #config: Config;
  readonly #context: BuildContext;
  readonly #encoder: Encoder;
  readonly #D: Tensor;
  readonly #experts: Experts;
  readonly #up: Tensor;
  readonly #shape: ExpertShape;
  readonly #dead: DeadLatents;
  readonly #warmup: number;

  constructor(config: Config, context: BuildContext) {
    const { device, d, seed, steps } = context;
    const { width: n, atoms: a, subspace: s } = config;
    this.#config = config;
    this.#context = context;
    this.d = d;
    this.width = n + n * a;
    this.views = [
      { name: 'full', from: 0, to: this.width },
      { name: 'top', from: 0, to: n },
    ];
    const theta = Math.fround(config.theta ?? 1 / Math.sqrt(d));
    // Memory first: a width that does not fit is refused before millions of numbers are drawn.
    const tensor = (...shape: number[]): Tensor => device.persistent('f32', ...shape);
    this.#encoder = { W: tensor(n, d), bias: null, center: null, floor: theta };
    this.#D = tensor(n, d);
    this.#up = tensor(n, s, d);
    this.#experts = { down: tensor(n, s, d), encoder: tensor(n, a, s), decoder: tensor(n, a, s) };
    this.forest = new Forest(Int32Array.from({ length: this.width }, (_, i) => (i < n ? -1 : Math.floor((i - n) / a))));
    const top = uniform(n * d, Math.sqrt(6 / d), seed, 'E');
    const down = uniform(n * s * d, 1, seed, 'W_down');
    const atoms = uniform(n * a * s, 1, seed, 'expert_encoder');
    normalizeRows(down, d);
    normalizeRows(atoms, s);
    for (const target of [this.#encoder.W, this.#D]) device.write(target, top);
    for (const target of [this.#experts.down, this.#up]) device.write(target, down);
    for (const target of [this.#experts.encoder, this.#experts.decoder]) device.write(target, atoms);
    this.#shape = { atoms: a, subspace: s, theta, slope: LEAK };
    this.parameters = [
      { name: 'E', tensor: this.#encoder.W, unitRows: false },
      { name: 'D', tensor: this.#D, unitRows: true },
      { name: 'W_down', tensor: this.#experts.down, unitRows: false },
      { name: 'W_up', tensor: this.#up, unitRows: false },
      { name: 'expert_encoder', tensor: this.#experts.encoder, unitRows: false },
      { name: 'expert_decoder', tensor: this.#experts.decoder, unitRows: true },
    ];
    this.#dead = new DeadLatents(device.persistent('f32', this.width), config.deadAfter, { above: 0 });
    this.#warmup = config.warmupSteps ?? defaultWarmup(steps);
    this.update = {
      stages: [
        { kind: 'project', epsilon: 0 },
        { kind: 'clip', maxNorm: config.clip, style: 'optax' },
        { kind: 'adam', renormalize: 0 },
      ],
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0,
      learningRate: warmupCosine(config.lrInitial, config.lr, this.#warmup, steps),
    };
  }

  get state(): Record<string, Tensor> {
    return { since_fired: this.#dead.counter };
  }

  start(): void {}

  forward(tape: Tape, x: Tensor, step: number): TrainingForward {
    const { l1, ortho, orthoVariant, topWeight, k } = this.#config;
    const warm = this.#warmup === 0 ? 1 : Math.min(1, step / this.#warmup);
    // λ2 |z| needs every top latent ≥ θ; the selected ones are the k largest of them (2.1).
    const all = encodeAtLeast(tape, x, this.#encoder);
    const top = topOfCodes(tape, all, k);
    const reconstructionTop = decode(tape, top, this.#D, null);
    const { c, winner, sub, absolute } = expertCodes(tape, x, top, this.#experts, this.#shape);
    const reconstruction = decode(tape, top, this.#up, reconstructionTop, {
      values: c,
      block: this.#shape.subspace,
    });
    const losses: Record<string, LossTerm> = {
      l2: { value: squaredError(tape, reconstruction, x), weight: 1 },
      l2_top: { value: squaredError(tape, reconstructionTop, x), weight: topWeight },
      l1_top: { value: absoluteSum(tape, all), weight: l1 * warm },
      l1_sub: { value: absolute, weight: l1 * warm },
    };
    if (ortho > 0)
      losses.ortho = { value: orthogonality(tape, this.#encoder.W, this.#D, orthoVariant), weight: ortho * warm };
    const codes = this.#join(tape, top, winner, sub);
    this.#dead.observe(tape, codes);
    return {
      losses,
      observed: {},
      codes,
      reconstruction,
      commit: () => this.#dead.commit(tape),
    };
  }

  afterStep(): void {}

  encode(tape: Tape, x: Tensor): Codes {
    const top = encodeTop(tape, x, this.#encoder, this.#config.k);
    const { winner, sub } = expertCodes(tape, x, top, this.#experts, this.#shape);
    return this.#join(tape, top, winner, sub);
  }

  /** Rows of D, then W_up[j] D[j][m] for every atom: a reconstruction with s entries per row. */
  dictionary(tape: Tape): Tensor {
    const { device } = tape;
    const { width: n, atoms: a, subspace: s } = this.#config;
    const rows = device.scratchCodes(n * a, n * s, s);
    device.write(
      rows.index,
      Uint32Array.from({ length: n * a * s }, (_, e) => Math.floor(e / (a * s)) * s + (e % s)),
    );
    const atoms = device.scratch('f32', n * a, this.d);
    device.kernels.decode(atoms, rows, this.#experts.decoder, this.#up, null);
    const all = device.scratch('f32', this.width, this.d);
    device.kernels.place(all, 0, this.#D);
    device.kernels.place(all, n * this.d, atoms);
    return all;
  }

  deadFraction(): Promise<number> {
    return this.#dead.fraction(this.#context);
  }

  async deadParts(): Promise<Record<string, number>> {
    const { width: n } = this.#config;
    const context = this.#context;
    return {
      experts: await this.#dead.fraction(context, { from: 0, to: n }),
      atoms: await this.#dead.fraction(context, { from: n, to: this.width }),
    };
  }

  #join(tape: Tape, top: Codes, winner: Tensor, sub: Tensor): Codes {
    const codes = tape.device.scratchCodes(top.rows, this.width, 2 * top.perRow!);
    tape.device.kernels.joinExperts(codes, top, winner, sub, this.#config.atoms);
    return codes;
  }
}

export const hSae = defineArchitecture({
  name: 'h-sae',
  paper:
    'Muchane et al. 2025, Incorporating Hierarchical Semantics in Sparse Autoencoder Architectures, arXiv 2506.01197',
  summary: 'two levels; every top latent owns a small SAE with one active atom',
  about: {
    idea:
      'Every top latent is a concept with an expert of its own: a small SAE in a learned subspace of dimension s, of whose atoms one ' +
      'is active while the top latent is. The parent reconstructs what its children share, the atom what sets this case apart. Only the ' +
      'experts of the k active top latents are computed, so a large dictionary costs little at inference.',
    equations:
      '(2.1) top latents ≥ θ, k largest; (3.1) x̂ = x̂_top + Σ W_up SAE1(W_down x); (3.2) L = L_recon + λ1 L_ortho + λ2 L1; ' +
      '(3.3) L_recon = ‖x − x̂‖² + β‖x − x̂_top‖²; (3.4) orthogonality of encoder and decoder directions.',
    use:
      'Two levels, known in advance, with a strict tree: an atom never fires without its parent. L0 is 2k, half of it atoms. θ = 1/√d ' +
      'as published cuts off most codes of small models: set theta lower there. A step costs several times that of topk.',
  },
  hierarchical: true,
  views: ['full', 'top'],
  normalization: 'unit',
  schema,
  check: moreThanWidth,
  cost: ({ width: n, atoms: a, subspace: s, k }, d) => ({
    parameters: 2 * n * (d + s * d + a * s),
    // All top latents, then W_down and the atoms of the k selected experts.
    encodeFlops: 2 * (n * d + k * (s * d + a * s)),
    decodeFlops: 2 * k * (d + s + s * d),
  }),
  build: (config, context) => new HSae(config, context),
});
