/** Fixtures of dictionary_learning's JumpReluTrainer and of SAELens' JumpReLUTrainingSAE. */
import { z } from 'zod';
import { parseConfig } from '../core/config.ts';
import type { Device, Tensor } from '../engine/device.ts';
import type { TrainableSae } from '../sae/architecture.ts';
import { jumprelu } from '../sae/jumprelu.ts';
import type { Adapter, CaseAdapter, Named, Pass, Step, Variant } from './adapter.ts';
import type { SaeFixture } from './fixture.ts';
import type { Report } from './report.ts';

const count = z.number().int().min(0);
const sizesSchema = z.object({ batch: count.min(1), d_in: count.min(1), d_sae: count.min(1) });

type Floats = Tensor & { dtype: 'f32' };

/** What both sources have in common. */
abstract class JumpReLUCase implements CaseAdapter {
  abstract readonly parameters: CaseAdapter['parameters'];
  abstract readonly variants: readonly Variant[];
  abstract readonly passStep: number;
  readonly batch: number;
  readonly d: number;
  protected readonly fixture: SaeFixture;
  protected readonly width: number;
  readonly #counter: string;

  constructor(fixture: SaeFixture, counter: string) {
    this.fixture = fixture;
    this.#counter = counter;
    const { batch, d_in, d_sae } = fixture.parse(sizesSchema, 'sizes');
    this.batch = batch;
    this.d = d_in;
    this.width = d_sae;
  }

  abstract build(device: Device, variant: Variant): TrainableSae;
  abstract losses(pass: Pass): Promise<Named>;
  abstract log(step: Step): Promise<Named>;

  protected model(device: Device, config: Record<string, unknown>, steps: number): TrainableSae {
    const parsed = parseConfig(jumprelu.schema, { width: this.width, ...config }, this.fixture.folder);
    const sae = jumprelu.build(parsed, { device, d: this.d, seed: 0, batch: this.batch, steps });
    const counter = `state.${this.#counter}`;
    if (this.fixture.has(counter)) {
      const counts = this.fixture.numbers(counter, this.width);
      device.write(sae.state.since_fired, counts);
      sae.hostState = { oldest: Math.max(...counts) };
    }
    return sae;
  }

  /** Scores by the dense product of the parameters: training keeps those in the window only. */
  async compare({ device, sae, x }: Pass, report: Report): Promise<void> {
    const { fixture, d, width } = this;
    const rows = await device.read(x as Floats);
    const [W, bias, center] = await Promise.all(
      ['W_enc', 'b_enc', 'b_dec'].map((name) =>
        device.read(sae.parameters.find((parameter) => parameter.name === name)!.tensor as Floats),
      ),
    );
    const scores = Float32Array.from({ length: this.batch * width }, (_, e) => {
      const [r, i] = [Math.floor(e / width), e % width];
      let z = bias[i];
      for (let p = 0; p < d; p++) z += W[i * d + p] * (rows[r * d + p] - (this.centered ? center[p] : 0));
      return z;
    });
    report.compare('pre_activation', scores, fixture.numbers('pre_activation'), fixture.tolerance('forward'));
  }

  protected abstract readonly centered: boolean;

  async compareState({ device, sae }: Step, prefix: string, report: Report): Promise<void> {
    const name = `${prefix}${this.#counter}`;
    const counter = await device.read(sae.state.since_fired as Floats);
    report.compare(name, counter, this.fixture.numbers(name), 'exact');
  }
}

const links = (threshold: string): CaseAdapter['parameters'] => [
  { stored: 'W_enc', ours: 'W_enc', transposed: true },
  { stored: 'b_enc', ours: 'b_enc', transposed: false },
  { stored: 'W_dec', ours: 'W_dec', transposed: false },
  { stored: 'b_dec', ours: 'b_dec', transposed: false },
  { stored: threshold, ours: threshold, transposed: false },
];

const dictionaryLearningSchema = z.object({
  steps: count.min(1),
  lr: z.number().positive(),
  bandwidth: z.number().positive(),
  sparsity_penalty: z.number().min(0),
  warmup_steps: count,
  sparsity_warmup_steps: count,
  decay_start: count.nullable(),
  target_l0: z.number().positive(),
  betas: z.tuple([z.number(), z.literal(0.999)]),
  eps: z.literal(1e-8),
});

class DictionaryLearningCase extends JumpReLUCase {
  readonly parameters = links('threshold');
  readonly variants: readonly Variant[] = [{ name: undefined, gradients: 'grad' }];
  readonly passStep: number;
  protected readonly centered = false;
  readonly #hyper: z.output<typeof dictionaryLearningSchema>;

  constructor(fixture: SaeFixture) {
    super(fixture, 'num_tokens_since_fired');
    this.#hyper = fixture.parse(dictionaryLearningSchema, 'hyper');
    this.passStep = fixture.description.forward_step_index;
  }

  build(device: Device): TrainableSae {
    const { steps, decay_start: decayStart, betas, ...hyper } = this.#hyper;
    const wanted = {
      lr: hyper.lr,
      bandwidth: hyper.bandwidth,
      sparsityWeight: hyper.sparsity_penalty,
      warmupSteps: hyper.warmup_steps,
      sparsityWarmupSteps: hyper.sparsity_warmup_steps,
      // A share of the run that is rounded down to this step.
      decayFrom: decayStart === null ? 1 : Math.min(1, (decayStart + 0.5) / steps),
      targetL0: hyper.target_l0,
      beta1: betas[0],
    };
    return this.model(device, wanted, steps);
  }

  async losses({ device, losses, total, forward }: Pass): Promise<Named> {
    const { sparsity_penalty: weight } = this.#hyper;
    const scaled = forward.losses.sparsity.weight;
    return {
      l2_loss: losses.l2,
      loss: total,
      total,
      l0: (await device.read(forward.observed.l0))[0],
      sparsity_scale: scaled / weight,
      sparsity_loss: scaled * losses.sparsity,
    };
  }

  async log({ result }: Step): Promise<Named> {
    return { learning_rate: result.learningRate, loss: result.total };
  }
}

const saelensSchema = z.object({
  jumprelu_bandwidth: z.number().positive(),
  l0_coefficient: z.number().min(0),
  l0_warm_up_steps: count,
  pre_act_loss_coefficient: z.number().min(0),
  jumprelu_sparsity_loss_mode: z.enum(['step', 'tanh']),
  lr: z.number().positive(),
  lr_warm_up_steps: count,
  dead_feature_window: count.min(1),
  jumprelu_tanh_scale: z.number().positive(),
  betas: z.tuple([z.number(), z.literal(0.999)]),
  eps: z.literal(1e-8),
  apply_b_dec_to_input: z.boolean(),
  normalize_activations: z.literal('none'),
});

/** Long enough that nothing but the warm-ups depends on the length of the run. */
const SAELENS_STEPS = 1000;

class SaelensCase extends JumpReLUCase {
  readonly parameters = links('log_threshold');
  readonly variants: readonly Variant[];
  readonly passStep: number;
  protected readonly centered: boolean;
  readonly #hyper: z.output<typeof saelensSchema>;

  constructor(fixture: SaeFixture) {
    super(fixture, 'n_forward_passes_since_fired');
    this.#hyper = fixture.parse(saelensSchema, 'hyper');
    this.variants = [
      { name: undefined, gradients: 'grad' },
      { name: 'other_mode', gradients: `grad_${this.#mode(true)}` },
    ];
    this.centered = this.#hyper.apply_b_dec_to_input;
    // The single pass has the full coefficient: the warm-up is over.
    this.passStep = this.#hyper.l0_warm_up_steps;
  }

  build(device: Device, variant: Variant): TrainableSae {
    const hyper = this.#hyper;
    const wanted = {
      dialect: 'saelens',
      bandwidth: hyper.jumprelu_bandwidth,
      sparsity: this.#mode(variant.name !== undefined),
      sparsityWeight: hyper.l0_coefficient,
      sparsityWarmupSteps: hyper.l0_warm_up_steps,
      preActWeight: hyper.pre_act_loss_coefficient,
      lr: hyper.lr,
      warmupSteps: hyper.lr_warm_up_steps,
      deadAfter: hyper.dead_feature_window,
      tanhScale: hyper.jumprelu_tanh_scale,
      beta1: hyper.betas[0],
      centerInput: hyper.apply_b_dec_to_input,
    };
    return this.model(device, wanted, SAELENS_STEPS);
  }

  async losses({ forward, losses, total }: Pass): Promise<Named> {
    return {
      ...this.#terms(losses, forward.losses),
      total,
      other_mode: 'compared as a variant of its own',
    };
  }

  async log({ result: { forward, losses, total, learningRate, gradientNorm }, device, step }: Step): Promise<Named> {
    // The dead latents of a step are those of the counters before it.
    const prefix = step === 0 ? 'state.' : `after${step}.`;
    const name = `${prefix}n_forward_passes_since_fired`;
    await device.flush();
    const before = this.fixture.has(name) ? this.fixture.numbers(name) : undefined;
    const dead = before && [...before].filter((steps) => steps > this.#hyper.dead_feature_window).length;
    return {
      ...this.#terms(losses, forward.losses),
      learning_rate: learningRate,
      l0_coefficient: forward.losses.sparsity.weight,
      dead: dead ?? 'the counters of this step are not in the fixture',
      grad_norm_before_clip: gradientNorm,
      total,
    };
  }

  #terms(losses: Pass['losses'], weighted: Pass['forward']['losses']): Record<string, number> {
    return {
      mse_loss: losses.l2,
      l0_loss: losses.sparsity * weighted.sparsity.weight,
      pre_act_loss: losses.pre_act === undefined ? 0 : losses.pre_act * weighted.pre_act.weight,
    };
  }

  #mode(other: boolean): 'step' | 'tanh' {
    return (this.#hyper.jumprelu_sparsity_loss_mode === 'step') === other ? 'tanh' : 'step';
  }
}

export const jumpreluAdapters: readonly Adapter[] = [
  { architecture: 'jumprelu', open: (fixture) => new DictionaryLearningCase(fixture) },
  { architecture: 'jumprelu-saelens', open: (fixture) => new SaelensCase(fixture) },
];
