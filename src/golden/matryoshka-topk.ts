/** Fixtures of tree-sae's MatryoshkaSAE. */
import { z } from 'zod';
import { parseConfig } from '../core/config.ts';
import type { Device, Tensor } from '../engine/device.ts';
import { decode } from '../engine/ops/decode.ts';
import { encodeTopAmong, RELU } from '../engine/ops/encode.ts';
import { standardize } from '../engine/ops/standardize.ts';
import type { TrainableSae } from '../sae/architecture.ts';
import { matryoshkaTopK } from '../sae/matryoshka-topk.ts';
import type { Adapter, CaseAdapter, Named, Pass, Step, Variant } from './adapter.ts';
import type { SaeFixture } from './fixture.ts';
import type { Report } from './report.ts';

const count = z.number().int().min(1);
const sizesSchema = z.object({ batch: count, d_in: count, d_sae: count, k: count, features_per_layer: z.array(count) });
const hyperSchema = z.object({
  lr: z.number().positive(),
  auxk_coef: z.number().min(0),
  auxk: count,
  dead_steps_threshold: count,
  dead_threshold: z.literal(1e-3),
  standardize: z.literal(true),
  use_loss_var: z.literal(true),
  betas: z.tuple([z.literal(0.9), z.literal(0.999)]),
  eps: z.literal(6.25e-10),
});

const COUNTER = 'steps_since_fired';

type Floats = Tensor & { dtype: 'f32' };

class MatryoshkaTopKCase implements CaseAdapter {
  readonly parameters = [
    { stored: 'encoder.weight', ours: 'W_enc', transposed: false },
    { stored: 'decoder.weight', ours: 'W_dec', transposed: true },
    { stored: 'b_dec', ours: 'b_dec', transposed: false },
  ];
  readonly variants: readonly Variant[] = [{ name: undefined, gradients: 'grad' }];
  readonly batch: number;
  readonly d: number;
  readonly passStep = 0;
  readonly #fixture: SaeFixture;
  readonly #sizes: z.output<typeof sizesSchema>;
  readonly #hyper: z.output<typeof hyperSchema>;

  constructor(fixture: SaeFixture) {
    this.#fixture = fixture;
    this.#sizes = fixture.parse(sizesSchema, 'sizes');
    this.#hyper = fixture.parse(hyperSchema, 'hyper');
    this.batch = this.#sizes.batch;
    this.d = this.#sizes.d_in;
  }

  build(device: Device): TrainableSae {
    const { d_sae: width, k, features_per_layer: groups } = this.#sizes;
    const { lr, auxk_coef: auxAlpha, auxk: auxK, dead_steps_threshold: deadSteps } = this.#hyper;
    const groupFractions = groups.map((latents) => latents / width);
    const wanted = { width, k, groupFractions, lr, auxAlpha, auxK, deadAfter: deadSteps * this.batch };
    const config = parseConfig(matryoshkaTopK.schema, wanted, this.#fixture.folder);
    const sae = matryoshkaTopK.build(config, { device, d: this.d, seed: 0, batch: this.batch, steps: 1 });
    const counter = this.#fixture.numbers(`state.${COUNTER}`, width);
    device.write(
      sae.state.since_fired,
      Array.from(counter, (steps) => steps - 1),
    );
    return sae;
  }

  /** The fixture counts prefixes from 0. */
  viewTensor(view: string): string {
    return `x_hat_prefix_${Number(view.slice('prefix-'.length)) - 1}`;
  }

  async losses({ losses, total }: Pass): Promise<Named> {
    const { mse, aux, ...strict } = losses;
    const { auxk_coef: alpha } = this.#hyper;
    return { ...this.#named(mse, aux * alpha, Object.values(strict)), total };
  }

  async compare({ device, tape, sae, x }: Pass, report: Report): Promise<void> {
    const fixture = this.#fixture;
    const among = { list: device.scratch('u32', sae.width), count: device.scratch('u32', 1) };
    device.kernels.listAtLeast(among, sae.state.since_fired, this.#hyper.dead_steps_threshold - 1);
    const [W] = sae.parameters.map(({ tensor }) => tensor);
    const encoder = { W, bias: null, center: sae.outputBias, floor: RELU };
    const dead = encodeTopAmong(tape, standardize(tape, x).rows, encoder, this.#hyper.auxk, among);
    const estimate = await device.read(decode(tape, dead, sae.dictionary(tape), sae.outputBias) as Floats);
    report.compare('x_hat_aux_0', estimate, fixture.numbers('x_hat_aux_0'), fixture.tolerance('forward'));

    const fresh = this.build(device);
    fresh.start(Float32Array.from(fixture.numbers('batch0', this.batch * this.d)));
    const median = await device.read(fresh.outputBias as Floats);
    report.compare('after0.b_dec', median, fixture.numbers('after0.b_dec'), fixture.tolerance('after'));
  }

  async compareState({ device, sae }: Step, prefix: string, report: Report): Promise<void> {
    const counter = await device.read(sae.state.since_fired as Floats);
    const steps = counter.map((value) => value + 1);
    report.compare(`${prefix}${COUNTER}`, steps, this.#fixture.numbers(`${prefix}${COUNTER}`), 'exact');
  }

  async log({ result }: Step): Promise<Named> {
    const { mse, aux, ...strict } = result.losses;
    return { ...this.#named(mse, aux * this.#hyper.auxk_coef, Object.values(strict)), total: result.total };
  }

  /** The fixture's auxiliary term is weighted, its strict prefixes are added up. */
  #named(mse: number, aux: number, strict: readonly number[]): Named {
    return { mse_0: mse, aux_0: aux, extra_strict_prefixes: strict.reduce((sum, loss) => sum + loss, 0) };
  }
}

export const matryoshkaTopKAdapter: Adapter = {
  architecture: matryoshkaTopK.name,
  open: (fixture) => new MatryoshkaTopKCase(fixture),
};
