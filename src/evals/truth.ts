/**
 * The suite `truth`: what an SAE found of features that are known, and whether its forest is the true one. Which latent stands for which
 * feature is decided on the first half of the rows and scored on the second: a matching scores too well on the rows that it was made on.
 */
import { denormalize } from '../activations/normalization.ts';
import { addFiringCounts } from '../core/codes.ts';
import { FiringOverlap, bestFeatures } from '../forest/firing-overlap.ts';
import type { EvalContext } from './context.ts';
import { EncodedTruth, type EncodedBatch } from './encoded-truth.ts';
import { forestOf } from './forest-of.ts';
import { levelsOf, MIN_FIRINGS, restrict } from './live-latents.ts';
import { Bootstrap, type Metrics, type SuiteResult } from './metric.ts';
import { truthRowsOf } from './truth-source.ts';
import type { TruthRows } from './truth-rows.ts';
import { DirectionScores } from './truth/directions.ts';
import { featureMetrics, MatchedFeatures } from './truth/features.ts';
import { linkMetrics } from './truth/links.ts';
import { NormRatio } from './truth/norm-ratio.ts';
import { blockUnits, type Units } from './units.ts';

/** F1 from which a feature counts as found: concepts of a language are blurred by its homonyms and pronouns. */
const FOUND = { synthetic: 0.7, language: 0.5 };

/** Pairs of latents and features that are counted at once (forest/firing-overlap.ts). */
const MOST_PAIRS = 2 ** 22;

const OF_DIRECTIONS = ['mcc', 'uniqueness', 'latent_f1', 'latent_precision', 'latent_recall'];
const OF_LINKS = ['precision', 'recall', 'f1', 'precision_matched', 'f1_matched'];
const OF_ROWS = [
  'shrinkage',
  ...['f1', 'precision', 'recall'].map((name) => `feature_${name}`),
  ...['features', 'kinds', 'leaves'].map((name) => `${name}_found`),
  ...['edge', 'ancestor'].flatMap((links) => OF_LINKS.map((name) => `${links}_${name}`)),
  'links_right',
  'refinement',
  'lca_depth_error',
];

export async function evaluateTruth(context: EvalContext): Promise<SuiteResult> {
  const source = await truthRowsOf(context);
  if (typeof source === 'string') {
    return { metrics: {}, views: {}, skipped: skip([...OF_ROWS, ...OF_DIRECTIONS], source) };
  }
  const { metrics, views } = await measure(context, source);
  const why = 'what the true features add to an activation is not known';
  return { metrics, views, skipped: source.directions ? {} : skip(OF_DIRECTIONS, why) };
}

function skip(names: readonly string[], why: string): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, why]));
}

async function measure(context: EvalContext, source: TruthRows): Promise<Pick<SuiteResult, 'metrics' | 'views'>> {
  const { device, sae, normalization, seed, batchRows, onProgress } = context;
  const { truth, directions, d } = source;
  const rows = Math.min(context.rows, source.count);
  const half = Math.floor(rows / 2);
  const { forest, how } = await forestOf(context);
  const encoded = await EncodedTruth.open(device, sae, source, normalization, { rows, batchRows });
  const views = sae.views.map(({ name, from, to }) => {
    const whole = name === 'full';
    return {
      name,
      levels: whole ? levelsOf(sae) : [{ from, to }],
      range: whole ? { from: 0, to: sae.width } : { from, to },
    };
  });
  const near = directions
    ? views.map(({ range }) => new DirectionScores(range, encoded.dictionary, directions, d))
    : [];
  const blocks = blockUnits(rows);
  const ratio = new NormRatio(blocks, d);
  const addToBoth = ({ start, raw, truth, all, reconstruction }: EncodedBatch): void => {
    for (const scores of near) scores.add(all, truth);
    const rebuilt = reconstruction.slice();
    denormalize(normalization, rebuilt, raw, d);
    ratio.add(start, raw, rebuilt);
    onProgress('rows with known truth', start + truth.rows, rows);
  };

  const overlap = new FiringOverlap(sae.width, truth.size, MOST_PAIRS);
  for await (const batch of encoded.batches(0, half)) {
    overlap.add(batch.codes, batch.truth);
    addToBoth(batch);
  }
  const live = Array.from(overlap.fired.keys()).filter((latent) => overlap.fired[latent] >= MIN_FIRINGS);
  const matched = views.map(({ levels }) => new MatchedFeatures(overlap, new Set(live), levels));
  const on = new Float64Array(truth.size);
  for await (const batch of encoded.batches(half, rows)) {
    for (const view of matched) view.add(batch.codes, batch.truth);
    addFiringCounts(batch.truth, on);
    addToBoth(batch);
  }
  encoded.release();

  const leastF1 = directions ? FOUND.synthetic : FOUND.language;
  const occurs = Uint8Array.from(on, (count, j) => (Math.min(count, overlap.on[j]) >= MIN_FIRINGS ? 1 : 0));
  const bootstrap = new Bootstrap({ count: truth.size, label: `${truth.size} true features` }, seed);
  const perView = views.map((_, v): Metrics => ({
    ...near[v]?.metrics(bootstrap, seed),
    ...featureMetrics({ truth, occurs, leastF1, bootstrap }, matched[v].scores()),
  }));
  const full = views.findIndex(({ name }) => name === 'full');
  const { ofLatents } = matched[full].scores();
  const { match } = matched[full];
  const learned = {
    forest: restrict(forest.parent, live),
    how,
    match: Int32Array.from(live, (i) =>
      match[i] !== -1 && occurs[match[i]] && ofLatents[i] >= leastF1 ? match[i] : -1,
    ),
    best: bestFeatures(overlap).feature.filter((_, latent) => overlap.fired[latent] >= MIN_FIRINGS),
  };
  const found = `a latent stands for a feature if it is matched to it with F1 ≥ ${leastF1} (see features_found)`;
  const shrinkage = new Bootstrap(blocksOf(blocks), seed).ratio(ratio.sum, ratio.rows, {
    unit: 'ratio',
    definition: 'mean over rows with ‖x‖ > 1e-6 of ‖x̂‖ / ‖x‖ in raw activations (SAELens)',
  });
  return {
    metrics: { ...perView[full], shrinkage, ...linkMetrics(learned, { truth, occurs, found, bootstrap, seed }) },
    views: Object.fromEntries(views.map(({ name }, v) => [name, perView[v]]).filter((_, v) => v !== full)),
  };
}

/** Neighbouring rows may be of one document. */
function blocksOf({ count }: Units): Units {
  return { count, label: `${count} blocks of neighbouring rows` };
}
