/** How well latents fire for true features: counts over a stream of rows, and F1 from them. */
import type { Codes, IndexArray } from '../core/codes.ts';
import { InputError } from '../core/errors.ts';

/** Counts of pairs that are kept at most: 1 GiB. */
const MAX_PAIRS = 2 ** 28;

/** Which features are on in each row: those of row r are `feature[rowPtr[r] … rowPtr[r + 1])`, each at most once. */
export interface FeatureRows {
  readonly rows: number;
  readonly rowPtr: IndexArray;
  readonly feature: IndexArray;
}

export class Agreement {
  readonly width: number;
  readonly features: number;
  rows = 0;
  /** `[width]` rows in which each latent fired. */
  readonly fired: Float64Array;
  /** `[features]` rows in which each feature was on. */
  readonly on: Float64Array;
  /** `[width, features]` rows in which both did. */
  readonly #both: Uint32Array;

  /** @throws InputError where the table of pairs would be larger than 1 GiB */
  constructor(width: number, features: number) {
    if (width * features > MAX_PAIRS) {
      throw new InputError(`${width} latents × ${features} features are too many to be compared pair by pair`, {
        hint: `at most ${MAX_PAIRS.toLocaleString('en')} pairs`,
      });
    }
    this.width = width;
    this.features = features;
    this.fired = new Float64Array(width);
    this.on = new Float64Array(features);
    this.#both = new Uint32Array(width * features);
  }

  add({ rows, rowPtr, index, value }: Codes, truth: FeatureRows): void {
    if (rows !== truth.rows) throw new RangeError(`${rows} rows of codes, ${truth.rows} of features`);
    const { features } = this;
    for (let r = 0; r < rows; r++) {
      const [start, end] = [truth.rowPtr[r], truth.rowPtr[r + 1]];
      for (let f = start; f < end; f++) this.on[truth.feature[f]]++;
      for (let e = rowPtr[r]; e < rowPtr[r + 1]; e++) {
        if (value[e] === 0) continue;
        this.fired[index[e]]++;
        const row = index[e] * features;
        for (let f = start; f < end; f++) this.#both[row + truth.feature[f]]++;
      }
    }
    this.rows += rows;
  }

  /** Rows in which a latent fired and a feature was on. */
  both(latent: number, feature: number): number {
    return this.#both[latent * this.features + feature];
  }

  /** F1 of "the latent fires" as a test of "the feature is on": 2·both / (fired + on); 0 where neither ever was. */
  f1(latent: number, feature: number): number {
    const sum = this.fired[latent] + this.on[feature];
    return sum === 0 ? 0 : (2 * this.both(latent, feature)) / sum;
  }

  /** P(the latent fires | the feature is on), NaN for a feature that never was. */
  recall(latent: number, feature: number): number {
    return this.both(latent, feature) / this.on[feature];
  }

  /** `[features]` latent with the best F1 for each feature (the first of equals), −1 for none above 0. */
  bestLatents(): Int32Array {
    const best = new Int32Array(this.features).fill(-1);
    const score = new Float64Array(this.features);
    for (let latent = 0; latent < this.width; latent++) {
      if (this.fired[latent] === 0) continue;
      for (let feature = 0; feature < this.features; feature++) {
        const f1 = this.f1(latent, feature);
        if (f1 > score[feature]) [best[feature], score[feature]] = [latent, f1];
      }
    }
    return best;
  }

  /**
   * `[width]` the feature that each latent stands for: that with the best F1, if it is at least `least`; −1 for none. Of equals
   * the later feature, which in a forest numbered from its roots is the more special one.
   */
  standsFor(least: number): Int32Array {
    const match = new Int32Array(this.width).fill(-1);
    for (let latent = 0; latent < this.width; latent++) {
      if (this.fired[latent] === 0) continue;
      let best = least;
      for (let feature = 0; feature < this.features; feature++) {
        const f1 = this.f1(latent, feature);
        if (f1 >= best && f1 > 0) [best, match[latent]] = [f1, feature];
      }
    }
    return match;
  }
}
