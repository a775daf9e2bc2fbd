/**
 * What a trained SAE found of a known truth, by when its latents fire: features by the F1 of a latent's firing, edges through that
 * matching. Needs no directions, so that it holds for concepts of a language as well, and streams: memory grows with latents and features,
 * not with rows. Where directions are known, toy-recovery.ts matches by them.
 */
import { addFiringCounts, countFired, sliceRows } from '../core/codes.ts';
import { mean } from '../core/statistics.ts';
import type { Normalization } from '../activations/normalization.ts';
import type { Device } from '../engine/device.ts';
import type { LatentRange } from '../engine/kernels.ts';
import { extractForest } from '../forest/extract.ts';
import {
  bestLatents,
  FiringOverlap,
  matchByFiring,
  type BestLatents,
  type FiringMatch,
} from '../forest/firing-overlap.ts';
import { Firings } from '../forest/firings.ts';
import type { Forest } from '../forest/forest.ts';
import { forestRecovery, type ForestRecovery } from '../forest/recovery.ts';
import type { Sae } from '../sae/architecture.ts';
import { Spread, squaredDistance } from '../training/validation.ts';
import { EncodedTruth } from './encoded-truth.ts';
import { COVERAGE, levelsOf, MIN_FIRINGS, restrict } from './live-latents.ts';
import type { TruthRows } from './truth-rows.ts';

/** First rows whose firings are kept for the extraction of a forest. */
export const SAMPLED_ROWS = 50_000;

export interface TruthRecoveryOptions {
  /** Rows at most; 100 000. */
  readonly rows?: number;
  /** Rows that go through the SAE at once; no result depends on it. 1024. */
  readonly batchRows?: number;
  /** F1 from which a feature counts as recovered; 0.7. */
  readonly leastF1?: number;
  /** `[latents]` parents, extracted elsewhere. By default the SAE's own forest, or one extracted by coverage from the first rows. */
  readonly parents?: ArrayLike<number>;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface TruthRecovery extends FiringRecovery {
  /** 1 − Σ‖x − x̂‖² / Σ‖x − x̄‖² in the SAE's input space. */
  readonly variance_explained: number;
  /** Mean number of active latents. */
  readonly l0: number;
  /** Share of latents that never fired. */
  readonly dead_fraction: number;
  readonly own_forest: boolean;
}

/** What is said of anything that fires, be it latents or probes. */
export interface FiringRecovery {
  readonly rows: number;
  /** Mean number of true features that are on. */
  readonly true_l0: number;
  /** Features that were on in at least {@link MIN_FIRINGS} rows; the following are about them. */
  readonly features: number;
  /** Features with a latent of their own (one to one, in each level that reconstructs alone) of at least `leastF1`. */
  readonly features_recovered: number;
  /** Mean F1 of the matched latent; 0 without one. */
  readonly feature_f1: number;
  /** Means of F1, precision and recall of the best latent, which features may share. */
  readonly best_f1: number;
  readonly best_precision: number;
  readonly best_recall: number;
  /** Edges and ancestors of the forest against the true ones, through the latents of recovered features. */
  readonly recovery: ForestRecovery;
  /** Edges that are neither true nor between two latents for the same feature, which stands in several levels. */
  readonly wrong_edges: number;
  /** Largest F1 of a pair whose count was given up for the sake of memory; 0: every number is exact. */
  readonly forgotten_f1: number;
  /** Details for whoever wants to look closer. */
  readonly details: TruthDetails;
}

export interface TruthDetails {
  /** Latents that take part in the forest, ascending: node i of `forest` is latent `live[i]`. */
  readonly live: readonly number[];
  readonly forest: Forest;
  /** `[live]` recovered feature of each, −1 for none. */
  readonly match: Int32Array;
  /** `[features]` F1 of the matched latent, the best of several levels. */
  readonly matchedF1: Float64Array;
  readonly best: BestLatents;
  /** `[features]` share of the rows in which each is on. */
  readonly frequency: Float64Array;
}

/** @param normalization of the SAE's inputs, fitted */
export async function recoverTruth(
  device: Device,
  sae: Sae,
  source: TruthRows,
  normalization: Normalization,
  options: TruthRecoveryOptions = {},
): Promise<TruthRecovery> {
  const { batchRows = 1024, leastF1 = 0.7 } = options;
  const count = Math.min(options.rows ?? 100_000, source.count);
  const stream = await measureRows(device, sae, source, normalization, { ...options, rows: count, batchRows });
  const parents = options.parents ?? sae.forest?.parent;
  return {
    ...recoverFromFirings(source.truth, stream, { leastF1, levels: levelsOf(sae), ...(parents && { parents }) }),
    variance_explained: 1 - stream.error / stream.total,
    l0: stream.active / count,
    dead_fraction: stream.firedAtAll.filter((rows) => rows === 0).length / sae.width,
    own_forest: options.parents === undefined && sae.forest !== undefined,
  };
}

interface FiringOptions {
  readonly leastF1: number;
  /** In each of which a feature may stand once; all latents are one by default. */
  readonly levels?: readonly LatentRange[];
  /** `[latents]`; extracted by coverage from the sample by default. */
  readonly parents?: ArrayLike<number>;
}

export function recoverFromFirings(
  truth: Forest,
  { overlap, sample }: Pick<Stream, 'overlap' | 'sample'>,
  { leastF1, levels = [{ from: 0, to: overlap.latents }], parents }: FiringOptions,
): FiringRecovery {
  const live = Array.from(overlap.fired.keys()).filter((latent) => overlap.fired[latent] >= MIN_FIRINGS);
  const seen = Array.from(overlap.on.keys()).filter((feature) => overlap.on[feature] >= MIN_FIRINGS);
  const { feature, f1 } = matchInLevels(overlap, new Set(live), levels);
  const matchedF1 = new Float64Array(overlap.features);
  feature.forEach((j, latent) => {
    if (j !== -1) matchedF1[j] = Math.max(matchedF1[j], f1[latent]);
  });
  const match = Int32Array.from(live, (latent) => (f1[latent] >= leastF1 ? feature[latent] : -1));
  const forest = restrict(parents ?? extractForest(sample!, COVERAGE).parent, live);
  const recovery = forestRecovery(truth, forest, match);
  const copies = [...forest.edges()].filter(([p, c]) => match[p] !== -1 && match[p] === match[c]).length;
  const best = bestLatents(overlap);
  const average = (values: Float64Array): number => mean(seen.map((j) => values[j]));
  return {
    rows: overlap.rows,
    true_l0: overlap.on.reduce((sum, rows) => sum + rows, 0) / overlap.rows,
    features: seen.length,
    features_recovered: seen.filter((j) => matchedF1[j] >= leastF1).length,
    feature_f1: average(matchedF1),
    best_f1: average(best.f1),
    best_precision: average(best.precision),
    best_recall: average(best.recall),
    recovery,
    wrong_edges: recovery.edge.predicted - recovery.edge.predictedCorrect - copies,
    forgotten_f1: overlap.forgotten,
    details: { live, forest, match, matchedF1, best, frequency: overlap.on.map((rows) => rows / overlap.rows) },
  };
}

interface Stream {
  readonly overlap: FiringOverlap;
  /** `[latents]` rows in which each fired, however little it added. */
  readonly firedAtAll: Float64Array;
  /** The first rows, where a forest is to be extracted. */
  readonly sample: Firings | undefined;
  active: number;
  error: number;
  total: number;
}

/** One pass over the rows. */
async function measureRows(
  device: Device,
  sae: Sae,
  source: TruthRows,
  normalization: Normalization,
  { rows, batchRows, parents, onProgress }: TruthRecoveryOptions & { rows: number; batchRows: number },
): Promise<Stream> {
  const needsForest = parents === undefined && sae.forest === undefined;
  const stream: Stream = {
    overlap: new FiringOverlap(sae.width, source.truth.size),
    firedAtAll: new Float64Array(sae.width),
    sample: needsForest ? new Firings(sae.width) : undefined,
    active: 0,
    error: 0,
    total: 0,
  };
  const spread = new Spread(sae.d);
  const encoded = await EncodedTruth.open(device, sae, source, normalization, { rows, batchRows });
  for await (const { start, x, truth, all, codes, reconstruction } of encoded.batches(0, rows)) {
    stream.overlap.add(codes, truth);
    stream.error += squaredDistance(x, reconstruction);
    stream.active += countFired(all);
    spread.add(x);
    addFiringCounts(all, stream.firedAtAll);
    if (start < SAMPLED_ROWS) stream.sample?.add(sliceRows(codes, 0, Math.min(codes.rows, SAMPLED_ROWS - start)));
    onProgress?.(start + truth.rows, rows);
  }
  encoded.release();
  stream.total = spread.total;
  return stream;
}

/**
 * A feature may stand once in every level: the levels do not share it out among themselves.
 * @param live latents that take part
 */
export function matchInLevels(
  overlap: FiringOverlap,
  live: ReadonlySet<number>,
  levels: readonly LatentRange[],
): FiringMatch {
  const feature = new Int32Array(overlap.latents).fill(-1);
  const f1 = new Float64Array(overlap.latents);
  for (const { from, to } of levels) {
    const level = matchByFiring(overlap, (latent) => from <= latent && latent < to && live.has(latent));
    feature.set(level.feature.subarray(from, to), from);
    f1.set(level.f1.subarray(from, to), from);
  }
  return { feature, f1 };
}
