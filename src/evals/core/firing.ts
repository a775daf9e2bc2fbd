/** How often latents fire on the held-out tokens: dead latents and quantiles of the density. */
import type { Codes } from '../../core/codes.ts';
import { Moments, quantileOfSorted } from '../../core/statistics.ts';
import { metric, total, type Bootstrap, type Metrics } from '../metric.ts';
import type { RowUnits } from '../units.ts';
import type { View } from '../../sae/architecture.ts';

const QUANTILES = [1, 5, 25, 50, 75, 95, 99] as const;

/** Each resample counts all latents anew; a standard deviation needs fewer of them than a percentile. */
const RESAMPLES = 200;

/** How often latents fired in one unit. */
interface UnitCounts {
  /** Those that fired, ascending; undefined where so many did that all are kept, by their number. */
  readonly latents: Uint32Array | undefined;
  readonly times: Uint16Array | Uint32Array;
}

/** Number of tokens on which each latent fired, per unit: units · latents numbers of two bytes at most, unless units have 2^16 tokens. */
export class FiringCounts {
  readonly #units: RowUnits;
  readonly #rows: Float64Array;
  readonly #counts: UnitCounts[] = [];
  readonly #current: Uint32Array;
  #touched: number[] = [];

  constructor(units: RowUnits, width: number) {
    this.#units = units;
    this.#rows = new Float64Array(units.count);
    this.#current = new Uint32Array(width);
  }

  /** @param start number of the first row; rows come in ascending order */
  add(start: number, { rows, rowPtr, index, value }: Codes): void {
    for (let r = 0; r < rows; r++) {
      const unit = this.#units.of(start + r);
      while (this.#counts.length < unit) this.#closeUnit();
      this.#rows[unit]++;
      for (let e = rowPtr[r]; e < rowPtr[r + 1]; e++) {
        if (value[e] !== 0 && this.#current[index[e]]++ === 0) this.#touched.push(index[e]);
      }
    }
  }

  #closeUnit(): void {
    const current = this.#current;
    const isShort = this.#rows[this.#counts.length] < 2 ** 16;
    const kept = (times: Uint32Array): UnitCounts['times'] => (isShort ? Uint16Array.from(times) : times.slice());
    // A latent's number takes twice the room of its count.
    if (3 * this.#touched.length > current.length) this.#counts.push({ latents: undefined, times: kept(current) });
    else {
      const latents = Uint32Array.from(this.#touched).sort();
      this.#counts.push({ latents, times: kept(latents.map((latent) => current[latent])) });
    }
    for (const latent of this.#touched) current[latent] = 0;
    this.#touched = [];
  }

  /**
   * Density of a latent = share of the tokens on which its code is not 0. Resamples repeat documents and so miss some,
   * which makes latents look deader than they are: hence intervals around the value, not percentiles of the resamples.
   * @returns the metrics of each view
   */
  metrics(bootstrap: Bootstrap, views: readonly View[]): Metrics[] {
    while (this.#counts.length < this.#units.count) this.#closeUnit();
    const tokens = total(this.#rows);
    const weights = new Float64Array(this.#units.count).fill(1);
    const values = this.#statistics(weights, views);
    const spreads = values.map((statistics) => statistics.map(() => new Moments()));
    const draws = bootstrap.draws();
    for (let b = 0; b < RESAMPLES; b++) {
      weights.fill(0);
      for (let i = 0; i < weights.length; i++) weights[draws.below(weights.length)]++;
      this.#statistics(weights, views).forEach((drawn, v) => drawn.forEach((value, i) => spreads[v][i].add(value)));
    }
    const interval = `95 % interval: ± 1.96 bootstrap standard deviations over ${this.#units.label}`;
    return views.map(({ from, to }, v) => {
      const make = (i: number, definition: string): Metrics[string] => {
        const value = values[v][i];
        const half = this.#units.count < 2 ? NaN : 1.96 * Math.sqrt(spreads[v][i].sampleVariance);
        return metric(value, Math.max(0, value - half), Math.min(1, value + half), {
          n: to - from,
          unit: i === 0 ? 'share of latents' : 'share of tokens',
          definition: `${definition}; ${interval}`,
        });
      };
      const dead = make(0, `share of latents whose code is 0 on all of the ${tokens} held-out tokens`);
      const densities = QUANTILES.map((p, i) => [
        `density_p${p}`,
        make(i + 1, `quantile ${p} % over latents of the share of the ${tokens} held-out tokens with code ≠ 0`),
      ]);
      return { dead_fraction: dead, ...(Object.fromEntries(densities) as Metrics) };
    });
  }

  /** Of each view: dead fraction, then the density at each quantile. */
  #statistics(weights: Float64Array, views: readonly View[]): number[][] {
    const counts = new Float64Array(this.#current.length);
    let rows = 0;
    for (let unit = 0; unit < weights.length; unit++) {
      const weight = weights[unit];
      if (weight === 0) continue;
      rows += weight * this.#rows[unit];
      const { latents, times } = this.#counts[unit];
      if (latents) for (let i = 0; i < latents.length; i++) counts[latents[i]] += weight * times[i];
      else for (let i = 0; i < times.length; i++) counts[i] += weight * times[i];
    }
    return views.map(({ from, to }) => {
      const sorted = counts.slice(from, to).sort();
      let dead = 0;
      while (dead < sorted.length && sorted[dead] === 0) dead++;
      return [dead / sorted.length, ...QUANTILES.map((p) => quantileOfSorted(sorted, p / 100) / rows)];
    });
  }
}
