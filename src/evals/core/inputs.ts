/** Sums over the held-out activations themselves, per resampled unit; every view is measured against them. */
import { dot } from '../metric.ts';
import type { HeldOutBatch } from '../held-out-rows.ts';
import type { RowUnits } from '../units.ts';

/** A quantity whose spread is asked for: Σ‖v‖² and Σv of each unit. */
export class SpreadSums {
  readonly d: number;
  /** [units] */
  readonly squares: Float64Array;
  /** [units, d] */
  readonly vectors: Float64Array;

  constructor(units: number, d: number) {
    this.d = d;
    this.squares = new Float64Array(units);
    this.vectors = new Float64Array(units * d);
  }

  /** Σ‖v − v̄‖² over a resample of `rows` rows, v̄ being the mean of that resample; 0 where only rounding errors are left. */
  about(weights: Float64Array, rows: number): number {
    const sum = new Float64Array(this.d);
    for (let unit = 0, at = 0; unit < weights.length; unit++) {
      const weight = weights[unit];
      if (weight === 0) at += this.d;
      else for (let j = 0; j < this.d; j++) sum[j] += weight * this.vectors[at++];
    }
    const squares = dot(weights, this.squares);
    const spread = squares - dot(sum, sum) / rows;
    return spread > ROUNDING * squares ? spread : 0;
  }
}

/** Far above the errors of float64 sums, far below any spread that float32 activations can show. */
const ROUNDING = 1e-13;

/** Per unit, x being the raw activation of a token. */
export class InputSums {
  readonly units: RowUnits;
  readonly d: number;
  /** [d], mean of all raw rows. */
  readonly mean: Float64Array;
  readonly rows: Float64Array;
  readonly raw: SpreadSums;
  readonly normalized: SpreadSums;
  /** Σ over tokens and dimensions of (x_d − mean of the token's own elements)². */
  readonly aboutOwnMean: Float64Array;
  /** Tokens with x ≠ 0. */
  readonly nonZero: Float64Array;
  /** Tokens with x ≠ the mean. */
  readonly offMean: Float64Array;

  constructor(units: RowUnits, mean: Float64Array) {
    this.units = units;
    this.mean = mean;
    this.d = mean.length;
    const perUnit = (): Float64Array => new Float64Array(units.count);
    this.rows = perUnit();
    this.raw = new SpreadSums(units.count, this.d);
    this.normalized = new SpreadSums(units.count, this.d);
    this.aboutOwnMean = perUnit();
    this.nonZero = perUnit();
    this.offMean = perUnit();
  }

  add({ start, rows, raw, normalized }: HeldOutBatch): void {
    const { d, mean } = this;
    for (let r = 0; r < rows; r++) {
      const unit = this.units.of(start + r);
      const vector = unit * d;
      let [square, normalizedSquare, sum, fromMean] = [0, 0, 0, 0];
      for (let j = 0, at = r * d; j < d; j++, at++) {
        const x = raw[at];
        const n = normalized[at];
        square += x * x;
        normalizedSquare += n * n;
        sum += x;
        fromMean += (x - mean[j]) ** 2;
        this.raw.vectors[vector + j] += x;
        this.normalized.vectors[vector + j] += n;
      }
      this.rows[unit]++;
      this.raw.squares[unit] += square;
      this.normalized.squares[unit] += normalizedSquare;
      this.aboutOwnMean[unit] += square - (sum * sum) / d;
      if (square > 0) this.nonZero[unit]++;
      if (fromMean > 0) this.offMean[unit]++;
    }
  }
}
