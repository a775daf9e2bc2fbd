/**
 * Switch SAE — Mudide et al., "Efficient Dictionary Learning with Switch Sparse Autoencoders" (arXiv 2410.08201), as in the
 * authors' released trainer (methods 9.7, verified). A router sends each token to one expert, a block of latents; only that block is scored:
 *
 *   p = softmax(W_router (x − b_router)),   e = argmax p,   z = W_enc (x − b_dec)
 *   f = TopK_k(ReLU(z) p_e on the block of e),   x̂ = W_decᵀ f + b_dec
 *   L = ‖x − x̂‖² + α d N Σ_e f_e P_e,   f_e = share of tokens sent to e, P_e = mean p_e (N Σ f_e P_e is 1 at best)
 *
 * sums over d, means over the batch. Step: renormalise the decoder, forward, backward, clip 1.0, project with the rows as they are,
 * Adam; the decoder is not renormalised afterwards. Both biases start at the geometric median of the first batch.
 *
 * The release gives both biases one storage at step 0, so that every update of either changes both: `aliasedBiases` reproduces
 * that. The paper means two. Its auxiliary loss of dead latents is computed but not added in the release, and left out here.
 */
import { z } from 'zod';
import type { Codes, Tensor } from '../engine/device.ts';
import type { Children } from '../engine/kernels.ts';
import { decode } from '../engine/ops/decode.ts';
import { RELU, type Encoder } from '../engine/ops/encode.ts';
import { squaredError } from '../engine/ops/losses.ts';
import { encodeRouted, route, scaleCodes, type Routes } from '../engine/ops/route.ts';
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
import { uniform, unitRows } from './parts/initial.ts';
import { decayKey, scaledRate, scaledRateKey, warmupAndDecay } from './parts/rate.ts';
import { RENORM_EPSILON } from './parts/top-k-family.ts';

const size = z.number().int().positive();

const schema = z.strictObject({
  width: size.default(16384).describe('number of latents F, of all experts'),
  experts: size.default(8).describe('number of experts N; they share the latents evenly'),
  k: size.default(32).describe('active latents per token'),
  lr: scaledRateKey,
  decayFrom: decayKey,
  balanceAlpha: z.number().min(0).default(0.01).describe('α, weight of the load balance; 3 in the authors’ scripts'),
  heaviside: z
    .boolean()
    .default(false)
    .describe('f = ReLU(z) without p_e: the router learns by the load balance alone'),
  aliasedBiases: z.boolean().default(false).describe('b_dec and b_router are one vector from step 0 on, as released'),
  deadAfter: size.default(10_000_000).describe('tokens without a positive value after which a latent counts as dead'),
});

type Config = z.output<typeof schema>;

type Floats = Tensor & { dtype: 'f32' };

class Switch implements TrainableSae {
  readonly architecture = 'switch';
  readonly d: number;
  readonly width: number;
  readonly views: readonly View[];
  readonly forest = undefined;
  readonly parameters;
  readonly update: UpdatePlan;
  hostState: HostState = {};
  readonly #config: Config;
  readonly #context: BuildContext;
  readonly #encoder: Encoder & { center: Tensor };
  readonly #router: { W: Tensor; center: Tensor };
  readonly #W_dec: Tensor;
  readonly #latentsOf: Children;
  readonly #dead: DeadLatents;
  /** b_dec before the update of the step at hand, where it is one vector with b_router. */
  #biasBefore: Tensor | undefined;

  constructor(config: Config, context: BuildContext) {
    const { device, d, seed, steps } = context;
    const { width, experts } = config;
    this.#config = config;
    this.#context = context;
    this.d = d;
    this.width = width;
    this.views = [{ name: 'full', from: 0, to: width }];
    const [W_enc, W_dec] = [device.persistent('f32', width, d), device.persistent('f32', width, d)];
    const W_router = device.persistent('f32', experts, d);
    const [b_dec, b_router] = [device.persistent('f32', d), device.persistent('f32', d)];
    const counter = device.persistent('f32', width);
    // Expert e owns latents e·F/N … (e + 1)·F/N − 1.
    this.#latentsOf = { childPtr: device.persistent('u32', experts + 1), children: device.persistent('u32', width) };
    device.write(
      this.#latentsOf.childPtr,
      Uint32Array.from({ length: experts + 1 }, (_, e) => (e * width) / experts),
    );
    device.write(
      this.#latentsOf.children,
      Uint32Array.from({ length: width }, (_, i) => i),
    );
    const directions = unitRows(width, d, seed, 'W_dec');
    device.write(W_dec, directions);
    device.write(W_enc, directions);
    device.write(W_router, uniform(experts * d, 1 / Math.sqrt(d), seed, 'W_router'));
    this.#encoder = { W: W_enc, bias: null, center: b_dec, floor: RELU };
    this.#router = { W: W_router, center: b_router };
    this.#W_dec = W_dec;
    this.parameters = [
      { name: 'W_enc', tensor: W_enc, unitRows: false },
      { name: 'W_dec', tensor: W_dec, unitRows: true },
      { name: 'b_dec', tensor: b_dec, unitRows: false },
      { name: 'W_router', tensor: W_router, unitRows: false },
      { name: 'b_router', tensor: b_router, unitRows: false },
    ];
    this.#dead = new DeadLatents(counter, config.deadAfter, { above: 0 });
    this.update = {
      renormalizeFirst: RENORM_EPSILON,
      stages: [{ kind: 'clip', maxNorm: 1, style: 'torch' }, { kind: 'project', epsilon: 'raw' }, { kind: 'adam' }],
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0,
      learningRate: warmupAndDecay({ ...config, peak: scaledRate(config.lr, width), warmupSteps: 0 }, steps),
    };
  }

  get outputBias(): Tensor {
    return this.#encoder.center;
  }

  get state(): Record<string, Tensor> {
    return { since_fired: this.#dead.counter };
  }

  start(batch: Float32Array): void {
    const median = geometricMedian(batch, this.d);
    for (const bias of [this.#encoder.center, this.#router.center]) this.#context.device.write(bias, median);
  }

  forward(tape: Tape, x: Tensor): TrainingForward {
    const { balanceAlpha, aliasedBiases } = this.#config;
    const { center } = this.#encoder;
    const { codes, balance } = this.#encode(tape, x);
    const reconstruction = decode(tape, codes, this.#W_dec, center);
    const losses: Record<string, LossTerm> = {
      l2: { value: squaredError(tape, reconstruction, x), weight: 1 },
      balance: { value: balance, weight: balanceAlpha * this.d },
    };
    this.#dead.observe(tape, codes);
    if (aliasedBiases) {
      this.#biasBefore = tape.device.scratch('f32', this.d);
      tape.device.kernels.place(this.#biasBefore, 0, center);
    }
    return { losses, observed: {}, codes, reconstruction, commit: () => this.#dead.commit(tape) };
  }

  afterStep(): void {}

  /** Aliased biases: each has had its own Adam step from where both were; one vector takes both. */
  async maintain(): Promise<void> {
    if (!this.#config.aliasedBiases) return;
    const { device } = this.#context;
    const biases = [this.#encoder.center, this.#router.center];
    const before = await device.read(this.#biasBefore as Floats);
    const [decoder, router] = [await device.read(biases[0] as Floats), await device.read(biases[1] as Floats)];
    const both = before.map((value, i) => decoder[i] + router[i] - value);
    for (const bias of biases) device.write(bias, both);
  }

  encode(tape: Tape, x: Tensor): Codes {
    return this.#encode(tape, x).codes;
  }

  dictionary(): Tensor {
    return this.#W_dec;
  }

  deadFraction(): Promise<number> {
    return this.#dead.fraction(this.#context);
  }

  #encode(tape: Tape, x: Tensor): { codes: Codes; balance: Routes['balance'] } {
    const { k, heaviside } = this.#config;
    const { expert, chosen, balance } = route(tape, x, this.#router);
    // p_e is the same for all latents of a token: the k largest z are the k largest z p_e.
    const codes = encodeRouted(tape, x, this.#encoder, expert, this.#latentsOf, k);
    return { codes: heaviside ? codes : scaleCodes(tape, codes, chosen), balance };
  }
}

export const switchSae = defineArchitecture({
  name: 'switch',
  paper: 'Mudide et al. 2024, Efficient Dictionary Learning with Switch Sparse Autoencoders, arXiv 2410.08201',
  summary: 'a router sends each token to one expert; only that expert’s latents are scored',
  about: {
    idea:
      'The dictionary is split among experts, and a small router sends each token to one of them. Only the latents of that expert ' +
      'are scored, so the encoder costs a fraction 1/N of a dense one; a load-balance term keeps all experts in use.',
    equations:
      'p = softmax(W_router (x − b_router)), e = argmax p; f = TopK(ReLU(W_enc (x − b_dec)) p_e) on the latents of e; ' +
      'L = ‖x − x̂‖² + α d N Σ_e f_e P_e with f_e the share of tokens and P_e the mean probability of e.',
    use:
      'When the encoder’s product is what limits the width. At equal width it reconstructs worse than topk, because experts learn ' +
      'the same frequent features several times; experts are no hierarchy.',
  },
  hierarchical: false,
  views: ['full'],
  normalization: 'none',
  schema,
  check({ width, experts, k }) {
    if (width % experts !== 0) return `experts: ${experts} do not share ${width} latents evenly`;
    if (k > width / experts)
      return `k: ${k} active latents of an expert's ${width / experts}; k can be at most width / experts`;
    return undefined;
  },
  cost: ({ width, experts, k }, d) => ({
    parameters: 2 * width * d + experts * d + 2 * d,
    encodeFlops: 2 * d * (experts + width / experts),
    decodeFlops: 2 * d * k,
  }),
  build: (config, context) => new Switch(config, context),
});
