/**
 * What is done to an activation before an SAE sees it, and how a reconstruction is mapped back. All statistics are
 * taken in float64. Plain JSON: a run stores the fitted value and needs nothing else to repeat it.
 */
import { z } from 'zod';
import { InputError } from '../core/errors.ts';

export const NORMALIZATIONS = ['none', 'scalar', 'unit', 'layer-norm'] as const;
export type NormalizationKind = (typeof NORMALIZATIONS)[number];

export const normalizationSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  /** One factor for all rows, √d / mean‖x‖: makes E‖x‖ = √d. */
  z.strictObject({ kind: z.literal('scalar'), factor: z.number().positive() }),
  /** x / (‖x‖ + 1e-6) */
  z.strictObject({ kind: z.literal('unit') }),
  /** (x − μ) / (σ + 1e-5) over the elements of each row, σ unbiased. */
  z.strictObject({ kind: z.literal('layer-norm') }),
]);
export type Normalization = z.infer<typeof normalizationSchema>;

const UNIT_EPSILON = 1e-6;
const LAYER_NORM_EPSILON = 1e-5;

/**
 * @param meanNorm mean ‖x‖ of the data
 * @throws InputError if the data cannot be normalised this way
 */
export function fitNormalization(kind: NormalizationKind, d: number, meanNorm: number): Normalization {
  if (kind === 'layer-norm' && d < 2) {
    throw new InputError('layer-norm needs activations of at least 2 elements', {
      hint: 'choose another normalization',
    });
  }
  if (kind !== 'scalar') return { kind };
  const factor = Math.sqrt(d) / meanNorm;
  if (Number.isFinite(factor) && factor > 0) return { kind, factor };
  throw new InputError(`scalar normalization needs a positive mean norm, these activations have ${meanNorm}`, {
    hint: 'check the harvested layer, or train with normalization none',
  });
}

/** Normalises `rows` [count, d] in place. */
export function normalize(normalization: Normalization, rows: Float32Array, d: number): void {
  if (normalization.kind === 'none') return;
  for (let at = 0; at < rows.length; at += d) normalizeRow(normalization, rows, at, d);
}

/** Normalises the row of `d` elements that starts at `at`, in place. */
export function normalizeRow(normalization: Normalization, rows: Float32Array, at: number, d: number): void {
  switch (normalization.kind) {
    case 'none':
      return;
    case 'scalar':
      return scaleRow(rows, at, d, normalization.factor);
    case 'unit':
      return scaleRow(rows, at, d, 1 / (rowNorm(rows, at, d) + UNIT_EPSILON));
    case 'layer-norm': {
      const mean = rowMean(rows, at, d);
      const scale = 1 / (rowDeviation(rows, at, d, mean) + LAYER_NORM_EPSILON);
      for (let j = at; j < at + d; j++) rows[j] = (rows[j] - mean) * scale;
    }
  }
}

/**
 * Maps reconstructions back to raw space, in place.
 * @param reconstructions [count, d] in normalised space
 * @param raw [count, d], the activations before normalisation: unit and layer-norm take each row's scale from them
 */
export function denormalize(
  normalization: Normalization,
  reconstructions: Float32Array,
  raw: Float32Array,
  d: number,
): void {
  if (normalization.kind === 'none') return;
  for (let at = 0; at < reconstructions.length; at += d) {
    if (normalization.kind === 'scalar') scaleRow(reconstructions, at, d, 1 / normalization.factor);
    else if (normalization.kind === 'unit') scaleRow(reconstructions, at, d, rowNorm(raw, at, d) + UNIT_EPSILON);
    else {
      // Times σ, not σ + 1e-5: so do Tree SAE and SAELens, and their checkpoints expect it.
      const mean = rowMean(raw, at, d);
      const deviation = rowDeviation(raw, at, d, mean);
      for (let j = at; j < at + d; j++) reconstructions[j] = reconstructions[j] * deviation + mean;
    }
  }
}

function scaleRow(rows: Float32Array, at: number, d: number, factor: number): void {
  for (let j = at; j < at + d; j++) rows[j] *= factor;
}

function rowNorm(rows: Float32Array, at: number, d: number): number {
  let sum = 0;
  for (let j = at; j < at + d; j++) sum += rows[j] * rows[j];
  return Math.sqrt(sum);
}

function rowMean(rows: Float32Array, at: number, d: number): number {
  let sum = 0;
  for (let j = at; j < at + d; j++) sum += rows[j];
  return sum / d;
}

/** Unbiased standard deviation. */
function rowDeviation(rows: Float32Array, at: number, d: number, mean: number): number {
  let sum = 0;
  for (let j = at; j < at + d; j++) sum += (rows[j] - mean) ** 2;
  return Math.sqrt(sum / (d - 1));
}
