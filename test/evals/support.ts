/** Sources in memory, SAEs whose answers are known, and a context around them. */
import type { Normalization } from '../../src/activations/normalization.ts';
import type { ActivationSource, RowOrigins } from '../../src/activations/source.ts';
import { Random } from '../../src/core/random.ts';
import type { Device, Tensor } from '../../src/engine/device.ts';
import { encodeAtLeast, RELU } from '../../src/engine/ops/encode.ts';
import type { EvalContext } from '../../src/evals/context.ts';
import type { Metrics } from '../../src/evals/metric.ts';
import type { Sae, View } from '../../src/sae/architecture.ts';

/** Held-out rows [rows, d] with or without origins. */
export function memorySource(acts: Float32Array, d: number, origins?: RowOrigins): ActivationSource {
  return {
    d,
    trainRows: 0,
    heldOutRows: acts.length / d,
    normalization: { kind: 'none' },
    identity: { kind: 'memory', hash: 'memory', description: null },
    batch: () => Promise.reject(new Error('no training rows')),
    heldOut: async (start, out, into) => {
      const rows = Math.min(out.length, acts.length - start * d) / d;
      out.set(acts.subarray(start * d, (start + rows) * d));
      if (origins && into) {
        for (const key of ['tokens', 'pos', 'doc'] as const) into[key].set(origins[key].subarray(start, start + rows));
      }
      return rows;
    },
    close: async () => {},
  };
}

/** Normal activations around an offset, in documents of 7 rows. */
export function sample(rows: number, d: number, offset = 0.5, seed = 1): { acts: Float32Array; origins: RowOrigins } {
  const random = new Random(seed);
  const acts = Float32Array.from({ length: rows * d }, () => random.normal() + offset);
  const of = (value: (row: number) => number): Int32Array => Int32Array.from({ length: rows }, (_, row) => value(row));
  return { acts, origins: { tokens: of((row) => row % 11), pos: of((row) => row % 7), doc: of((row) => row / 7) } };
}

/** Codes ReLU(W x), reconstruction codes · W_dec + bias. */
export function linearSae(
  device: Device,
  d: number,
  W: ArrayLike<number>,
  W_dec: ArrayLike<number>,
  bias?: ArrayLike<number>,
  views: readonly View[] = [{ name: 'full', from: 0, to: W.length / d }],
): Sae {
  const width = W.length / d;
  const put = (data: ArrayLike<number>, ...shape: number[]): Tensor => {
    const tensor = device.persistent('f32', ...shape);
    device.write(tensor, data);
    return tensor;
  };
  const encoder = { W: put(W, width, d), bias: null, center: null, floor: RELU };
  const dictionary = put(W_dec, width, d);
  return {
    architecture: 'test',
    d,
    width,
    views,
    outputBias: bias ? put(bias, d) : null,
    forest: undefined,
    encode: (tape, x) => encodeAtLeast(tape, x, encoder),
    dictionary: () => dictionary,
  };
}

/** [2d, d]: every axis and its opposite. ReLU(W x)·W = x. */
export function axes(d: number): Float32Array {
  const W = new Float32Array(2 * d * d);
  for (let j = 0; j < d; j++) {
    W[j * d + j] = 1;
    W[(d + j) * d + j] = -1;
  }
  return W;
}

export function context(
  device: Device,
  sae: Sae,
  source: ActivationSource,
  changes: Partial<EvalContext> = {},
): EvalContext {
  const normalization: Normalization = { kind: 'none' };
  const model = 'no model in this test';
  return {
    device,
    sae,
    source,
    normalization,
    model,
    rows: 1e6,
    batchRows: 64,
    seed: 0,
    onProgress: () => {},
    ...changes,
  };
}

export function values(metrics: Metrics): Record<string, number | null> {
  return Object.fromEntries(Object.entries(metrics).map(([name, { value }]) => [name, value]));
}
