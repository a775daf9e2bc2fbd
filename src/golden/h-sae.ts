/** Fixtures of the H-SAE authors' JAX code. */
import { z } from 'zod';
import { normalize } from '../activations/normalization.ts';
import { codesToDense } from '../core/codes.ts';
import { parseConfig } from '../core/config.ts';
import { readCodes, type Device, type Tensor } from '../engine/device.ts';
import { encodeAtLeast } from '../engine/ops/encode.ts';
import { expertCodes } from '../engine/ops/experts.ts';
import { Tape } from '../engine/tape.ts';
import type { TrainableSae } from '../sae/architecture.ts';
import { hSae } from '../sae/h-sae.ts';
import type { Adapter, CaseAdapter, Named, Pass, Step, Variant } from './adapter.ts';
import type { SaeFixture } from './fixture.ts';
import type { Report } from './report.ts';

const count = z.number().int().min(0);
const sizesSchema = z.object({
  batch: count.min(1),
  d_in: count.min(1),
  num_experts: count.min(2),
  atoms_per_subspace: count.min(1),
  subspace_dim: count.min(1),
  k: count.min(1),
});
/** Literals are constants of the library. */
const hyperSchema = z.object({
  l1_penalty: z.number().min(0),
  ortho_penalty: z.number().min(0),
  norm_clip: z.number().positive(),
  lr_init: z.number().min(0),
  lr_peak: z.number().positive(),
  warmup_steps: count,
  num_steps: count.min(1),
  beta_top_recon: z.number().min(0),
  /** In words: 1/√d, the default. */
  theta: z.union([z.string(), z.number().positive()]).optional(),
  leaky_slope_top: z.literal(0).default(0),
  leaky_slope_sub: z.literal(0.01).default(0.01),
  use_bias: z.literal(false).default(false),
  adam: z.object({ b1: z.literal(0.9), b2: z.literal(0.999), eps: z.literal(1e-8) }).optional(),
  lr_alpha: z.literal(0.1).default(0.1),
});

const LEAK = 0.01;

class HSaeCase implements CaseAdapter {
  readonly parameters = [
    { stored: 'top.encoder', ours: 'E', transposed: false },
    { stored: 'top.decoder', ours: 'D', transposed: true },
    { stored: 'W_down', ours: 'W_down', transposed: false },
    { stored: 'W_up', ours: 'W_up', transposed: true },
    { stored: 'expert.encoder', ours: 'expert_encoder', transposed: false },
    { stored: 'expert.decoder', ours: 'expert_decoder', transposed: true },
  ];
  readonly variants: readonly Variant[] = [
    { name: 'release', gradients: 'grad' },
    { name: 'paper', gradients: 'grad_paper' },
    { name: 'paper_raw', gradients: 'grad_paper_raw' },
  ];
  readonly batch: number;
  readonly d: number;
  readonly passStep: number;
  readonly #fixture: SaeFixture;
  readonly #sizes: z.output<typeof sizesSchema>;
  readonly #hyper: z.output<typeof hyperSchema>;

  constructor(fixture: SaeFixture) {
    this.#fixture = fixture;
    this.#sizes = fixture.parse(sizesSchema, 'sizes');
    this.#hyper = fixture.parse(hyperSchema, 'hyper');
    this.batch = this.#sizes.batch;
    this.d = this.#sizes.d_in;
    // The single pass has full regularisers: the warm-up is over.
    this.passStep = this.#hyper.warmup_steps;
  }

  build(device: Device, variant: Variant): TrainableSae {
    const { num_experts: width, atoms_per_subspace: atoms, subspace_dim: subspace, k } = this.#sizes;
    const hyper = this.#hyper;
    const wanted = {
      width,
      atoms,
      subspace,
      k,
      l1: hyper.l1_penalty,
      ortho: hyper.ortho_penalty,
      orthoVariant: variant.name,
      theta: typeof hyper.theta === 'number' ? hyper.theta : null,
      topWeight: hyper.beta_top_recon,
      lr: hyper.lr_peak,
      lrInitial: hyper.lr_init,
      warmupSteps: hyper.warmup_steps,
      clip: hyper.norm_clip,
    };
    const config = parseConfig(hSae.schema, wanted, this.#fixture.folder);
    return hSae.build(config, { device, d: this.d, seed: 0, batch: this.batch, steps: hyper.num_steps });
  }

  async losses({ forward, losses, total, gradientNorm }: Pass): Promise<Named> {
    const { ortho } = losses;
    return {
      reconstruction_loss: losses.l2,
      reconstruction_loss_top: losses.l2_top,
      l1_loss: losses.l1_top * forward.losses.l1_top.weight + losses.l1_sub * forward.losses.l1_sub.weight,
      ortho_penalty_value: ortho ?? 'ortho_penalty is 0: not computed',
      ortho_loss: ortho === undefined ? 0 : ortho * forward.losses.ortho.weight,
      total,
      global_norm_after_projection: gradientNorm,
    };
  }

  async compare(pass: Pass, report: Report): Promise<void> {
    const { device, tape, sae, x, forward } = pass;
    const fixture = this.#fixture;
    const tolerance = fixture.tolerance('forward');
    const { num_experts: n, k, batch } = this.#sizes;
    const encoder = parameter(sae, 'E');
    const unmasked = await readCodes(
      device,
      encodeAtLeast(tape, x, { W: encoder, bias: null, center: null, floor: this.#theta }),
    );
    report.compare('code_top_unmasked', codesToDense(unmasked), fixture.numbers('code_top_unmasked'), tolerance);

    // The fixture lists experts by falling value, ours are in ascending order.
    const codes = await readCodes(device, forward.codes);
    const selected = codes.index.filter((latent) => latent < n);
    const stored = fixture.numbers('topk_indices', batch * k);
    const order = Array.from(stored, (_, e) => e).sort(
      (a, b) => Math.floor(a / k) - Math.floor(b / k) || stored[a] - stored[b],
    );
    report.compare(
      'topk_indices',
      selected,
      order.map((e) => stored[e]),
      'exact',
    );
    const atoms = fixture.numbers('expert_codes_unmasked');
    const a = this.#sizes.atoms_per_subspace;
    report.compare(
      'expert_codes_unmasked',
      await this.#atomCodes(pass, selected),
      order.flatMap((e) => [...atoms.subarray(e * a, e * a + a)]),
      tolerance,
    );

    if (!fixture.has('input.x_raw')) return;
    const raw = Float32Array.from(fixture.numbers('input.x_raw', batch * this.d));
    normalize({ kind: 'unit' }, raw, this.d);
    report.compare('x, normalised from input.x_raw', raw, fixture.numbers('x'), tolerance);
  }

  async compareState(): Promise<void> {}

  async log({ step, result: { losses, forward, learningRate, gradientNorm, total } }: Step): Promise<Named> {
    const { warmup_steps: warmup, l1_penalty: l1 } = this.#hyper;
    const weights = forward.losses;
    return {
      learning_rate: learningRate,
      regulariser_factor: l1 > 0 ? weights.l1_top.weight / l1 : Math.min(1, warmup > 0 ? step / warmup : 1),
      global_norm_before_clip: gradientNorm,
      reconstruction_loss: losses.l2,
      l1_loss: losses.l1_top * weights.l1_top.weight + losses.l1_sub * weights.l1_sub.weight,
      ortho_loss: losses.ortho === undefined ? 0 : losses.ortho * weights.ortho.weight,
      total,
    };
  }

  get #theta(): number {
    const { theta } = this.#hyper;
    return Math.fround(typeof theta === 'number' ? theta : 1 / Math.sqrt(this.d));
  }

  /**
   * q of all atoms of the selected experts [B, k, a], which training keeps as a sum only: every atom in turn is the winner
   * of experts that have no other, under a parent that is active.
   */
  async #atomCodes({ device, sae, x }: Pass, selected: ArrayLike<number>): Promise<Float32Array> {
    const { batch, num_experts: n, k, atoms_per_subspace: a, subspace_dim: s } = this.#sizes;
    const encoder = await device.read(parameter(sae, 'expert_encoder'));
    const out = new Float32Array(batch * k * a);
    for (let m = 0; m < a; m++) {
      const codes = device.scratchCodes(batch, n, k);
      device.write(codes.index, selected);
      device.write(codes.value, new Float32Array(batch * k).fill(1));
      const one = device.scratch('f32', n, 1, s);
      device.write(
        one,
        encoder.filter((_, i) => Math.floor(i / s) % a === m),
      );
      const experts = { down: parameter(sae, 'W_down'), encoder: one, decoder: one };
      const shape = { atoms: 1, subspace: s, theta: this.#theta, slope: LEAK };
      const { sub } = expertCodes(new Tape(device), x, codes, experts, shape);
      (await device.read(sub as Tensor & { dtype: 'f32' })).forEach((q, e) => (out[e * a + m] = q));
    }
    return out;
  }
}

function parameter(sae: TrainableSae, name: string): Tensor & { dtype: 'f32' } {
  return sae.parameters.find((candidate) => candidate.name === name)!.tensor as Tensor & { dtype: 'f32' };
}

export const hSaeAdapter: Adapter = { architecture: hSae.name, open: (fixture) => new HSaeCase(fixture) };
