/**
 * What can be read of a known truth linearly, by whoever is told the truth: a probe per feature, by ridge regression in closed form
 * (Hoerl & Kennard 1970) on one Gram matrix. Beside it stands what an SAE finds without being told.
 */
import type { Codes } from '../core/codes.ts';
import { codesFromDense, sliceRows } from '../core/codes.ts';
import { FiringOverlap } from '../forest/firing-overlap.ts';
import { Firings } from '../forest/firings.ts';
import type { TruthRows } from './truth-rows.ts';
import { recoverFromFirings, SAMPLED_ROWS, type FiringRecovery } from './truth-recovery.ts';

/** λ as a share of the mean variance of a coordinate. */
const RIDGE = 1e-4;
/** Rows that are read at once. */
const BATCH_ROWS = 4096;
/** Probes whose scores of all rows are held at once. */
const TOGETHER = 32;

export interface Probes {
  readonly d: number;
  /** `[features, d]` */
  readonly weights: Float64Array;
  /** `[features]` score w · x from which a probe fires; Infinity where the feature never occurred. */
  readonly thresholds: Float64Array;
}

/** w = (Σ (x − x̄)(x − x̄)ᵀ + λ)⁻¹ Σ (x − x̄) y, and the threshold on w · x of the best F1, both from the first `count` rows. */
export async function fitProbes(source: TruthRows, count = source.count): Promise<Probes> {
  const { d } = source;
  const features = source.truth.size;
  const sum = new Float64Array(d);
  const gram = new Float64Array(d * d);
  const sums = new Float64Array(features * d);
  const on = new Firings(features);
  for await (const { acts, truth } of batches(source, count)) {
    on.add(truth);
    for (let r = 0; r < truth.rows; r++) {
      const x = Float64Array.from(acts.subarray(r * d, (r + 1) * d));
      for (let i = 0; i < d; i++) {
        sum[i] += x[i];
        for (let j = 0; j <= i; j++) gram[i * d + j] += x[i] * x[j];
      }
      for (let t = truth.rowPtr[r]; t < truth.rowPtr[r + 1]; t++) {
        const at = truth.index[t] * d;
        for (let i = 0; i < d; i++) sums[at + i] += x[i];
      }
    }
  }
  let trace = 0;
  for (let i = 0; i < d; i++) {
    for (let j = 0; j <= i; j++) gram[i * d + j] -= (sum[i] * sum[j]) / count;
    trace += gram[i * d + i];
  }
  for (let i = 0; i < d; i++) gram[i * d + i] += (RIDGE * trace) / d;
  factorise(gram, d);
  for (let feature = 0; feature < features; feature++) {
    const w = sums.subarray(feature * d, (feature + 1) * d);
    const share = on.countOf(feature) / count;
    for (let i = 0; i < d; i++) w[i] -= share * sum[i];
    solve(gram, d, w);
  }
  return { d, weights: sums, thresholds: await bestThresholds(source, count, sums, on) };
}

/** `[rows, features]` which probes fire at activations `[rows, d]`. */
export function probeCodes({ d, weights, thresholds }: Probes, acts: Float32Array): Codes {
  const rows = acts.length / d;
  const features = thresholds.length;
  const scores = new Float64Array(features * rows);
  scoreRows(weights, acts, d, scores, rows, 0);
  const dense = new Uint8Array(rows * features);
  for (let f = 0; f < features; f++) {
    for (let r = 0; r < rows; r++) if (scores[f * rows + r] >= thresholds[f]) dense[r * features + f] = 1;
  }
  return codesFromDense(dense, rows, features);
}

/** The same as recoverTruth, with the probes in place of latents. */
export async function recoverByProbes(probes: Probes, source: TruthRows, leastF1: number): Promise<FiringRecovery> {
  const features = source.truth.size;
  const overlap = new FiringOverlap(features, features);
  const sample = new Firings(features);
  for await (const { start, acts, truth } of batches(source, source.count)) {
    const codes = probeCodes(probes, acts);
    overlap.add(codes, truth);
    if (start < SAMPLED_ROWS) sample.add(sliceRows(codes, 0, Math.min(codes.rows, SAMPLED_ROWS - start)));
  }
  return recoverFromFirings(source.truth, { overlap, sample }, { leastF1 });
}

async function* batches(
  source: TruthRows,
  count: number,
): AsyncGenerator<{ start: number; acts: Float32Array; truth: Codes }> {
  for (let start = 0; start < count; start += BATCH_ROWS) {
    yield { start, ...(await source.rows(start, Math.min(BATCH_ROWS, count - start))) };
  }
}

/** The activations are read once for every few probes, so that the scores of all of them never lie in memory together. */
async function bestThresholds(
  source: TruthRows,
  count: number,
  weights: Float64Array,
  on: Firings,
): Promise<Float64Array> {
  const { d } = source;
  const thresholds = new Float64Array(on.width);
  const scores = new Float64Array(TOGETHER * count);
  for (let first = 0; first < on.width; first += TOGETHER) {
    const last = Math.min(first + TOGETHER, on.width);
    for await (const { start, acts } of batches(source, count)) {
      scoreRows(weights.subarray(first * d, last * d), acts, d, scores, count, start);
    }
    const { ptr, row } = on.byLatent;
    for (let f = first; f < last; f++) {
      thresholds[f] = bestThreshold(
        scores.subarray((f - first) * count, (f - first + 1) * count),
        row.subarray(ptr[f], ptr[f + 1]),
      );
    }
  }
  return thresholds;
}

/**
 * The score from which on firing has the best F1, midway to the next below, so that a new positive may lie a little lower than those
 * seen. Infinity without positives.
 * @param positives rows, ascending
 */
export function bestThreshold(scores: Float64Array, positives: Uint32Array): number {
  const isOn = new Uint8Array(scores.length);
  for (const row of positives) isOn[row] = 1;
  const above = Float64Array.from(positives, (row) => scores[row]).sort();
  const others = scores.filter((score, row) => !isOn[row] && score >= above[0]).sort();
  let [best, threshold] = [0, Infinity];
  for (let p = above.length - 1, o = others.length; p >= 0; p--) {
    while (o > 0 && others[o - 1] >= above[p]) o--;
    const hits = above.length - p;
    const f1 = (2 * hits) / (hits + (others.length - o) + above.length);
    if (f1 > best) [best, threshold] = [f1, above[p]];
  }
  const below = scores.reduce((most, score) => (score < threshold && score > most ? score : most), -Infinity);
  return Number.isFinite(below) && threshold < Infinity ? (threshold + below) / 2 : threshold;
}

/**
 * w · x of every probe at activations `[rows, d]`, that of probe f at row r to `scores[f · stride + start + r]`. Four rows at once, so
 * that their sums need not wait for each other; the last of an odd number is done again.
 */
function scoreRows(
  weights: Float64Array,
  acts: Float32Array,
  d: number,
  scores: Float64Array,
  stride: number,
  start: number,
): void {
  const [probes, rows] = [weights.length / d, acts.length / d];
  const x = new Float64Array(acts);
  for (let r = 0; r < rows; r += 4) {
    const [r1, r2, r3] = [1, 2, 3].map((k) => Math.min(r + k, rows - 1));
    const [x0, x1, x2, x3] = [r * d, r1 * d, r2 * d, r3 * d];
    for (let f = 0; f < probes; f++) {
      let [s0, s1, s2, s3] = [0, 0, 0, 0];
      for (let i = 0, w = f * d; i < d; i++, w++) {
        s0 += weights[w] * x[x0 + i];
        s1 += weights[w] * x[x1 + i];
        s2 += weights[w] * x[x2 + i];
        s3 += weights[w] * x[x3 + i];
      }
      const to = f * stride + start;
      scores[to + r] = s0;
      scores[to + r1] = s1;
      scores[to + r2] = s2;
      scores[to + r3] = s3;
    }
  }
}

/** Cholesky: the lower triangle of a positive definite matrix `[d, d]` becomes L of A = L Lᵀ. */
function factorise(A: Float64Array, d: number): void {
  for (let i = 0; i < d; i++) {
    for (let j = 0; j <= i; j++) {
      let rest = A[i * d + j];
      for (let k = 0; k < j; k++) rest -= A[i * d + k] * A[j * d + k];
      A[i * d + j] = i === j ? Math.sqrt(rest) : rest / A[j * d + j];
    }
  }
}

/** b becomes (L Lᵀ)⁻¹ b. */
function solve(L: Float64Array, d: number, b: Float64Array): void {
  for (let i = 0; i < d; i++) {
    for (let k = 0; k < i; k++) b[i] -= L[i * d + k] * b[k];
    b[i] /= L[i * d + i];
  }
  for (let i = d - 1; i >= 0; i--) {
    for (let k = i + 1; k < d; k++) b[i] -= L[k * d + i] * b[k];
    b[i] /= L[i * d + i];
  }
}
