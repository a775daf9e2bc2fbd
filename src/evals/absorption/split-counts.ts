/** Into how many latents a feature of a known truth is split: F1 of "one of the first k candidates fires", for k = 1 … 10. */
import type { Codes } from '../../core/codes.ts';
import type { LatentRange } from '../../engine/kernels.ts';
import type { FiringOverlap } from '../../forest/firing-overlap.ts';
import { splitCount } from './word-rules.ts';

export const MAX_SPLIT = 10;
/** P(feature | latent) from which on a latent may be one of those that share a feature. */
export const SPLIT_PRECISION = 0.5;

/**
 * Candidates of every feature: its main latent, then the other latents of the range with P(feature | latent) ≥ .5, those with the most
 * hits first, ten in all.
 */
export function splitCandidates(overlap: FiringOverlap, main: Int32Array, { from, to }: LatentRange): number[][] {
  const others = Array.from(main, () => [] as { latent: number; hits: number }[]);
  overlap.eachPair((latent, feature, hits) => {
    if (latent < from || latent >= to || latent === main[feature]) return;
    if (hits < SPLIT_PRECISION * overlap.fired[latent]) return;
    const list = others[feature];
    list.push({ latent, hits });
    list.sort((a, b) => b.hits - a.hits || a.latent - b.latent);
    list.length = Math.min(list.length, MAX_SPLIT - 1);
  });
  return others.map((list, feature) =>
    main[feature] === -1 ? [] : [main[feature], ...list.map(({ latent }) => latent)],
  );
}

interface Place {
  readonly feature: number;
  /** Of the latent among the feature's candidates. */
  readonly rank: number;
}

export class SplitCounts {
  readonly #candidates: readonly (readonly number[])[];
  /** By latent. */
  readonly #places = new Map<number, Place[]>();
  /** `[features, 10]` rows whose first firing candidate is the one of that rank: with the feature on, and with it off. */
  readonly #hits: Float64Array;
  readonly #alarms: Float64Array;
  /** `[features]` */
  readonly #on: Float64Array;

  constructor(candidates: readonly (readonly number[])[]) {
    this.#candidates = candidates;
    candidates.forEach((latents, feature) =>
      latents.forEach((latent, rank) => {
        const places = this.#places.get(latent);
        if (places) places.push({ feature, rank });
        else this.#places.set(latent, [{ feature, rank }]);
      }),
    );
    this.#hits = new Float64Array(candidates.length * MAX_SPLIT);
    this.#alarms = new Float64Array(candidates.length * MAX_SPLIT);
    this.#on = new Float64Array(candidates.length);
  }

  add(codes: Codes, features: Codes): void {
    const first = new Map<number, number>();
    for (let r = 0; r < codes.rows; r++) {
      first.clear();
      for (let e = codes.rowPtr[r]; e < codes.rowPtr[r + 1]; e++) {
        if (codes.value[e] === 0) continue;
        for (const { feature, rank } of this.#places.get(codes.index[e]) ?? [])
          if (rank < (first.get(feature) ?? MAX_SPLIT)) first.set(feature, rank);
      }
      for (const [feature, rank] of first) this.#alarms[feature * MAX_SPLIT + rank]++;
      for (let t = features.rowPtr[r]; t < features.rowPtr[r + 1]; t++) {
        if (features.value[t] === 0) continue;
        const feature = features.index[t];
        this.#on[feature]++;
        const rank = first.get(feature);
        if (rank === undefined) continue;
        this.#hits[feature * MAX_SPLIT + rank]++;
        this.#alarms[feature * MAX_SPLIT + rank]--;
      }
    }
  }

  /** Latents that share a feature, NaN where none stands for it. */
  splitOf(feature: number): number {
    const latents = this.#candidates[feature];
    if (latents.length === 0) return NaN;
    let [hits, alarms] = [0, 0];
    return splitCount(
      latents.map((_, rank) => {
        hits += this.#hits[feature * MAX_SPLIT + rank];
        alarms += this.#alarms[feature * MAX_SPLIT + rank];
        const both = 2 * hits;
        return both === 0 ? 0 : both / (hits + alarms + this.#on[feature]);
      }),
    );
  }
}
