/**
 * The suite `hierarchy`: whether the forest of an SAE is one, by every measure of the papers (methods 2.5, 5.5, 7.9), each beside what
 * random families of the same sizes and random latents of the same frequencies give.
 */
import { familiesOf } from '../forest/families.ts';
import type { EvalContext } from './context.ts';
import { forestOf, type JudgedForest } from './forest-of.ts';
import { compositionMetric } from './hierarchy/composition.ts';
import { directionMetrics } from './hierarchy/directions.ts';
import { firingMetrics, type Activity } from './hierarchy/firing-metrics.ts';
import { sampleHeldOut, type FiringSample } from './hierarchy/firing-sample.ts';
import { FAMILY_MEASURES, PAIR_MEASURES, type FamilyName, type PairName } from './hierarchy/firing-statistics.ts';
import { hitRates } from './hierarchy/hit-rate.ts';
import { nullFamilies } from './hierarchy/null-families.ts';
import { MIN_SAMPLES } from './hierarchy/rules.ts';
import { siblingOverlap } from './hierarchy/sibling-overlap.ts';
import { siblingSimilarity } from './hierarchy/top-inputs.ts';
import { Bootstrap, metric, type Metric, type Metrics, type SuiteResult } from './metric.ts';

/** @throws InputError if the source holds no held-out rows */
export async function evaluateHierarchy(context: EvalContext): Promise<SuiteResult> {
  const { device, sae, seed, onProgress } = context;
  const { metrics, sample, judged, how } = await judgeFamilies(context);
  const { active: firings, held, dictionary } = sample;
  const hits = await hitRates({
    firings,
    held,
    dictionary,
    forest: judged.forest,
    how,
    seed,
    onProgress: (done, total) => onProgress('probes', done, total),
  });
  const composition = await compositionMetric(device, dictionary, sae.d, seed);
  return { metrics: { ...metrics, ...hits, composition }, views: {}, skipped: {} };
}

/** The suite without hit rates, whose probes take most of its time, and without composition. */
export async function evaluateFamilies(context: EvalContext): Promise<SuiteResult> {
  const { metrics } = await judgeFamilies(context);
  return { metrics, views: {}, skipped: {} };
}

async function judgeFamilies(
  context: EvalContext,
): Promise<{ metrics: Metrics; sample: FiringSample; judged: JudgedForest; how: string }> {
  const { sae, seed, onProgress } = context;
  const judgedForest = await forestOf(context);
  const { forest } = judgedForest;
  const sample = await sampleHeldOut(context);
  const { active, held, dictionary, units, isCut } = sample;
  const how = judgedForest.how + cutOf(sample);
  const families = familiesOf(forest);
  const judged = { families, how };
  const nulls = nullFamilies(
    forest,
    Float64Array.from({ length: sae.width }, (_, i) => active.countOf(i)),
    seed,
    onProgress,
  );
  const resampling = {
    bootstrap: new Bootstrap(units, seed),
    unitOf: units.of,
    keepsReplicates: !isCut,
    onProgress,
  };
  const isLive = (latent: number): boolean => active.countOf(latent) >= MIN_SAMPLES;
  const metrics = {
    pairs: pairCount(families.child.length, judgedForest.how),
    ...firingMetrics(aboveZero(sample), judged, nulls, resampling),
    ...firingMetrics(contributing(sample), judged, nulls, resampling),
    ...siblingOverlap(active, judged, nulls, resampling, seed),
    sibling_similarity: await siblingSimilarity(active, held, { forest, how }, nulls, seed),
    ...directionMetrics(dictionary, sae.d, judged, isLive, nulls, seed),
  };
  return { metrics, sample, judged: judgedForest, how };
}

/** For definitions: where the sample ended before the rows did. */
function cutOf({ active, held, isCut }: FiringSample): string {
  if (!isCut) return '';
  const [rows, all] = [active.rows, held.rows].map((count) => count.toLocaleString('en'));
  return `, all on the first ${rows} of ${all} held-out rows (a sample of bounded size)`;
}

/** A latent is active where the papers say so: a > 0. */
function aboveZero({ active }: FiringSample): Activity {
  return {
    firings: active,
    suffix: '',
    active: 'a > 0',
    pairs: Object.keys(PAIR_MEASURES) as PairName[],
    families: Object.keys(FAMILY_MEASURES) as FamilyName[],
  };
}

/** Latents of gated experts may be on at every token of their parent at values that add nothing: so the counts once more without those. */
function contributing({ active, isContributing }: FiringSample): Activity {
  return {
    firings: active,
    isCounted: isContributing,
    suffix: '_contributing',
    active: 'a > 0 and a ‖d‖ ≥ 0.1 · √(mean ‖x‖²)',
    pairs: ['p_parent_given_child', 'p_child_given_parent'],
    families: ['refinement_frequency'],
  };
}

function pairCount(count: number, how: string): Metric {
  const definition = `number of links (parent, child) of ${how}; a count, so the interval has no width`;
  return metric(count, count, count, { n: count, unit: 'pairs', definition });
}
