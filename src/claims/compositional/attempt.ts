/** Trainings of the published compositional recipe, which may end at the first step: what each got to. */
import { Moments } from '../../core/statistics.ts';
import type { Device, Tensor } from '../../engine/device.ts';
import { Optimizer } from '../../engine/optim.ts';
import type { ActivationSource } from '../../activations/source.ts';
import { architectureNamed } from '../../sae/registry.ts';
import { trainStep } from '../../training/step.ts';
import { Spread, squaredDistance } from '../../training/validation.ts';

/** Of the published runs, as their numbers give it: mean ‖x‖, and total variance (methods 4.2). */
export const PUBLISHED = { norm: 308, variance: 53_800 };

/** Steps in a row that are not taken after which training ends, as in every training. */
const MOST_BAD = 10;
const SAMPLE = 4096;

/** In place of one. */
export const NO_CAUSE = 'no cause was named';

export interface Recipe {
  /** Keys of the architecture beside `variant: literal`. */
  readonly keys: object;
  /** The scale of the published activations, or mean ‖x‖ = √d. */
  readonly inputs: 'published scale' | 'normalised';
  /** The first of every 128 tokens becomes a huge vector along two dimensions, as the first token of a text is in large models. */
  readonly outliers?: boolean;
  /** Inputs, and weights after every step, are rounded to bfloat16. */
  readonly bf16?: boolean;
}

export interface Attempt {
  readonly steps: number;
  /** Steps that were taken with some latent active. */
  readonly useful: number;
  /** Number of the first step that was not taken. */
  readonly failedAt: number | null;
  /** Of the last step that was taken. */
  readonly l0: number | null;
  readonly varianceExplained: number | null;
  /** Learned tier weights, and ‖h_i‖₁ per token, at the end. */
  readonly weights: readonly number[];
  readonly l1: readonly number[];
  /** As the guard of training names it. */
  readonly cause: string | undefined;
}

export async function attempt(
  device: Device,
  source: ActivationSource,
  { keys, inputs, outliers = false, bf16 = false }: Recipe,
  { seed, steps, batch }: { seed: number; steps: number; batch: number },
): Promise<Attempt> {
  const { d } = source;
  const architecture = architectureNamed('compositional');
  const config = architecture.schema.parse({ variant: 'literal', ...keys });
  const sae = architecture.build(config, { device, d, seed, batch, steps });
  const optimizer = new Optimizer(device, sae.parameters, sae.update);
  const x = device.persistent('f32', batch, d);
  const rows = new Float32Array(batch * d);
  const rescale = await rescaling(source, inputs);
  let [useful, bad] = [0, 0];
  let failedAt: number | null = null;
  let cause: string | undefined;
  let l0: number | null = null;
  let varianceExplained: number | null = null;
  let l1: number[] = [];
  for (let step = 0; step < steps && bad < MOST_BAD; step++) {
    await source.batch(step, rows);
    rescale(rows);
    if (outliers) addOutliers(rows, d);
    if (bf16) roundToBfloat16(rows);
    device.beginStep();
    device.write(x, rows);
    if (step === 0) sae.start(rows);
    const { taken, losses, forward, observed } = await trainStep(device, sae, optimizer, x, step);
    if (!taken) {
      bad++;
      failedAt ??= step;
      cause ??= sae.explainDivergence?.(losses) ?? NO_CAUSE;
      continue;
    }
    bad = 0;
    const values = await device.read(forward.codes.value as Tensor & { dtype: 'f32' });
    l0 = values.reduce((count, value) => count + (value === 0 ? 0 : 1), 0) / batch;
    if (l0 > 0) useful++;
    const reconstruction = await device.read(forward.reconstruction as Tensor & { dtype: 'f32' });
    const spread = new Spread(d);
    spread.add(rows);
    varianceExplained = 1 - squaredDistance(rows, reconstruction) / spread.total;
    l1 = [1, 2, 3].map((tier) => observed[`l1_${tier}`]);
    if (bf16) for (const { tensor } of sae.parameters) await roundTensor(device, tensor);
  }
  const weights = softmax([1, 2, 3].map((tier) => sae.hostState[`a${tier}`]));
  return { steps, useful, failedAt, l0, varianceExplained, weights, l1, cause };
}

/**
 * To the published scale: x' = c (x − μ) + m with the total variance and the mean norm of the published activations, m along μ.
 */
async function rescaling(source: ActivationSource, inputs: Recipe['inputs']): Promise<(rows: Float32Array) => void> {
  const { d } = source;
  const sample = new Float32Array(Math.min(SAMPLE, source.trainRows) * d);
  await source.batch(0, sample);
  const count = sample.length / d;
  const mean = new Float64Array(d);
  for (let i = 0; i < sample.length; i++) mean[i % d] += sample[i] / count;
  const norms = new Moments();
  let variance = 0;
  for (let r = 0; r < count; r++) {
    norms.add(Math.hypot(...sample.subarray(r * d, (r + 1) * d)));
    for (let i = 0; i < d; i++) variance += (sample[r * d + i] - mean[i]) ** 2 / count;
  }
  const scale = inputs === 'normalised' ? Math.sqrt(d) / norms.mean : Math.sqrt(PUBLISHED.variance / variance);
  const length = Math.sqrt(PUBLISHED.norm ** 2 - PUBLISHED.variance) / Math.hypot(...mean);
  const offset = mean.map((value) => (inputs === 'normalised' ? 0 : (length - scale) * value));
  return (rows) => {
    for (let i = 0; i < rows.length; i++) rows[i] = scale * rows[i] + offset[i % d];
  };
}

/** Norm of the outliers, in mean norms of the published activations. */
const HUGE = 10;
const CONTEXT = 128;

function addOutliers(rows: Float32Array, d: number): void {
  for (let at = 0; at < rows.length; at += CONTEXT * d) {
    rows.fill(0, at, at + d);
    for (const dimension of [0, 1]) rows[at + dimension] = (HUGE * PUBLISHED.norm) / Math.SQRT2;
  }
}

/** Nearest even, in place: the upper half of the bits of a float32. */
export function roundToBfloat16(values: Float32Array): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (const [i, word] of bits.entries()) {
    if (Number.isFinite(values[i])) bits[i] = (word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000;
  }
}

async function roundTensor(device: Device, tensor: Tensor): Promise<void> {
  const values = await device.read(tensor as Tensor & { dtype: 'f32' });
  roundToBfloat16(values);
  device.write(tensor, values);
}

export function softmax(logits: readonly number[]): number[] {
  const largest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

/** Tiers in the published proportions to d: a third, two thirds, all. */
export const publishedWidths = (d: number): [number, number, number] => [Math.round(d / 3), Math.round((2 * d) / 3), d];
