/** Fixtures of the three-tier compositional model: our own reference of its redesign. */
import { z } from 'zod';
import { parseConfig } from '../core/config.ts';
import { readCodes, type Device, type Tensor } from '../engine/device.ts';
import type { TrainableSae } from '../sae/architecture.ts';
import { compositional } from '../sae/compositional.ts';
import type { Adapter, CaseAdapter, Named, ParameterLink, Pass, Step, Variant } from './adapter.ts';
import type { SaeFixture } from './fixture.ts';

const count = z.number().int().min(1);
const sizesSchema = z.object({ batch: count, d_in: count, tiers: z.array(count), k_per_tier: z.array(count) });
const hyperSchema = z.object({
  lambda1: z.number(),
  w: z.array(z.number()),
  lr: z.number().positive(),
  clip: z.literal(1),
  betas: z.tuple([z.literal(0.9), z.literal(0.999)]),
  eps: z.literal(1e-8),
});

class CompositionalCase implements CaseAdapter {
  readonly parameters: readonly ParameterLink[];
  readonly variants: readonly Variant[] = [
    { name: 'topk', gradients: 'grad' },
    { name: 'relu', gradients: 'grad_relu', suffix: '_relu' },
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
    this.passStep = fixture.description.forward_step_index;
    this.parameters = [
      ...this.#sizes.tiers.flatMap((_, i) => [
        { stored: `tier${i}.W_enc`, ours: `tier${i + 1}.W_enc`, transposed: false },
        { stored: `tier${i}.b_enc`, ours: `tier${i + 1}.b_enc`, transposed: false },
        ...(i > 0 ? [{ stored: `tier${i}.V`, ours: `tier${i + 1}.V`, transposed: true }] : []),
        { stored: `tier${i}.W_dec`, ours: `tier${i + 1}.W_dec`, transposed: true },
      ]),
      { stored: 'b_pre', ours: 'b_dec', transposed: false },
    ];
  }

  viewTensor(view: string): string {
    return view.replace(/^tier-(\d)$/, (_, tier: string) => `x_hat_prefix_${Number(tier) - 1}`);
  }

  build(device: Device, { name }: Variant): TrainableSae {
    const wanted = {
      width: this.#sizes.tiers,
      k: this.#sizes.k_per_tier,
      activation: name,
      l1: this.#hyper.lambda1,
      tierWeights: this.#hyper.w,
      l1Warmup: 0,
      curriculum: false,
      startFromData: false,
      lr: this.#hyper.lr,
      warmupSteps: 0,
    };
    const config = parseConfig(compositional.schema, wanted, this.#fixture.folder);
    return compositional.build(config, { device, d: this.d, seed: 0, batch: this.batch, steps: 100 });
  }

  async losses({ device, losses, total, forward }: Pass): Promise<Named> {
    const value = await device.read(forward.codes.value as Tensor & { dtype: 'f32' });
    const { index } = await readCodes(device, forward.codes);
    const { tiers } = this.#sizes;
    const named: Record<string, number> = { total, sparsity: 0 };
    let from = 0;
    for (const [i, width] of tiers.entries()) {
      named[`recon_prefix[${i}]`] = losses[`l2_${i + 1}`];
      // Decoder rows are units in the case, so the weighted penalty is the plain one, which top-k does not compute.
      const own = value.filter((_, e) => index[e] >= from && index[e] < from + width);
      named[`l1[${i}]`] = losses[`l1_${i + 1}`] ?? own.reduce((sum, v) => sum + v, 0) / this.batch;
      named.sparsity += this.#hyper.lambda1 * this.#hyper.w[i] * (losses[`l1_${i + 1}`] ?? 0);
      from += width;
    }
    return named;
  }

  /** Everything is among codes, reconstructions, losses and gradients. */
  async compare(): Promise<void> {}

  async compareState(): Promise<void> {}

  async log({ result }: Step): Promise<Named> {
    return { total: result.total, grad_norm_before_clip: result.gradientNorm };
  }
}

export const compositionalAdapter: Adapter = {
  architecture: compositional.name,
  open: (fixture) => new CompositionalCase(fixture),
};
