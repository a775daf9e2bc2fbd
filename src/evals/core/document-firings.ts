/** Whether latents fire again in a document where they have fired. */
import type { Codes } from '../../core/codes.ts';
import type { Bootstrap, Metrics } from '../metric.ts';
import type { RowUnits } from '../units.ts';

/** Firings, and pairs (latent, document) with at least one, by latent and by resampled unit. */
export class DocumentFirings {
  readonly #units: RowUnits;
  /** `[width]` rows on which each latent fired. */
  readonly #rows: Float64Array;
  /** `[width]` documents in which each latent fired. */
  readonly #documents: Float64Array;
  /** `[width]` the last of them. */
  readonly #last: Int32Array;
  readonly #firings: Float64Array;
  readonly #pairs: Float64Array;

  constructor(units: RowUnits, width: number) {
    this.#units = units;
    this.#rows = new Float64Array(width);
    this.#documents = new Float64Array(width);
    this.#last = new Int32Array(width).fill(-1);
    this.#firings = new Float64Array(units.count);
    this.#pairs = new Float64Array(units.count);
  }

  /**
   * @param start number of the first row; rows come in ascending order
   * @param doc document of every one of these rows, not negative; the rows of a document are neighbours
   */
  add(start: number, { rows, rowPtr, index, value }: Codes, doc: Int32Array): void {
    for (let r = 0; r < rows; r++) {
      const unit = this.#units.of(start + r);
      for (let e = rowPtr[r]; e < rowPtr[r + 1]; e++) {
        if (value[e] === 0) continue;
        const latent = index[e];
        this.#rows[latent]++;
        this.#firings[unit]++;
        if (this.#last[latent] === doc[r]) continue;
        this.#last[latent] = doc[r];
        this.#documents[latent]++;
        this.#pairs[unit]++;
      }
    }
  }

  /** `[width]` rows per document in which a latent fires at all (SAEBench's consistent-activation heuristic); NaN where it never does. */
  perLatent(): Float64Array {
    return this.#rows.map((rows, latent) => rows / this.#documents[latent]);
  }

  metrics(bootstrap: Bootstrap): Metrics {
    return {
      firings_per_document: bootstrap.ratio(this.#firings, this.#pairs, {
        unit: 'tokens',
        definition:
          'Σ firings / Σ pairs (latent, document) with a firing, all latents of the model: on how many tokens of a document a latent ' +
          'fires that fires there at all (over latents one by one: the consistent-activation heuristic of SAEBench)',
      }),
    };
  }
}
