/**
 * Gated SAE — Rajamanoharan et al., "Improving Dictionary Learning with Gated Sparse Autoencoders" (arXiv 2404.16014), as
 * released in dictionary_learning's GatedSAETrainer (methods 9.5, verified). Gate and magnitude share one encoder:
 *
 *   π = W_enc (x − b_dec) + b_gate,   u = π − b_gate
 *   f = 1[π > 0] ⊙ ReLU(e^r ⊙ u + b_mag),   x̂ = W_decᵀ f + b_dec
 *   L = ‖x − x̂‖² + λ ‖ReLU(π)‖₁ + ‖x − x̂(ReLU(π); W_dec, b_dec detached)‖²,   λ warmed up linearly
 *
 * sums over d, means over the batch. The 0/1 gate has no gradient: b_gate learns from the last two terms only; the detached
 * decoder's bias still gets gradient through the encoder's input. Step: project the decoder's gradient, Adam(0, 0.999),
 * renormalise; no clipping. Ours: W_enc starts in the directions of W_dec, with x̂ ≈ x (the source draws it), warm-ups shrink with short runs.
 */
import { z } from 'zod';
import type { Codes, Tensor } from '../engine/device.ts';
import { decode } from '../engine/ops/decode.ts';
import { encodeAtLeast, RELU, type Encoder } from '../engine/ops/encode.ts';
import { gatedMagnitudes, type GateParameters } from '../engine/ops/gated-magnitudes.ts';
import { absoluteSum, squaredError } from '../engine/ops/losses.ts';
import type { UpdatePlan } from '../engine/optim.ts';
import type { Tape } from '../engine/tape.ts';
import {
  defineArchitecture,
  type BuildContext,
  type HostState,
  type TrainableSae,
  type TrainingForward,
  type View,
} from './architecture.ts';
import { flatCost, NOMINAL_L0 } from './parts/cost.ts';
import { DeadLatents } from './parts/dead-latents.ts';
import { unitRows } from './parts/initial.ts';
import { CONSTRAINED_ADAM, l1Keys, l1Schedules } from './parts/l1-family.ts';
import { balancedNorms } from './parts/relu-sae.ts';

const schema = z.strictObject(l1Keys(5e-5));

type Config = z.output<typeof schema>;

class Gated implements TrainableSae {
  readonly architecture = 'gated';
  readonly d: number;
  readonly width: number;
  readonly views: readonly View[];
  readonly forest = undefined;
  readonly parameters;
  readonly update: UpdatePlan;
  hostState: HostState = {};
  readonly #context: BuildContext;
  /** Its bias is b_gate. */
  readonly #encoder: Encoder & { center: Tensor };
  readonly #gate: GateParameters;
  readonly #W_dec: Tensor;
  readonly #dead: DeadLatents;
  readonly #penalty: (step: number) => number;

  constructor(config: Config, context: BuildContext) {
    const { device, d, seed, steps } = context;
    const { width } = config;
    this.#context = context;
    this.d = d;
    this.width = width;
    this.views = [{ name: 'full', from: 0, to: width }];
    const W_enc = device.persistent('f32', width, d);
    const W_dec = device.persistent('f32', width, d);
    const [r, gateBias, magnitudeBias] = [1, 2, 3].map(() => device.persistent('f32', width));
    const b_dec = device.persistent('f32', d);
    const directions = unitRows(width, d, seed, 'W_dec');
    const { encoder } = balancedNorms(width, d);
    device.write(W_dec, directions);
    device.write(
      W_enc,
      directions.map((value) => encoder * value),
    );
    this.#encoder = { W: W_enc, bias: gateBias, center: b_dec, floor: RELU };
    this.#gate = { r, gateBias, magnitudeBias };
    this.#W_dec = W_dec;
    this.parameters = [
      { name: 'W_enc', tensor: W_enc, unitRows: false },
      { name: 'r_mag', tensor: r, unitRows: false },
      { name: 'b_gate', tensor: gateBias, unitRows: false },
      { name: 'b_mag', tensor: magnitudeBias, unitRows: false },
      { name: 'W_dec', tensor: W_dec, unitRows: true },
      { name: 'b_dec', tensor: b_dec, unitRows: false },
    ];
    this.#dead = new DeadLatents(device.persistent('f32', width), config.deadAfter, { above: 0 });
    const { learningRate, penalty } = l1Schedules(config, steps);
    this.#penalty = penalty;
    this.update = {
      stages: CONSTRAINED_ADAM,
      beta1: 0,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0,
      learningRate,
    };
  }

  get outputBias(): Tensor {
    return this.#encoder.center;
  }

  get state(): Record<string, Tensor> {
    return { since_active: this.#dead.counter };
  }

  start(): void {}

  forward(tape: Tape, x: Tensor, step: number): TrainingForward {
    const { center } = this.#encoder;
    const gate = encodeAtLeast(tape, x, this.#encoder);
    const codes = gatedMagnitudes(tape, gate, this.#gate);
    const reconstruction = decode(tape, codes, this.#W_dec, center);
    const byGate = decode(tape, gate, this.#W_dec, center, { frozen: true });
    this.#dead.observe(tape, codes);
    return {
      losses: {
        l2: { value: squaredError(tape, reconstruction, x), weight: 1 },
        l1: { value: absoluteSum(tape, gate), weight: this.#penalty(step) },
        aux: { value: squaredError(tape, byGate, x), weight: 1 },
      },
      observed: {},
      codes,
      reconstruction,
      commit: () => this.#dead.commit(tape),
    };
  }

  afterStep(): void {}

  encode(tape: Tape, x: Tensor): Codes {
    return gatedMagnitudes(tape, encodeAtLeast(tape, x, this.#encoder), this.#gate);
  }

  dictionary(): Tensor {
    return this.#W_dec;
  }

  deadFraction(): Promise<number> {
    return this.#dead.fraction(this.#context);
  }
}

export const gated = defineArchitecture({
  name: 'gated',
  paper: 'Rajamanoharan et al. 2024, Improving Dictionary Learning with Gated Sparse Autoencoders, arXiv 2404.16014',
  summary: 'flat; a gate decides which latents are active, under an L1 penalty that does not shrink their magnitudes',
  about: {
    idea:
      'Separates whether a latent is active from how strongly: a gate is penalised for being open, the magnitude is not. Gate and magnitude share ' +
      'the encoder up to a scale and a bias per latent. As the gate is a step, it learns from a second reconstruction by its own positive part, ' +
      'through a frozen decoder.',
    equations:
      'Section 3.2: f = 1[π > 0] ⊙ ReLU(W_mag (x − b_dec) + b_mag) with tied weights W_mag = e^r ⊙ W_gate; ' +
      'L = ‖x − x̂‖² + λ‖ReLU(π)‖₁ + ‖x − x̂_frozen(ReLU(π))‖².',
    use:
      'Where the number of active latents should differ from token to token without the shrinkage of L1. L0 has to be found by trying λ; the ' +
      'auxiliary reconstruction costs a second decoder pass per step.',
  },
  hierarchical: false,
  views: ['full'],
  normalization: 'scalar',
  schema,
  sized: ({ width }) => ({ width }),
  cost({ width }, d) {
    const flat = flatCost(width, NOMINAL_L0, d);
    return { ...flat, parameters: flat.parameters + 2 * width };
  },
  build: (config, context) => new Gated(config, context),
});
