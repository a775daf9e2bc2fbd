/** Sources in memory, SAEs whose answers are known, and a context around them. */
import type { Normalization } from '../../src/activations/normalization.ts';
import type { ActivationSource, RowOrigins } from '../../src/activations/source.ts';
import { Random } from '../../src/core/random.ts';
import type { Device, Tensor } from '../../src/engine/device.ts';
import { encodeAtLeast, RELU } from '../../src/engine/ops/encode.ts';
import type { EvalContext } from '../../src/evals/context.ts';
import { Forest } from '../../src/forest/forest.ts';
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

/** Rows W with W·Gᵀ = 1 for independent rows G [n, d]: (G Gᵀ)⁻¹ G, by Gauss and Jordan. */
export function dualRows(G: Float32Array, n: number, d: number): Float64Array {
  const rows = Array.from({ length: n }, (_, i) => {
    const gram = Array.from({ length: n }, (_unused, j) => {
      let dot = 0;
      for (let k = 0; k < d; k++) dot += G[i * d + k] * G[j * d + k];
      return dot;
    });
    return [...gram, ...G.subarray(i * d, (i + 1) * d)];
  });
  for (let i = 0; i < n; i++) {
    const pivot = rows[i][i];
    rows[i] = rows[i].map((value) => value / pivot);
    for (let j = 0; j < n; j++) {
      if (j === i) continue;
      const factor = rows[j][i];
      rows[j] = rows[j].map((value, c) => value - factor * rows[i][c]);
    }
  }
  return Float64Array.from(rows.flatMap((row) => row.slice(n)));
}

/** An SAE whose latent i fires exactly with feature features[i], −1 = never; with or without a forest of its own. */
export function perfectSae(
  device: Device,
  directions: Float32Array,
  d: number,
  features: readonly number[],
  parents?: readonly number[],
): Sae {
  const dual = dualRows(directions, directions.length / d, d);
  const pick = (rows: Float32Array | Float64Array): number[] =>
    features.flatMap((j) => (j === -1 ? Array<number>(d).fill(0) : [...rows.subarray(j * d, (j + 1) * d)]));
  const sae = linearSae(device, d, pick(dual), pick(directions));
  return parents === undefined ? sae : { ...sae, forest: new Forest(parents) };
}
