/** Fixtures of dictionary_learning's L1 trainers. */
import { z } from 'zod';
import { codesToDense } from '../core/codes.ts';
import { parseConfig } from '../core/config.ts';
import { readCodes, type Device, type Tensor } from '../engine/device.ts';
import { decode } from '../engine/ops/decode.ts';
import { encodeAtLeast, RELU } from '../engine/ops/encode.ts';
import { Optimizer } from '../engine/optim.ts';
import type { Architecture, TrainableSae } from '../sae/architecture.ts';
import { gated } from '../sae/gated.ts';
import { gatherRows, reconstructionErrors, restartLatents } from '../sae/parts/resampling.ts';
import { reluL1April } from '../sae/relu-l1-april.ts';
import { reluL1 } from '../sae/relu-l1.ts';
import type { Adapter, CaseAdapter, Named, ParameterLink, Pass, Step, Variant } from './adapter.ts';
import type { SaeFixture } from './fixture.ts';
import type { Report } from './report.ts';

const count = z.number().int().min(0);
const sizesSchema = z.object({ batch: count.min(1), d_in: count.min(1), d_sae: count.min(1) });
const hyperSchema = z.object({
  steps: count.min(1),
  lr: z.number().positive(),
  l1_penalty: z.number().min(0),
  warmup_steps: count,
  sparsity_warmup_steps: count,
  decay_start: count.nullable(),
});

/** Compares what a fixture has beyond the common quantities. */
type Extras = (pass: Pass, fixture: SaeFixture, report: Report) => Promise<void>;

class L1Case implements CaseAdapter {
  readonly parameters: readonly ParameterLink[];
  readonly variants: readonly Variant[] = [{ name: undefined, gradients: 'grad' }];
  readonly batch: number;
  readonly d: number;
  readonly passStep: number;
  readonly #architecture: Architecture;
  readonly #extras: Extras;
  readonly #fixture: SaeFixture;
  readonly #width: number;
  readonly #hyper: z.output<typeof hyperSchema>;

  constructor(
    fixture: SaeFixture,
    architecture: Architecture,
    parameters: readonly ParameterLink[],
    extras: Extras = async () => {},
  ) {
    const { batch, d_in: d, d_sae: width } = fixture.parse(sizesSchema, 'sizes');
    this.parameters = parameters;
    this.batch = batch;
    this.d = d;
    this.passStep = fixture.description.forward_step_index;
    this.#architecture = architecture;
    this.#extras = extras;
    this.#fixture = fixture;
    this.#width = width;
    this.#hyper = fixture.parse(hyperSchema, 'hyper');
  }

  build(device: Device): TrainableSae {
    const { steps, decay_start: decayStart, ...hyper } = this.#hyper;
    const wanted = {
      width: this.#width,
      lr: hyper.lr,
      l1: hyper.l1_penalty,
      l1WarmupSteps: hyper.sparsity_warmup_steps,
      warmupSteps: hyper.warmup_steps,
      // A share of the run that is rounded down to this step.
      decayFrom: decayStart === null ? 1 : Math.min(1, (decayStart + 0.5) / steps),
    };
    const config = parseConfig(this.#architecture.schema, wanted, this.#fixture.folder);
    return this.#architecture.build(config, { device, d: this.d, seed: 0, batch: this.batch, steps });
  }

  async losses({ device, x, forward, losses, total }: Pass): Promise<Named> {
    const [inputs, estimates] = await Promise.all([x, forward.reconstruction].map((tensor) => floats(device, tensor)));
    let distance = 0;
    for (let r = 0; r < this.batch; r++) {
      let square = 0;
      for (let i = r * this.d; i < (r + 1) * this.d; i++) square += (inputs[i] - estimates[i]) ** 2;
      distance += Math.sqrt(square) / this.batch;
    }
    return {
      l2_loss: distance,
      mse_loss: losses.l2,
      sparsity_loss: losses.l1,
      aux_loss: losses.aux,
      loss: total,
      total,
      sparsity_scale: forward.losses.l1.weight / this.#hyper.l1_penalty,
    };
  }

  compare(pass: Pass, report: Report): Promise<void> {
    return this.#extras(pass, this.#fixture, report);
  }

  async compareState(): Promise<void> {}

  async log({ result: { learningRate } }: Step): Promise<Named> {
    return { learning_rate: learningRate };
  }
}

/** The gates' own values, and what they reconstruct. */
async function compareGates({ device, tape, sae, x }: Pass, fixture: SaeFixture, report: Report): Promise<void> {
  const tolerance = fixture.tolerance('forward');
  const [W, bias, center] = ['W_enc', 'b_gate', 'b_dec'].map((name) => tensorOf(sae, name));
  const gate = encodeAtLeast(tape, x, { W, bias, center, floor: RELU });
  const estimate = await floats(device, decode(tape, gate, sae.dictionary(tape), center));
  report.compare('gate_relu', codesToDense(await readCodes(device, gate)), fixture.numbers('gate_relu'), tolerance);
  report.compare('x_hat_gate', estimate, fixture.numbers('x_hat_gate'), tolerance);
}

/** Resampling with the rows given, from a state of its own. */
async function compareResampling({ device, sae }: Pass, fixture: SaeFixture, report: Report): Promise<void> {
  const activations = fixture.numbers('resample.input.activations');
  const x = device.persistent('f32', activations.length / sae.d, sae.d);
  device.write(x, activations);
  const optimizer = new Optimizer(device, sae.parameters, sae.update);
  const groups: [stored: string, tensor: (name: string) => Tensor][] = [
    ['param', (name) => tensorOf(sae, name)],
    ['exp_avg', (name) => optimizer.state[`adam_m.${name}`]],
    ['exp_avg_sq', (name) => optimizer.state[`adam_v.${name}`]],
  ];
  const each = async (
    when: string,
    visit: (tensor: Tensor, stored: Numbers, label: string) => Promise<void> | void,
  ) => {
    for (const { stored, ours, transposed } of reluParameters)
      for (const [group, tensor] of groups) {
        const label = `resample.${when}.${group}.${stored}`;
        await visit(tensor(ours), transposed ? fixture.transposed(label) : fixture.numbers(label), label);
      }
  };
  await device.flush();
  await each('before', (tensor, stored) => device.write(tensor, stored));
  const errors = await reconstructionErrors(device, sae, x);
  report.compare(
    'resample.sampling_weights',
    errors,
    fixture.numbers('resample.sampling_weights'),
    fixture.tolerance('forward'),
  );
  const mask = fixture.numbers('resample.input.dead_mask');
  const dead = [...mask.keys()].filter((latent) => mask[latent] !== 0);
  const vectors = await gatherRows(device, x, [...fixture.numbers('resample.input.sampled_indices')]);
  const [W_enc, b_enc, W_dec] = ['W_enc', 'b_enc', 'W_dec'].map((name) => tensorOf(sae, name));
  await restartLatents(
    device,
    { W_enc, b_enc, W_dec },
    dead,
    vectors,
    'release',
    optimizer.clearMoments.bind(optimizer),
  );
  await each('after', async (tensor, stored, label) =>
    report.compare(label, await floats(device, tensor), stored, fixture.tolerance('after')),
  );
}

type Numbers = Float32Array | Int32Array;

const floats = (device: Device, tensor: Tensor): Promise<Float32Array> =>
  device.read(tensor as Tensor & { dtype: 'f32' });

const tensorOf = (sae: TrainableSae, name: string): Tensor =>
  sae.parameters.find((parameter) => parameter.name === name)!.tensor;

const link = (stored: string, ours: string, transposed = false): ParameterLink => ({ stored, ours, transposed });

const reluParameters = [
  link('encoder.weight', 'W_enc'),
  link('encoder.bias', 'b_enc'),
  link('decoder.weight', 'W_dec', true),
  link('bias', 'b_dec'),
];

const gatedParameters = [
  link('encoder.weight', 'W_enc'),
  link('r_mag', 'r_mag'),
  link('gate_bias', 'b_gate'),
  link('mag_bias', 'b_mag'),
  link('decoder.weight', 'W_dec', true),
  link('decoder_bias', 'b_dec'),
];

export const reluL1Adapter: Adapter = {
  architecture: reluL1.name,
  open: (fixture) => new L1Case(fixture, reluL1, reluParameters, compareResampling),
};

export const reluL1AprilAdapter: Adapter = {
  architecture: reluL1April.name,
  open: (fixture) => new L1Case(fixture, reluL1April, reluParameters),
};

export const gatedAdapter: Adapter = {
  architecture: gated.name,
  open: (fixture) => new L1Case(fixture, gated, gatedParameters, compareGates),
};
