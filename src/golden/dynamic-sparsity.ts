/** Fixtures of dynamic sparsity: a reference of the paper's equations, and the rules of merging and resampling. */
import { join } from 'node:path';
import { z } from 'zod';
import { parseConfig } from '../core/config.ts';
import type { Device, Tensor } from '../engine/device.ts';
import { dynamicSparsity, underused } from '../sae/dynamic-sparsity.ts';
import { disjointPairs, mergeLatents, similarRows } from '../sae/parts/merging.ts';
import { restartLatents, type FlatWeights } from '../sae/parts/resampling.ts';
import type { TrainableSae } from '../sae/architecture.ts';
import type { Adapter, CaseAdapter, Named, Pass, Step, Variant } from './adapter.ts';
import { readJson, type SaeFixture } from './fixture.ts';
import type { Report } from './report.ts';

const count = z.number().int().min(0);
const sizesSchema = z.object({ batch: count.min(1), d_in: count.min(1), d_sae: count.min(1) });
const hyperSchema = z.object({
  t: count,
  T: count.min(1),
  L_target: z.number().positive(),
  lr: z.number().positive(),
  weight_decay: z.number().min(0),
  clip: z.number().positive(),
  alpha_min: z.number().positive(),
  alpha_max: z.number().positive(),
  lambda0: z.number().min(0),
});

const matrix = z.array(z.array(z.number()));
const weightsSchema = z.object({ W_enc_rows: matrix, W_dec_rows: matrix, b_enc: z.array(z.number()) });
const mergeSchema = weightsSchema.extend({
  candidate_pairs: matrix,
  merged_pairs: matrix,
  after_merge: weightsSchema,
  fired_history: matrix,
  firing_frequency: z.array(z.number()),
  dead: z.array(count),
  resampled: z.array(count),
  sampled_vectors: matrix,
  after_resample: weightsSchema,
});

const MERGE_ABOVE = 0.9;
const MIN_USAGE = 0.01;

const DECOUPLED: Variant = { name: undefined, gradients: 'grad' };
const COUPLED: Variant = { name: undefined, gradients: 'grad', suffix: '_coupled' };

class DynamicSparsityCase implements CaseAdapter {
  readonly parameters = [
    { stored: 'W_enc', ours: 'W_enc', transposed: true },
    { stored: 'b_enc', ours: 'b_enc', transposed: false },
    { stored: 'W_dec', ours: 'W_dec', transposed: false },
    { stored: 'b_dec', ours: 'b_dec', transposed: false },
  ];
  readonly variants = [DECOUPLED, COUPLED];
  readonly batch: number;
  readonly d: number;
  readonly passStep: number;
  readonly firstStep: number;
  readonly #fixture: SaeFixture;
  readonly #width: number;
  readonly #hyper: z.output<typeof hyperSchema>;

  constructor(fixture: SaeFixture) {
    const { batch, d_in: d, d_sae: width } = fixture.parse(sizesSchema, 'sizes');
    this.#fixture = fixture;
    this.#width = width;
    this.#hyper = fixture.parse(hyperSchema, 'hyper');
    this.batch = batch;
    this.d = d;
    this.passStep = this.#hyper.t;
    this.firstStep = this.#hyper.t;
  }

  build(device: Device, variant: Variant): TrainableSae {
    const { T: steps, L_target: lossTarget, lambda0, lr, weight_decay: weightDecay, clip, ...hyper } = this.#hyper;
    const wanted = {
      width: this.#width,
      lossTarget,
      lambda0,
      lr,
      weightDecay,
      weightDecayStyle: variant === COUPLED ? 'coupled' : 'decoupled',
      clip,
      alphaMin: hyper.alpha_min,
      alphaMax: hyper.alpha_max,
    };
    const config = parseConfig(dynamicSparsity.schema, wanted, this.#fixture.folder);
    return dynamicSparsity.build(config, { device, d: this.d, seed: 0, batch: this.batch, steps });
  }

  async losses({ device, losses, forward, total }: Pass): Promise<Named> {
    const { L_target: target } = this.#hyper;
    const alpha = 1 / (await device.read(forward.observed.inverseAlpha))[0];
    return {
      recon: losses.l2,
      per_element_mse: losses.l2 / this.d,
      lambda_t: forward.losses.adaptive_l1.weight,
      alpha_t: alpha,
      alpha_unclamped: (target * this.d) / losses.l2,
      alpha_t_if_summed_loss: 'a reading of the paper that the library does not have',
      l1: losses.adaptive_l1 / alpha,
      total,
    };
  }

  /** Merging and resampling, from a state of their own. */
  async compare({ device }: Pass, report: Report): Promise<void> {
    const stored = readJson(join(this.#fixture.folder, 'merge.json'), mergeSchema);
    const tolerance = this.#fixture.tolerance('after');
    const [rows, d] = [stored.W_enc_rows.length, stored.W_enc_rows[0].length];
    const weights: FlatWeights = {
      W_enc: device.persistent('f32', rows, d),
      b_enc: device.persistent('f32', rows),
      W_dec: device.persistent('f32', rows, d),
    };
    await device.flush();
    device.write(weights.W_enc, stored.W_enc_rows.flat());
    device.write(weights.W_dec, stored.W_dec_rows.flat());
    device.write(weights.b_enc, stored.b_enc);
    const compareWeights = async (when: 'after_merge' | 'after_resample'): Promise<void> => {
      const { W_enc_rows: W_enc, W_dec_rows: W_dec, b_enc } = stored[when];
      report.compare(`${when}.W_enc_rows`, await floats(device, weights.W_enc), W_enc.flat(), tolerance);
      report.compare(`${when}.b_enc`, await floats(device, weights.b_enc), b_enc, tolerance);
      report.compare(`${when}.W_dec_rows`, await floats(device, weights.W_dec), W_dec.flat(), tolerance);
    };

    const candidates = await similarRows(device, weights.W_dec, MERGE_ABOVE);
    report.compare('candidate_pairs', candidates.flat(), stored.candidate_pairs.flat(), 'exact');
    const merged = disjointPairs(candidates);
    report.compare('merged_pairs', merged.flat(), stored.merged_pairs.flat(), 'exact');
    await mergeLatents(device, weights, merged, () => {});
    await compareWeights('after_merge');

    const history = stored.fired_history;
    const silent = history[0].map((_, latent) => history.filter((fired) => fired[latent] === 0).length);
    const usage = silent.map((steps) => 1 - steps / history.length);
    report.compare('firing_frequency', usage, stored.firing_frequency, tolerance);
    const dead = underused(silent, history.length, MIN_USAGE);
    report.compare('dead', dead, stored.dead, 'exact');
    const free = [...dead, ...merged.map(([, j]) => j)].sort((a, b) => a - b);
    report.compare('resampled', free, stored.resampled, 'exact');
    const vectors = Float32Array.from(stored.sampled_vectors.flat());
    await restartLatents(device, weights, free, vectors, 'release', () => {});
    await compareWeights('after_resample');
  }

  async compareState(): Promise<void> {}

  async log({ device, step, result: { forward, gradientNorm, total } }: Step): Promise<Named> {
    return {
      t: step,
      lambda_t: forward.losses.adaptive_l1.weight,
      alpha_t: 1 / (await device.read(forward.observed.inverseAlpha))[0],
      grad_norm_before_clip: gradientNorm,
      total,
    };
  }
}

const floats = (device: Device, tensor: Tensor): Promise<Float32Array> =>
  device.read(tensor as Tensor & { dtype: 'f32' });

export const dynamicSparsityAdapter: Adapter = {
  architecture: dynamicSparsity.name,
  open: (fixture) => new DynamicSparsityCase(fixture),
};
