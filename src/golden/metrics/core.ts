/** What SAEBench, SAELens, dictionary_learning, OpenAI and Tree SAE call reconstruction quality, sparsity and downstream loss. */
import { join } from 'node:path';
import { z } from 'zod';
import { addFiringCounts, codesFromDense } from '../../core/codes.ts';
import { DocumentFirings } from '../../evals/core/document-firings.ts';
import { FiringCounts } from '../../evals/core/firing.ts';
import { InputSums } from '../../evals/core/inputs.ts';
import { CleanPredictions, LossSums } from '../../evals/core/next-token.ts';
import { ReconstructionSums } from '../../evals/core/reconstruction.ts';
import { ablationMetrics, viewMetrics } from '../../evals/core/splice-metrics.ts';
import { Bootstrap, total } from '../../evals/metric.ts';
import { documentUnits } from '../../evals/units.ts';
import { SafetensorsFile } from '../../formats/safetensors.ts';
import { readJson } from '../fixture.ts';
import type { Report, Tolerance } from '../report.ts';

const numbers = z.record(z.string(), z.number());
const expectedSchema = z.object({
  shapes: z.object({ batch: z.int(), ctx: z.int(), d: z.int(), latents: z.int(), vocab: z.int() }),
  tokens_counted: z.int(),
  explained_variance: numbers,
  mse: numbers,
  cossim: z.number(),
  l0: z.number(),
  l1: z.number(),
  l2_norm_in: z.number(),
  l2_norm_out: z.number(),
  l2_ratio: z.number(),
  shrinkage_saelens_synthetic: z.number(),
  relative_reconstruction_bias: z.number(),
  relative_reconstruction_bias_two_batches: z.number(),
  frac_alive: z.number(),
  feature_density: z.array(z.number()),
  consistent_activation_heuristic: z.array(z.number().nullable()),
  downstream: numbers,
  tolerance: z.number().positive(),
});
type Expected = z.output<typeof expectedSchema>;

export function runCore(folder: string, report: Report): void {
  const expected = readJson(join(folder, 'expected.json'), expectedSchema);
  const file = SafetensorsFile.open(join(folder, 'inputs.safetensors'));
  try {
    compareRows(expected, file, report);
    compareGroup('downstream', expected.downstream, downstream(expected, file), report, expected);
  } finally {
    file.close();
  }
}

/** Positions of some prompts that are counted. */
function countedIn(prompts: readonly number[], { shapes: { ctx } }: Expected, file: SafetensorsFile): number[] {
  const mask = file.readInt32('mask');
  const positions = prompts.flatMap((prompt) => Array.from({ length: ctx }, (_, i) => prompt * ctx + i));
  return positions.filter((position) => mask[position] === 1);
}

/** The metrics of the suite on some prompts, as if they were all that was held out. */
function measured(prompts: readonly number[], expected: Expected, file: SafetensorsFile) {
  const { ctx, d, latents } = expected.shapes;
  const rows = countedIn(prompts, expected, file);
  const doc = Int32Array.from(rows, (row) => Math.floor(row / ctx));
  const units = documentUnits(doc);
  const matrix = (name: string, width: number): Float32Array => {
    const all = file.readFloat32(name);
    return Float32Array.from(rows.flatMap((row) => [...all.subarray(row * width, (row + 1) * width)]));
  };
  const [x, output] = [matrix('x', d), matrix('x_hat', d)];
  const codes = codesFromDense(matrix('code', latents), rows.length, latents);
  const mean = Float64Array.from({ length: d }, (_, j) => {
    return rows.reduce((sum, _, r) => sum + x[r * d + j], 0) / rows.length;
  });
  const view = { name: 'full', from: 0, to: latents };
  const inputs = new InputSums(units, mean);
  const sums = new ReconstructionSums(inputs, view);
  const firing = new FiringCounts(units, latents);
  const documents = new DocumentFirings(units, latents);
  const batch = { start: 0, rows: rows.length, raw: x, normalized: x, origins: undefined };
  inputs.add(batch);
  sums.add(batch, { raw: output, normalized: output }, codes);
  firing.add(0, codes);
  documents.add(0, codes, doc);
  const bootstrap = new Bootstrap(units, 0);
  const metrics = { ...sums.metrics(bootstrap), ...firing.metrics(bootstrap, [view])[0] };
  const counts = new Float64Array(latents);
  addFiringCounts(codes, counts);
  return {
    tokens: rows.length,
    /** Over tokens and dimensions. */
    meanSquare: total(inputs.raw.squares) / (rows.length * d),
    of: (name: keyof typeof metrics): number => metrics[name].value ?? NaN,
    density: counts.map((count) => count / rows.length),
    perDocument: documents.perLatent(),
  };
}
type Measured = ReturnType<typeof measured>;

function compareRows(expected: Expected, file: SafetensorsFile, report: Report): void {
  const { batch, d } = expected.shapes;
  const prompts = Array.from({ length: batch }, (_, prompt) => prompt);
  const all = measured(prompts, expected, file);
  const halves = [prompts.slice(0, batch / 2), prompts.slice(batch / 2)].map((half) => measured(half, expected, file));
  /** Over batches, each a sample of its own. */
  const overHalves = (value: (half: Measured) => number): number =>
    halves.reduce((sum, half) => sum + value(half), 0) / halves.length;
  const overTokens = (value: (half: Measured) => number): number =>
    halves.reduce((sum, half) => sum + half.tokens * value(half), 0) / all.tokens;

  report.compare('tokens_counted', all.tokens, expected.tokens_counted, 'exact');
  const error = (of: Measured): number => of.of('mse') * d;
  // The tool takes every mean of each batch, and then the mean over the batches.
  const s = overHalves((half) => half.meanSquare);
  const ours = {
    global: all.of('variance_explained'),
    global_streaming_saelens: all.of('variance_explained'),
    saebench_legacy: all.of('variance_explained_legacy'),
    saebench_legacy_two_batches: overTokens((half) => half.of('variance_explained_legacy')),
    saebench_new_as_coded: all.of('variance_explained_saebench'),
    saebench_new_as_coded_two_batches: 1 - overHalves(error) / (d * s - s ** 2),
    tree_sae_per_token_mean: all.of('variance_explained_token_mean'),
    dictionary_learning_frac_variance_explained: all.of('fraction_variance_explained_dl'),
  };
  compareGroup('explained_variance', expected.explained_variance, ours, report, expected);
  const errors = {
    per_element: all.of('mse'),
    per_token_sum: error(all),
    // The tool divides by the number of tokens of the batch once more.
    saebench_one_batch: error(all) / all.tokens,
    saebench_two_batches: overTokens((half) => error(half) / half.tokens),
    openai_normalized: all.of('normalized_mse'),
    fvu_global: 1 - all.of('variance_explained'),
    dictionary_learning_l2_loss_mean_norm: all.of('error_norm'),
  };
  compareGroup('mse', expected.mse, errors, report, expected);
  const compare = (name: keyof Expected, actual: ArrayLike<number> | number): void => {
    const stored = expected[name] as number | number[];
    report.compare(name, actual, stored, near(expected, stored));
  };
  compare('cossim', all.of('cosine'));
  compare('l0', all.of('l0'));
  compare('l1', all.of('l1'));
  compare('l2_norm_in', all.of('norm_in'));
  compare('l2_norm_out', all.of('norm_out'));
  compare('l2_ratio', all.of('norm_ratio'));
  compare('shrinkage_saelens_synthetic', all.of('norm_ratio'));
  compare('relative_reconstruction_bias', all.of('relative_reconstruction_bias'));
  compare(
    'relative_reconstruction_bias_two_batches',
    overHalves((half) => half.of('relative_reconstruction_bias')),
  );
  compare('frac_alive', 1 - all.of('dead_fraction'));
  compare('feature_density', all.density);
  comparePerDocument(expected, all, report);
}

/** NaN stands where the fixture has null. */
function comparePerDocument(expected: Expected, { perDocument }: Measured, report: Report): void {
  const stored = expected.consistent_activation_heuristic;
  const name = 'consistent_activation_heuristic';
  const defined = stored.flatMap((value) => value ?? []);
  report.compare(
    name,
    perDocument.filter((value) => !Number.isNaN(value)),
    defined,
    near(expected, defined),
  );
  report.compare(`${name}: undefined for`, undefinedIn([...perDocument]), undefinedIn(stored), 'exact');
}

const undefinedIn = (values: readonly (number | null)[]): number[] =>
  values.flatMap((value, latent) => (value === null || Number.isNaN(value) ? [latent] : []));

function downstream(expected: Expected, file: SafetensorsFile): Record<string, number> {
  const { batch, ctx, vocab } = expected.shapes;
  const prompts = Array.from({ length: batch }, (_, prompt) => prompt);
  const rows = countedIn(prompts, expected, file);
  const units = documentUnits(rows.map((row) => Math.floor(row / ctx)));
  const tokens = file.readInt32('tokens');
  // The last position of a prompt predicts nothing that is known.
  const targets = rows.map((row) => ((row + 1) % ctx === 0 ? -1 : tokens[row + 1]));
  const positions = { rows: Int32Array.from(rows), targets: Int32Array.from(targets), units: units.first(rows.length) };
  const predictions = new CleanPredictions(file.readFloat32('logits_clean'), vocab, positions);
  const [clean, sae, zero] = [0, 1, 2].map(() => new LossSums(units.count));
  predictions.addTo(clean);
  predictions.compare(file.readFloat32('logits_sae'), sae);
  predictions.compare(file.readFloat32('logits_ablated'), zero);
  const [predicted, compared] = [new Float64Array(units.count), new Float64Array(units.count)];
  positions.units.forEach((unit, i) => {
    compared[unit]++;
    if (targets[i] >= 0) predicted[unit]++;
  });
  const bootstrap = new Bootstrap(units, 0);
  const sums = { clean, views: [sae], zero, mean: zero, zeroAll: zero, predicted, compared };
  const metrics = { ...ablationMetrics(sums, bootstrap), ...viewMetrics(sums, 0, bootstrap) };
  const of = (name: string): number => metrics[name].value ?? NaN;
  return {
    ce_loss_without_sae: of('ce_clean'),
    ce_loss_with_sae: of('ce_sae'),
    ce_loss_with_ablation: of('ce_zero'),
    ce_loss_score: of('ce_loss_score'),
    kl_div_with_sae: of('kl_sae'),
    kl_div_with_ablation: of('kl_zero'),
    kl_div_score: of('kl_div_score'),
  };
}

/** Every entry of the fixture; one that is not known here fails. */
function compareGroup(
  group: string,
  stored: Readonly<Record<string, number>>,
  ours: Readonly<Record<string, number>>,
  report: Report,
  expected: Expected,
): void {
  for (const [name, value] of Object.entries(stored)) {
    report.compare(`${group}.${name}`, ours[name] ?? NaN, value, near(expected, value));
  }
}

/** |got − want| ≤ tol · max(1, max|want|) */
function near({ tolerance }: Expected, stored: ArrayLike<number> | number): Tolerance {
  const values = typeof stored === 'number' ? [stored] : Array.from(stored);
  return { abs: tolerance * values.reduce((most, value) => Math.max(most, Math.abs(value)), 1) };
}
