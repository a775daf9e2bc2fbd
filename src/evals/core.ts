/**
 * The suite `core`: how well an SAE reconstructs held-out activations, how sparse it is, and what the language model loses
 * with the reconstruction in its place (the measurements of SAEBench's core, with every definition named).
 */
import { denormalize } from '../activations/normalization.ts';
import { DocumentFirings } from './core/document-firings.ts';
import { FiringCounts } from './core/firing.ts';
import { InputSums } from './core/inputs.ts';
import { ReconstructionSums } from './core/reconstruction.ts';
import { SequenceReader, type SequenceLimit, type StoredSequence } from './core/sequences.ts';
import { splice } from './core/splice.ts';
import { ablationMetrics, viewMetrics } from './core/splice-metrics.ts';
import { HeldOutRows } from './held-out-rows.ts';
import { Bootstrap, metric, type Metrics, type SuiteResult } from './metric.ts';
import { Reconstructor } from '../sae/reconstructor.ts';
import type { EvalContext, HarvestedModel } from './context.ts';
import { documentUnits } from './units.ts';

/** Tokens of the spliced sequences, where their number is not given. */
const SPLICED_TOKENS = 20_000;

const CE = ['ce_clean', 'ce_sae', 'ce_zero', 'ce_mean', 'ce_zero_all', 'ce_loss_score'];
const KL = ['kl_sae', 'kl_zero', 'kl_div_score'];

/** @throws InputError if the source holds no held-out rows */
export async function evaluateCore(context: EvalContext): Promise<SuiteResult> {
  const { device, sae, source, normalization, model } = context;
  const sequences = typeof model === 'string' ? undefined : new SequenceReader(model, splicedLimit(context));
  const rows = await HeldOutRows.open(source, normalization, context, (origins) => sequences?.add(origins));
  const reconstructor = await Reconstructor.create(device, sae);
  try {
    const { perView, ofDocuments } = await measureRows(context, rows, reconstructor);
    const reason = await addSpliced(context, rows, reconstructor, sequences?.finish() ?? [], perView);
    const full = sae.views.findIndex(({ name }) => name === 'full');
    return {
      metrics: { ...perView[full], ...ofDocuments, ...(await countedDead(context)) },
      views: Object.fromEntries(sae.views.map(({ name }, v) => [name, perView[v]]).filter((_, v) => v !== full)),
      skipped: reason === undefined ? {} : Object.fromEntries([...CE, ...KL].map((name) => [name, reason])),
    };
  } finally {
    reconstructor.release();
  }
}

/** Metrics of the held-out rows, by view, and of all latents in the documents that the rows come from. */
async function measureRows(
  { sae, seed, onProgress }: EvalContext,
  rows: HeldOutRows,
  reconstructor: Reconstructor,
): Promise<{ perView: Metrics[]; ofDocuments: Metrics }> {
  const { d, units, normalization, hasOrigins } = rows;
  const inputs = new InputSums(units, rows.mean);
  const firing = new FiringCounts(units, sae.width);
  const documents = hasOrigins ? new DocumentFirings(units, sae.width) : undefined;
  const views = sae.views.map((view) => new ReconstructionSums(inputs, view));
  for await (const batch of rows.batches()) {
    const { codes, views: outputs } = await reconstructor.run(batch.normalized);
    inputs.add(batch);
    firing.add(batch.start, codes);
    if (batch.origins) documents?.add(batch.start, codes, batch.origins.doc);
    outputs.forEach((normalized, v) => {
      const raw = normalized.slice();
      denormalize(normalization, raw, batch.raw, d);
      views[v].add(batch, { raw, normalized }, codes);
    });
    onProgress('held-out rows', batch.start + batch.rows, rows.rows);
  }
  const bootstrap = new Bootstrap(units, seed);
  const fired = firing.metrics(bootstrap, sae.views);
  return {
    perView: views.map((view, v) => ({ ...view.metrics(bootstrap), ...fired[v] })),
    ofDocuments: documents?.metrics(bootstrap) ?? {},
  };
}

/** Of the sequences that are run through the language model. */
function splicedLimit({ sequences }: EvalContext): SequenceLimit {
  return { sequences: sequences ?? Infinity, tokens: sequences === undefined ? SPLICED_TOKENS : Infinity };
}

/**
 * Adds what needs the language model to the metrics of each view.
 * @returns why it cannot be measured, if so
 */
async function addSpliced(
  context: EvalContext,
  rows: HeldOutRows,
  reconstructor: Reconstructor,
  sequences: readonly StoredSequence[],
  perView: Metrics[],
): Promise<string | undefined> {
  const { model, seed, batchRows, onProgress } = context;
  if (typeof model === 'string') return model;
  const layer = splicedLayer(model);
  if (typeof layer === 'string') return layer;
  if (!rows.hasOrigins) return 'the activations were not harvested from a language model';
  if (sequences.length === 0) return 'no token sequence can be rebuilt from the held-out rows';
  const units = documentUnits(sequences.map(({ doc }) => doc));
  const sums = await splice({
    model: model.model,
    layer,
    sequences,
    units,
    reconstructor,
    normalization: rows.normalization,
    mean: rows.mean,
    batchRows,
    onProgress: (done, total) => onProgress('sequences with the reconstruction spliced in', done, total),
  });
  const bootstrap = new Bootstrap(units, seed);
  reconstructor.sae.views.forEach(({ name }, v) => {
    Object.assign(perView[v], name === 'full' && ablationMetrics(sums, bootstrap), viewMetrics(sums, v, bootstrap));
  });
  return undefined;
}

/** Block after which the reconstruction takes the place of the residual stream, or why that cannot be measured. */
function splicedLayer({ layer, hook }: HarvestedModel): number | string {
  if (hook === 'resid_post') return layer;
  if (hook === 'resid_pre' && layer > 0) return layer - 1;
  return `the SAE reads ${hook} of block ${layer}: only the residual stream after a block can be replaced`;
}

/** Latents that are dead by the trainer's own counters: a count, so its interval has no width. */
async function countedDead({ deadByCounters, sae }: EvalContext): Promise<Metrics> {
  if (deadByCounters === undefined) return {};
  const value = await deadByCounters();
  const definition =
    "share of the latents with counters that were not selected for the trainer's number of tokens (deadAfter) " +
    'at the end of training; a count over training data, so the interval has no width';
  return {
    dead_fraction_counters: metric(value, value, value, { n: sae.width, unit: 'share of latents', definition }),
  };
}
