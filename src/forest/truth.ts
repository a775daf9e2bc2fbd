/** Which latent stands for which feature of synthetic data, and how well: methods as in SAELens' synthetic evaluations. */
import type { Codes } from '../core/codes.ts';
import { mean as average } from '../core/statistics.ts';
import { assign } from './hungarian.ts';

/** A feature counts as recovered when its matched latent has at least this |cos|. */
export const RECOVERED_COSINE = 0.9;

/** cos of every latent's decoder row `[latents, d]` with every feature's direction `[features, d]`; 0 for zero rows. */
export function cosinesOf(decoder: Float32Array, directions: Float32Array, d: number): Float32Array {
  const latents = unitRows(decoder, d);
  const features = unitRows(directions, d);
  const [rows, columns] = [decoder.length / d, directions.length / d];
  const cosines = new Float32Array(rows * columns);
  const latent = new Float64Array(d);
  for (let i = 0; i < rows; i++) {
    latent.set(latents.subarray(i * d, (i + 1) * d));
    let j = 0;
    // Four at a time: a sum waits for its last addition, so that one alone takes nearly as long.
    for (; j + 4 <= columns; j += 4) {
      let a = 0;
      let b = 0;
      let c = 0;
      let e = 0;
      for (let k = 0, at = j * d; k < d; k++, at++) {
        const x = latent[k];
        a += x * features[at];
        b += x * features[at + d];
        c += x * features[at + 2 * d];
        e += x * features[at + 3 * d];
      }
      cosines.set([a, b, c, e], i * columns + j);
    }
    for (; j < columns; j++) {
      let dot = 0;
      for (let k = 0; k < d; k++) dot += latent[k] * features[j * d + k];
      cosines[i * columns + j] = dot;
    }
  }
  return cosines;
}

/** |cos|, as {@link matchLatents} wants them. */
export function absoluteCosines(decoder: Float32Array, directions: Float32Array, d: number): Float32Array {
  const cosines = cosinesOf(decoder, directions, d);
  for (let i = 0; i < cosines.length; i++) cosines[i] = Math.abs(cosines[i]);
  return cosines;
}

function unitRows(matrix: Float32Array, d: number): Float32Array {
  const unit = matrix.slice();
  for (let start = 0; start < unit.length; start += d) {
    let square = 0;
    for (let k = start; k < start + d; k++) square += unit[k] ** 2;
    const scale = square > 0 ? 1 / Math.sqrt(square) : 0;
    for (let k = start; k < start + d; k++) unit[k] *= scale;
  }
  return unit;
}

/** Latents and features matched by the direction of the decoder. */
export interface Matching {
  /** `[latents]` feature of each latent, one to one with the largest Σ|cos| (Hungarian); −1 when features ran out. */
  readonly oneToOne: Int32Array;
  /** `[latents]` feature with the largest |cos| (the first of equal ones); several latents may share one. */
  readonly nearest: Int32Array;
  /** `[features]` latent of each feature in the one-to-one matching if its |cos| ≥ {@link RECOVERED_COSINE}, else −1. */
  readonly recoveredBy: Int32Array;
  /** `[latents]` the same from the other side: `oneToOne` where the feature is recovered, else −1. */
  readonly recovers: Int32Array;
  /** Mean correlation coefficient: mean |cos| over the min(latents, features) one-to-one pairs. */
  readonly mcc: number;
  /** Number of distinct `nearest` features / number of latents; below 1 when latents duplicate each other. */
  readonly uniqueness: number;
  /** Recovered features / all features. */
  readonly recoveredShare: number;
}

/** @param cosines `[latents, features]` of {@link absoluteCosines} */
export function matchLatents(cosines: Float32Array, latents: number, features: number): Matching {
  const cost = cosines.map((cosine) => 1 - cosine);
  const oneToOne = assign(cost, latents, features);
  const nearest = new Int32Array(latents);
  const recoveredBy = new Int32Array(features).fill(-1);
  const recovers = new Int32Array(latents).fill(-1);
  let total = 0;
  let recovered = 0;
  for (let i = 0; i < latents; i++) {
    const row = cosines.subarray(i * features, (i + 1) * features);
    for (let j = 1; j < features; j++) if (row[j] > row[nearest[i]]) nearest[i] = j;
    const feature = oneToOne[i];
    if (feature === -1) continue;
    total += row[feature];
    if (row[feature] < RECOVERED_COSINE) continue;
    recoveredBy[feature] = i;
    recovers[i] = feature;
    recovered++;
  }
  const mcc = total / Math.min(latents, features);
  const uniqueness = new Set(nearest).size / latents;
  return { oneToOne, nearest, recoveredBy, recovers, mcc, uniqueness, recoveredShare: recovered / features };
}

/** Agreement of firing, per latent with the feature it is matched to; 0 where undefined, so a dead latent scores 0. */
export interface FiringScores {
  /** `[latents]` P(feature on | latent fired). */
  readonly precision: Float64Array;
  /** `[latents]` P(latent fired | feature on). */
  readonly recall: Float64Array;
  /** `[latents]` harmonic mean of the two. */
  readonly f1: Float64Array;
  /** `[features]` best F1 among the latents matched to each feature, 0 without one. */
  readonly featureF1: Float64Array;
  /** Means over all latents. */
  readonly mean: { readonly precision: number; readonly recall: number; readonly f1: number };
  /** Mean of `featureF1` over all features. */
  readonly meanFeatureF1: number;
}

/**
 * Counts over a stream of rows when latents fire and when their features are on. SAELens scores `Matching.nearest`;
 * scoring `Matching.oneToOne` gives every feature at most one latent.
 */
export class FiringAgreement {
  readonly #match: Int32Array;
  readonly #fired: Float64Array;
  readonly #hits: Float64Array;
  readonly #on: Float64Array;
  /** `[features]` the row in which each was on last, counted from 1. */
  readonly #lastRow: Float64Array;
  #rows = 0;

  /** @param match `[latents]` feature of each latent, −1 for none (scores 0) */
  constructor(match: Int32Array, features: number) {
    this.#match = match;
    this.#fired = new Float64Array(match.length);
    this.#hits = new Float64Array(match.length);
    this.#on = new Float64Array(features);
    this.#lastRow = new Float64Array(features);
  }

  /** `[latents]` rows in which each fired, and those of them in which its feature was on. */
  get fired(): Float64Array {
    return this.#fired;
  }
  get hits(): Float64Array {
    return this.#hits;
  }
  /** `[features]` rows in which each was on. */
  get on(): Float64Array {
    return this.#on;
  }

  /** @param truth features that are on, for the same rows as `codes` */
  add(codes: Codes, truth: Codes): void {
    const [latents, features] = [this.#match.length, this.#on.length];
    if (codes.width !== latents || truth.width !== features || codes.rows !== truth.rows) {
      throw new RangeError(
        `expected ${latents} latents and ${features} features in as many rows, ` +
          `got ${codes.rows} × ${codes.width} codes and ${truth.rows} × ${truth.width} truths`,
      );
    }
    for (let r = 0; r < codes.rows; r++) {
      this.#rows++;
      for (let t = truth.rowPtr[r]; t < truth.rowPtr[r + 1]; t++) {
        if (truth.value[t] === 0) continue;
        this.#on[truth.index[t]]++;
        this.#lastRow[truth.index[t]] = this.#rows;
      }
      for (let e = codes.rowPtr[r]; e < codes.rowPtr[r + 1]; e++) {
        if (codes.value[e] === 0) continue;
        const latent = codes.index[e];
        this.#fired[latent]++;
        if (this.#match[latent] !== -1 && this.#lastRow[this.#match[latent]] === this.#rows) this.#hits[latent]++;
      }
    }
  }

  scores(): FiringScores {
    const latents = this.#match.length;
    const precision = new Float64Array(latents);
    const recall = new Float64Array(latents);
    const f1 = new Float64Array(latents);
    const featureF1 = new Float64Array(this.#on.length);
    for (let i = 0; i < latents; i++) {
      const feature = this.#match[i];
      if (this.#hits[i] === 0) continue;
      precision[i] = this.#hits[i] / this.#fired[i];
      recall[i] = this.#hits[i] / this.#on[feature];
      f1[i] = (2 * this.#hits[i]) / (this.#fired[i] + this.#on[feature]);
      featureF1[feature] = Math.max(featureF1[feature], f1[i]);
    }
    const means = { precision: average(precision), recall: average(recall), f1: average(f1) };
    return { precision, recall, f1, featureF1, mean: means, meanFeatureF1: average(featureF1) };
  }
}
