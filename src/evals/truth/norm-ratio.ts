/** Shrinkage: mean ‖x̂‖ / ‖x‖ over the rows with ‖x‖ > 1e-6 (SAELens `sae_lens/synthetic/evals.py`), summed unit by unit. */
import { total } from '../metric.ts';
import type { RowUnits } from '../units.ts';

const SHORTEST = 1e-6;

export class NormRatio {
  /** `[units]` Σ ‖x̂‖ / ‖x‖, and rows that count. */
  readonly sum: Float64Array;
  readonly rows: Float64Array;
  readonly #units: RowUnits;
  readonly #d: number;

  constructor(units: RowUnits, d: number) {
    this.sum = new Float64Array(units.count);
    this.rows = new Float64Array(units.count);
    this.#units = units;
    this.#d = d;
  }

  /** @param start number of the first row; @param x [·, d]; @param reconstruction [·, d] in the same space */
  add(start: number, x: Float32Array, reconstruction: Float32Array): void {
    const d = this.#d;
    for (let row = 0; row * d < x.length; row++) {
      let [square, rebuilt] = [0, 0];
      for (let k = row * d; k < (row + 1) * d; k++) {
        square += x[k] * x[k];
        rebuilt += reconstruction[k] * reconstruction[k];
      }
      if (!(Math.sqrt(square) > SHORTEST)) continue;
      const unit = this.#units.of(start + row);
      this.sum[unit] += Math.sqrt(rebuilt / square);
      this.rows[unit]++;
    }
  }

  get value(): number {
    return total(this.sum) / total(this.rows);
  }
}
