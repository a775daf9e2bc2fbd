/**
 * What the language model loses when a reconstruction takes the place of its residual stream. The prefix computes the
 * residuals anew in float32; they are replaced where the harvest stored rows (by default everywhere but at BOS, which the
 * SAE has never seen), and the suffix turns them into logits.
 */
import { denormalize, normalize, type Normalization } from '../../activations/normalization.ts';
import type { LanguageModel } from '../../lm/model.ts';
import type { Prefix, Suffix } from '../../lm/parts.ts';
import { packTokens } from '../../lm/tokens.ts';
import { planBatches } from '../../lm/windows.ts';
import type { View } from '../../sae/architecture.ts';
import type { Reconstructor } from '../../sae/reconstructor.ts';
import type { RowUnits } from '../units.ts';
import { CleanPredictions, LossSums, type Positions } from './next-token.ts';
import type { StoredSequence } from './sequences.ts';

/** Logits of one run of the model, at most (a single sequence may need more): 32 MiB, held three times. */
const MAX_LOGITS = 2 ** 23;

export interface SpliceInput {
  readonly model: LanguageModel;
  /** Block whose residual is replaced. */
  readonly layer: number;
  readonly sequences: readonly StoredSequence[];
  /** Resampled unit of each sequence. */
  readonly units: RowUnits;
  readonly reconstructor: Reconstructor;
  readonly normalization: Normalization;
  /** [d], what mean ablation puts in. */
  readonly mean: Float64Array;
  /** Rows that the SAE sees at once. */
  readonly batchRows: number;
  readonly onProgress: (done: number, total: number) => void;
}

/** Sums per unit. */
export interface SpliceSums {
  readonly clean: LossSums;
  /** In the order of the SAE's views. */
  readonly views: readonly LossSums[];
  readonly zero: LossSums;
  readonly mean: LossSums;
  /** Zeros at every position, those without stored rows too. */
  readonly zeroAll: LossSums;
  /** Positions that count for cross entropy: stored, and followed by a token. */
  readonly predicted: Float64Array;
  /** Positions that count for KL: all stored ones. */
  readonly compared: Float64Array;
}

export async function splice(input: SpliceInput): Promise<SpliceSums> {
  const { model, layer, sequences, units, reconstructor } = input;
  const { vocab } = model.info;
  const losses = (): LossSums => new LossSums(units.count);
  const sums: SpliceSums = {
    clean: losses(),
    views: reconstructor.sae.views.map(losses),
    zero: losses(),
    mean: losses(),
    zeroAll: losses(),
    predicted: new Float64Array(units.count),
    compared: new Float64Array(units.count),
  };
  const prefix = await model.prefix([{ layer, hook: 'resid_post' }]);
  try {
    const suffix = await model.suffix(layer);
    try {
      let done = 0;
      for (const batch of planBatches(sequences, Math.max(1, Math.floor(MAX_LOGITS / vocab)))) {
        await spliceBatch(input, prefix, suffix, batch, sums);
        input.onProgress((done += batch.length), sequences.length);
      }
    } finally {
      await suffix.release();
    }
  } finally {
    await prefix.release();
  }
  return sums;
}

async function spliceBatch(
  { model, sequences, units, reconstructor, normalization, mean, batchRows }: SpliceInput,
  prefix: Prefix,
  suffix: Suffix,
  chosen: readonly number[],
  sums: SpliceSums,
): Promise<void> {
  const { d } = prefix;
  const members = chosen.map((i) => sequences[i]);
  const tokens = packTokens(
    members.map((sequence) => sequence.tokens),
    model.tokenizer.padId,
  );
  const positions = positionsOf(
    members,
    Int32Array.from(chosen, (i) => units.of(i)),
    tokens.length,
  );
  count(positions, sums);
  const [residual] = await prefix.run(tokens);
  const logits = await suffix.run(tokens, residual);
  const clean = new CleanPredictions(logits, logits.length / (tokens.n * tokens.length), positions);
  clean.addTo(sums.clean);

  const compare = async (replaced: Float32Array, into: LossSums): Promise<void> =>
    clean.compare(await suffix.run(tokens, replaced), into);
  const stored = gather(residual, positions.rows, d);
  const { views } = reconstructor.sae;
  for (const [v, view] of views.entries()) {
    const reconstruction = await reconstruct(reconstructor, view, normalization, stored, batchRows);
    await compare(scatter(residual, positions.rows, reconstruction, d), sums.views[v]);
  }
  await compare(scatter(residual, positions.rows, new Float32Array(stored.length), d), sums.zero);
  const means = Float32Array.from(stored, (_, i) => mean[i % d]);
  await compare(scatter(residual, positions.rows, means, d), sums.mean);
  await compare(new Float32Array(residual.length), sums.zeroAll);
}

/** Stored positions of a batch. */
function positionsOf(members: readonly StoredSequence[], unit: Int32Array, length: number): Positions {
  const rows: number[] = [];
  const targets: number[] = [];
  const units: number[] = [];
  members.forEach(({ tokens, stored }, n) => {
    for (let i = 0; i < tokens.length; i++) {
      if (stored[i] === 0) continue;
      rows.push(n * length + i);
      targets.push(i + 1 < tokens.length ? tokens[i + 1] : -1);
      units.push(unit[n]);
    }
  });
  return { rows: Int32Array.from(rows), targets: Int32Array.from(targets), units: Int32Array.from(units) };
}

function count({ targets, units }: Positions, { predicted, compared }: SpliceSums): void {
  for (let i = 0; i < units.length; i++) {
    compared[units[i]]++;
    if (targets[i] >= 0) predicted[units[i]]++;
  }
}

/** x [rows, d] raw → its reconstruction by one view, raw. */
async function reconstruct(
  reconstructor: Reconstructor,
  view: View,
  normalization: Normalization,
  x: Float32Array,
  batchRows: number,
): Promise<Float32Array> {
  const { d } = reconstructor.sae;
  const result = new Float32Array(x.length);
  for (let start = 0; start < x.length; start += batchRows * d) {
    const raw = x.subarray(start, start + batchRows * d);
    const input = raw.slice();
    normalize(normalization, input, d);
    const [output] = (await reconstructor.run(input, [view])).views;
    denormalize(normalization, output, raw, d);
    result.set(output, start);
  }
  return result;
}

function gather(matrix: Float32Array, rows: Int32Array, d: number): Float32Array {
  const result = new Float32Array(rows.length * d);
  rows.forEach((row, i) => result.set(matrix.subarray(row * d, (row + 1) * d), i * d));
  return result;
}

/** A copy of `matrix` with some rows replaced. */
function scatter(matrix: Float32Array, rows: Int32Array, values: Float32Array, d: number): Float32Array {
  const result = matrix.slice();
  rows.forEach((row, i) => result.set(values.subarray(i * d, (i + 1) * d), row * d));
  return result;
}
