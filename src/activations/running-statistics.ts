/** Mean and norms of a stream of activations, exact to resume. */
import { f16ToF32Table } from '../core/floats.ts';
import type { Statistics } from './manifest.ts';

/** Sums run row by row in float64, so that they do not depend on how rows were cut into batches. */
export class RunningStatistics {
  readonly #sum: Float64Array;
  #norm: number;
  #squaredNorm: number;

  /** @param sums of the rows seen so far, as {@link RunningStatistics.describe} gave them */
  constructor(d: number, sums?: Statistics['sums']) {
    this.#sum = sums ? Float64Array.from(sums.x) : new Float64Array(d);
    this.#norm = sums?.norm ?? 0;
    this.#squaredNorm = sums?.squaredNorm ?? 0;
  }

  /** @param values [rows, d] */
  add(values: Float32Array, rows: number): void {
    const sum = this.#sum;
    const d = sum.length;
    for (let row = 0; row < rows; row++) {
      let squared = 0;
      for (let j = 0, at = row * d; j < d; j++, at++) {
        const value = values[at];
        sum[j] += value;
        squared += value * value;
      }
      this.#norm += Math.sqrt(squared);
      this.#squaredNorm += squared;
    }
  }

  /** The same for the bits of binary16 values, [rows, d]. */
  addHalves(bits: Uint16Array, rows: number): void {
    const table = f16ToF32Table();
    const sum = this.#sum;
    const d = sum.length;
    for (let row = 0; row < rows; row++) {
      let squared = 0;
      for (let j = 0, at = row * d; j < d; j++, at++) {
        const value = table[bits[at]];
        sum[j] += value;
        squared += value * value;
      }
      this.#norm += Math.sqrt(squared);
      this.#squaredNorm += squared;
    }
  }

  /** @param rows that were added in all */
  describe(rows: number): Statistics {
    const divisor = Math.max(rows, 1);
    return {
      mean: Array.from(this.#sum, (sum) => sum / divisor),
      meanNorm: this.#norm / divisor,
      meanSquaredNorm: this.#squaredNorm / divisor,
      sums: { x: Array.from(this.#sum), norm: this.#norm, squaredNorm: this.#squaredNorm },
    };
  }
}
