/** How well latents tell features: F1 of "fires" of every latent for every feature, from a stream of rows, without directions. */
import type { Codes } from '../core/codes.ts';
import { PairCounts } from './pair-counts.ts';
import { assignSparse, type WeightedPair } from './sparse-assignment.ts';

/** Pairs that are counted at once: 12 bytes each, and as much again while the table grows. */
const MOST_PAIRS = 2 ** 23;
/** Pairs with less are forgotten first when there are too many. */
const LEAST_F1 = 0.02;

/**
 * Counts rows, never stores them: of each latent, of each feature, and of the pairs that occurred. When there are too many pairs, those of
 * the lowest F1 so far are forgotten; a pair that comes back is counted from then on, so that its F1 may come out a little too low.
 */
export class FiringOverlap {
  readonly latents: number;
  readonly features: number;
  rows = 0;
  /** `[latents]` and `[features]` rows in which each was on. */
  readonly fired: Float64Array;
  readonly on: Float64Array;
  /** The largest F1 that a forgotten pair had; 0: all is exact. */
  forgotten = 0;
  readonly #both = new PairCounts();
  readonly #mostPairs: number;

  /** @param mostPairs bounds the memory */
  constructor(latents: number, features: number, mostPairs = MOST_PAIRS) {
    this.latents = latents;
    this.features = features;
    this.fired = new Float64Array(latents);
    this.on = new Float64Array(features);
    this.#mostPairs = mostPairs;
  }

  /** @param truth features that are on, for the same rows as `codes` */
  add(codes: Codes, truth: Codes): void {
    if (codes.width !== this.latents || truth.width !== this.features || codes.rows !== truth.rows) {
      throw new RangeError(
        `expected ${this.latents} latents and ${this.features} features in as many rows, ` +
          `got ${codes.rows} × ${codes.width} codes and ${truth.rows} × ${truth.width} truths`,
      );
    }
    for (let r = 0; r < codes.rows; r++) {
      for (let t = truth.rowPtr[r]; t < truth.rowPtr[r + 1]; t++) if (truth.value[t] !== 0) this.on[truth.index[t]]++;
      for (let e = codes.rowPtr[r]; e < codes.rowPtr[r + 1]; e++) {
        if (codes.value[e] === 0) continue;
        const latent = codes.index[e];
        this.fired[latent]++;
        for (let t = truth.rowPtr[r]; t < truth.rowPtr[r + 1]; t++)
          if (truth.value[t] !== 0) this.#both.add(latent, truth.index[t]);
      }
      if (this.#both.size > this.#mostPairs) this.#forget();
    }
    this.rows += codes.rows;
  }

  /** Every pair that is counted, in no particular order. */
  eachPair(visit: (latent: number, feature: number, hits: number, f1: number) => void): void {
    this.#both.forEach((latent, feature, hits) => visit(latent, feature, hits, this.#f1(latent, feature, hits)));
  }

  #f1(latent: number, feature: number, hits: number): number {
    return (2 * hits) / (this.fired[latent] + this.on[feature]);
  }

  #forget(): void {
    for (let least = LEAST_F1; this.#both.size > this.#mostPairs / 2; least *= 2) {
      this.#both.keep((latent, feature, hits) => {
        const f1 = this.#f1(latent, feature, hits);
        if (f1 < least) this.forgotten = Math.max(this.forgotten, f1);
        return f1 >= least;
      });
    }
  }
}

/** The latent that tells a feature best; several features may share one. −1 and zeros where none ever fired with it. */
export interface BestLatents {
  /** `[features]` */
  readonly latent: Int32Array;
  readonly f1: Float64Array;
  /** P(feature | latent) */
  readonly precision: Float64Array;
  /** P(latent | feature) */
  readonly recall: Float64Array;
}

/** The lowest latent of equal ones. */
export function bestLatents(overlap: FiringOverlap): BestLatents {
  const { features, fired, on } = overlap;
  const latent = new Int32Array(features).fill(-1);
  const [best, precision, recall] = [0, 1, 2].map(() => new Float64Array(features));
  overlap.eachPair((candidate, feature, hits, f1) => {
    if (f1 < best[feature] || (f1 === best[feature] && candidate > latent[feature])) return;
    latent[feature] = candidate;
    best[feature] = f1;
    precision[feature] = hits / fired[candidate];
    recall[feature] = hits / on[feature];
  });
  return { latent, f1: best, precision, recall };
}

/** The feature that a latent tells best; several latents may share one. −1 and 0 where it never fired with any. */
export interface BestFeatures {
  /** `[latents]` */
  readonly feature: Int32Array;
  readonly f1: Float64Array;
}

/** The lowest feature of equal ones. */
export function bestFeatures(overlap: FiringOverlap): BestFeatures {
  const feature = new Int32Array(overlap.latents).fill(-1);
  const best = new Float64Array(overlap.latents);
  overlap.eachPair((latent, candidate, _hits, f1) => {
    if (f1 < best[latent] || (f1 === best[latent] && candidate > feature[latent])) return;
    feature[latent] = candidate;
    best[latent] = f1;
  });
  return { feature, f1: best };
}

/** Latents and features one to one. */
export interface FiringMatch {
  /** `[latents]` feature of each latent, −1 for none. */
  readonly feature: Int32Array;
  /** `[latents]` F1 of the pair, 0 without one. */
  readonly f1: Float64Array;
}

/** Pairs with less F1 are not matched. */
const LEAST_MATCH = 0.1;

/**
 * The one-to-one matching with the largest sum of F1 …
 * @param isTakingPart … among some of the latents
 */
export function matchByFiring(overlap: FiringOverlap, isTakingPart: (latent: number) => boolean): FiringMatch {
  const pairs: WeightedPair[] = [];
  overlap.eachPair((latent, feature, _hits, f1) => {
    if (f1 >= LEAST_MATCH && isTakingPart(latent)) pairs.push({ row: latent, column: feature, weight: f1 });
  });
  const feature = assignSparse(pairs, overlap.latents, overlap.features);
  const f1 = new Float64Array(overlap.latents);
  for (const { row, column, weight } of pairs) if (feature[row] === column) f1[row] = weight;
  return { feature, f1 };
}
