/** Fixtures of dictionary_learning's TopKTrainer, BatchTopKTrainer and MatryoshkaBatchTopKTrainer. */
import { z } from 'zod';
import { codesToDense } from '../core/codes.ts';
import { parseConfig } from '../core/config.ts';
import { readCodes, type Device, type Tensor } from '../engine/device.ts';
import { decode } from '../engine/ops/decode.ts';
import { Tape } from '../engine/tape.ts';
import type { Architecture, TrainableSae } from '../sae/architecture.ts';
import { batchtopk } from '../sae/batchtopk.ts';
import { matryoshka } from '../sae/matryoshka.ts';
import { topk } from '../sae/topk.ts';
import type { Adapter, CaseAdapter, Named, ParameterLink, Pass, Step, Variant } from './adapter.ts';
import type { SaeFixture } from './fixture.ts';
import type { Report } from './report.ts';

const count = z.number().int().min(0);
const sizesSchema = z.object({ batch: count.min(1), d_in: count.min(1), d_sae: count.min(1), k: count.min(1) });
const hyperSchema = z.object({
  steps: count.min(1),
  lr: z.number().positive().nullable(),
  auxk_alpha: z.number().min(0),
  warmup_steps: count,
  decay_start: count.nullable(),
  threshold_beta: z.number(),
  threshold_start_step: count,
  k_anneal_steps: count.nullable().default(null),
  dead_feature_threshold: count.min(1),
  top_k_aux: count.min(1),
});

const COUNTER = 'num_tokens_since_fired';

/** torch.nn.Linear, which keeps [out, in]. */
const linear: readonly ParameterLink[] = [
  { stored: 'encoder.weight', ours: 'W_enc', transposed: false },
  { stored: 'encoder.bias', ours: 'b_enc', transposed: false },
  { stored: 'decoder.weight', ours: 'W_dec', transposed: true },
  { stored: 'b_dec', ours: 'b_dec', transposed: false },
];

class TopKFamilyCase implements CaseAdapter {
  readonly parameters: readonly ParameterLink[];
  readonly variants: readonly Variant[] = [{ name: undefined, gradients: 'grad' }];
  readonly batch: number;
  readonly d: number;
  readonly passStep: number;
  protected readonly fixture: SaeFixture;
  readonly #architecture: Architecture;
  readonly #sizes: z.output<typeof sizesSchema>;
  readonly #hyper: z.output<typeof hyperSchema>;

  constructor(fixture: SaeFixture, architecture: Architecture, parameters = linear) {
    this.fixture = fixture;
    this.#architecture = architecture;
    this.parameters = parameters;
    this.#sizes = fixture.parse(sizesSchema, 'sizes');
    this.#hyper = fixture.parse(hyperSchema, 'hyper');
    this.batch = this.#sizes.batch;
    this.d = this.#sizes.d_in;
    this.passStep = fixture.description.forward_step_index;
  }

  build(device: Device, _variant: Variant, more: Record<string, unknown> = {}): TrainableSae {
    const { steps, decay_start: decayStart, ...hyper } = this.#hyper;
    const wanted = {
      width: this.#sizes.d_sae,
      k: this.#sizes.k,
      lr: hyper.lr,
      warmupSteps: hyper.warmup_steps,
      // A share of the run that is rounded down to this step.
      decayFrom: decayStart === null ? 1 : Math.min(1, (decayStart + 0.5) / steps),
      auxAlpha: hyper.auxk_alpha,
      auxK: hyper.top_k_aux,
      deadAfter: hyper.dead_feature_threshold,
      thresholdBeta: hyper.threshold_beta,
      thresholdFrom: hyper.threshold_start_step,
      kAnnealSteps: hyper.k_anneal_steps,
      ...more,
    };
    const architecture = this.#architecture;
    const config = parseConfig(architecture.schema, wanted, this.fixture.folder);
    const sae = architecture.build(config, { device, d: this.d, seed: 0, batch: this.batch, steps });
    const counter = this.fixture.numbers(`state.${COUNTER}`, sae.width);
    device.write(sae.state.since_selected, counter);
    const [threshold] = this.fixture.numbers('param.threshold', 1);
    sae.hostState = { threshold, oldest: Math.max(...counter), dead: 0 };
    return sae;
  }

  async losses({ device, losses, total, sae }: Pass): Promise<Named> {
    const dead = await this.#dead(device, sae);
    return {
      l2_loss: losses.l2,
      auxk_loss: losses.aux ?? (dead > 0 ? 'auxk_alpha is 0: not computed' : 0),
      loss: total,
      total,
      dead_features: dead,
      auxk_loss_unscaled_numerator: 'part of auxk_loss, not kept on its own',
      min_positive_per_row: 'describes the inputs of the case',
    };
  }

  async compare({ device, tape, sae, x }: Pass, report: Report): Promise<void> {
    const fixture = this.fixture;
    const forward = fixture.tolerance('forward');
    const counter = await device.read(sae.state.since_selected as Tensor & { dtype: 'f32' });
    const after = `${COUNTER}_after_forward`;
    report.compare(after, counter, fixture.numbers(after), 'exact');

    const codes = sae.encode(tape, x);
    const reconstruction = decode(tape, codes, sae.dictionary(tape), sae.outputBias);
    report.compare('x_hat_inference', await device.read(reconstruction), fixture.numbers('x_hat_inference'), forward);
  }

  async compareState({ device, sae }: Step, prefix: string, report: Report): Promise<void> {
    const fixture = this.fixture;
    const counter = await device.read(sae.state.since_selected as Tensor & { dtype: 'f32' });
    report.compare(`${prefix}${COUNTER}`, counter, fixture.numbers(`${prefix}${COUNTER}`), 'exact');
    const threshold = `${prefix}param.threshold`;
    report.compare(threshold, sae.hostState.threshold, fixture.numbers(threshold), fixture.tolerance('after'));
  }

  async log({ device, sae, x, step, result }: Step): Promise<Named> {
    const dead = await this.#dead(device, sae);
    // The k of the next step shows in its codes.
    const next = await readCodes(device, sae.forward(new Tape(device), x, step + 1).codes);
    return {
      learning_rate: result.learningRate,
      loss: result.total,
      threshold_after: sae.hostState.threshold,
      k_after: next.index.length / next.rows,
      dead_features: dead,
    };
  }

  async #dead(device: Device, sae: TrainableSae): Promise<number> {
    await device.flush();
    return Math.round((await sae.deadFraction()) * sae.width);
  }
}

class TopKCase extends TopKFamilyCase {
  override async compare(pass: Pass, report: Report): Promise<void> {
    await super.compare(pass, report);
    const { device, tape, sae, x } = pass;
    const strict = this.build(device, this.variants[0], { inference: 'threshold' });
    for (const [i, { tensor }] of sae.parameters.entries())
      device.write(strict.parameters[i].tensor, await device.read(tensor));
    const above = codesToDense(await readCodes(device, strict.encode(tape, x)));
    report.compare('code_threshold', above, this.fixture.numbers('code_threshold'), this.fixture.tolerance('forward'));
  }
}

const groupsSchema = z.object({
  group_fractions: z.array(z.number().positive()).min(1),
  group_weights: z.array(z.number()).min(1),
});

class MatryoshkaCase extends TopKFamilyCase {
  readonly #groups: z.output<typeof groupsSchema>;

  constructor(fixture: SaeFixture) {
    super(fixture, matryoshka, [
      { stored: 'W_enc', ours: 'W_enc', transposed: true },
      { stored: 'b_enc', ours: 'b_enc', transposed: false },
      { stored: 'W_dec', ours: 'W_dec', transposed: false },
      { stored: 'b_dec', ours: 'b_dec', transposed: false },
    ]);
    this.#groups = fixture.parse(groupsSchema, 'hyper');
  }

  override build(device: Device, variant: Variant): TrainableSae {
    const { group_fractions: groupFractions, group_weights: groupWeights } = this.#groups;
    return super.build(device, variant, { groupFractions, groupWeights });
  }

  /** The fixture counts prefixes from 0. */
  viewTensor(view: string): string {
    return `x_hat_prefix_${Number(view.slice('prefix-'.length)) - 1}`;
  }

  override async losses(pass: Pass): Promise<Named> {
    const weighted = this.#losses(pass).map((loss, g) => loss * this.#groups.group_weights[g]);
    return {
      ...(await super.losses(pass)),
      l2_loss: weighted.reduce((sum, loss) => sum + loss, 0) / weighted.length,
      min_l2_loss: Math.min(...weighted),
      max_l2_loss: Math.max(...weighted),
      group_l2: 'a list: compared below',
    };
  }

  override async compare(pass: Pass, report: Report): Promise<void> {
    await super.compare(pass, report);
    const { fixture } = this;
    const losses = this.#losses(pass);
    const stored = z.array(z.number()).parse(fixture.description.losses.group_l2);
    report.compare('losses.group_l2', losses, stored, fixture.tolerance('losses'));
    const full = await pass.device.read(pass.forward.reconstruction as Tensor & { dtype: 'f32' });
    const last = `x_hat_prefix_${losses.length - 1}`;
    report.compare(last, full, fixture.numbers(last), fixture.tolerance('forward'));
  }

  /** Of all groups, unweighted. */
  #losses({ sae, losses }: Pass): number[] {
    const [full, ...strict] = sae.views.map(({ name }) => losses[name === 'full' ? 'l2' : name]);
    return [...strict, full];
  }
}

export const topkAdapter: Adapter = { architecture: topk.name, open: (fixture) => new TopKCase(fixture, topk) };

export const batchtopkAdapter: Adapter = {
  architecture: batchtopk.name,
  open: (fixture) => new TopKFamilyCase(fixture, batchtopk),
};

export const matryoshkaAdapter: Adapter = {
  architecture: matryoshka.name,
  open: (fixture) => new MatryoshkaCase(fixture),
};
