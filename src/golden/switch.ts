/** Fixtures of the Switch SAE authors' trainer. */
import { z } from 'zod';
import { codesToDense } from '../core/codes.ts';
import { parseConfig } from '../core/config.ts';
import { readCodes, type Device, type Tensor } from '../engine/device.ts';
import { RELU } from '../engine/ops/encode.ts';
import { encodeRouted, route, scaleCodes } from '../engine/ops/route.ts';
import { Tape } from '../engine/tape.ts';
import type { TrainableSae } from '../sae/architecture.ts';
import { switchSae } from '../sae/switch.ts';
import type { Adapter, CaseAdapter, Named, Pass, Step, Variant } from './adapter.ts';
import type { SaeFixture } from './fixture.ts';
import type { Report } from './report.ts';

const count = z.number().int().min(0);
const sizesSchema = z.object({
  batch: count.min(1),
  d_in: count.min(1),
  d_sae: count.min(1),
  experts: count.min(1),
  k: count.min(1),
});
/** Literals are constants of the library. */
const hyperSchema = z.object({
  lb_alpha: z.number(),
  decay_start: count,
  steps: count.min(1),
  heaviside: z.boolean(),
  lr: z.number(),
  betas: z.tuple([z.literal(0.9), z.literal(0.999)]),
  eps: z.literal(1e-8),
});

const ALIASED: Variant = { name: 'aliased', gradients: 'grad_aliased', suffix: '_aliased' };

type Floats = Tensor & { dtype: 'f32' };
type Words = Tensor & { dtype: 'u32' };

class SwitchCase implements CaseAdapter {
  readonly parameters = [
    { stored: 'encoder.weight', ours: 'W_enc', transposed: false },
    { stored: 'decoder', ours: 'W_dec', transposed: false },
    { stored: 'b_dec', ours: 'b_dec', transposed: false },
    { stored: 'router.weight', ours: 'W_router', transposed: false },
    { stored: 'b_router', ours: 'b_router', transposed: false },
  ];
  readonly variants: readonly Variant[] = [{ name: undefined, gradients: 'grad' }, ALIASED];
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

  build(device: Device, variant: Variant): TrainableSae {
    const { lb_alpha: balanceAlpha, decay_start: decayStart, steps, heaviside, lr } = this.#hyper;
    const wanted = {
      width: this.#sizes.d_sae,
      experts: this.#sizes.experts,
      k: this.#sizes.k,
      lr,
      // A share of the run that is rounded down to this step.
      decayFrom: Math.min(1, (decayStart + 0.5) / steps),
      balanceAlpha,
      heaviside,
      aliasedBiases: variant.name === ALIASED.name,
    };
    const config = parseConfig(switchSae.schema, wanted, this.#fixture.folder);
    return switchSae.build(config, { device, d: this.d, seed: 0, batch: this.batch, steps });
  }

  async losses({ losses, total }: Pass): Promise<Named> {
    return {
      l2_loss: losses.l2,
      lb_loss: losses.balance,
      auxk_loss: 'computed by the source for its log only, not part of its loss',
      loss: total,
      total,
    };
  }

  async compare({ device, sae, x }: Pass, report: Report): Promise<void> {
    const fixture = this.#fixture;
    const tolerance = fixture.tolerance('forward');
    const { experts, d_sae: width } = this.#sizes;
    const tape = new Tape(device);
    const { expert, p, chosen } = route(tape, x, { W: parameter(sae, 'W_router'), center: parameter(sae, 'b_router') });
    report.compare('router_prob', await device.read(p as Floats), fixture.numbers('router_prob'), tolerance);
    const index = await device.read(expert.index as Words);
    report.compare('expert_index', index, fixture.numbers('expert_index'), 'exact');
    // Before the selection: all latents of the expert.
    const size = width / experts;
    const links = { childPtr: device.persistent('u32', experts + 1), children: device.persistent('u32', width) };
    device.write(
      links.childPtr,
      Uint32Array.from({ length: experts + 1 }, (_, e) => e * size),
    );
    device.write(
      links.children,
      Uint32Array.from({ length: width }, (_, i) => i),
    );
    const encoder = { W: parameter(sae, 'W_enc'), bias: null, center: parameter(sae, 'b_dec'), floor: RELU };
    const all = encodeRouted(tape, x, encoder, expert, links, size);
    const scaled = this.#hyper.heaviside ? all : scaleCodes(tape, all, chosen);
    const dense = codesToDense(await readCodes(device, scaled));
    report.compare('code_before_topk', dense, fixture.numbers('code_before_topk'), tolerance);
  }

  async compareState(): Promise<void> {}

  async log({ result: { learningRate, total } }: Step): Promise<Named> {
    return { learning_rate: learningRate, loss: total };
  }
}

function parameter(sae: TrainableSae, name: string): Floats {
  return sae.parameters.find((candidate) => candidate.name === name)!.tensor as Floats;
}

export const switchAdapter: Adapter = { architecture: switchSae.name, open: (fixture) => new SwitchCase(fixture) };
