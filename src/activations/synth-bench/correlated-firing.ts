/**
 * Features that fire together a little: feature i fires when z_i > t_i, where z = Fε + √diag·η has unit variances, ε are `rank`
 * factors that all features of a row share, and P(z_i > t_i) = p_i.
 *
 * Given ε the z_i are independent: feature i fires when η_i exceeds its *own threshold* (t_i − F_i·ε) / √diag_i, with the tail of the
 * normal distribution as probability. So features are drawn only where somebody asks, and the many that hardly ever fire are skipped
 * in leaps. Both leave the distribution as it is.
 */
import { normalTail, normalThreshold } from '../../core/normal-distribution.ts';
import type { Random } from '../../core/random.ts';
import type { RowKernels } from './row-kernels.ts';

/** Least share of a feature's variance that is its own; rows of F that leave less are shortened, as in SAELens. */
const LEAST_OWN = 0.01;

/** Features with a higher own threshold than this fire with at most the probability beside it. */
const HIGH = 2.25;
const RARE = normalTail(HIGH) * (1 + 1e-6);
const LOG_MISS = Math.log1p(-RARE);

/** Features of a panel of the kernel. */
const PANEL = 16;

export class CorrelatedFiring {
  /** F `[features, rank]`. */
  readonly factors: Float32Array;
  readonly #rank: number;
  readonly #threshold: Float64Array;
  /** √diag. */
  readonly #own: Float64Array;
  readonly #kernels: RowKernels;
  readonly #epsilon: Float32Array;
  readonly #independent: Int32Array;
  /** By place in `independent`, filled up to whole panels with features that never fire. */
  readonly #panels: Record<'factors' | 'threshold' | 'inverse' | 'ownThreshold', Float32Array>;
  readonly #places: Uint32Array;

  /**
   * @param probability `[features]` p
   * @param independent features that are drawn in every row
   * @param scale standard deviation of the entries of F, before rows are shortened
   */
  constructor(
    kernels: RowKernels,
    probability: Float64Array,
    independent: Int32Array,
    { rank, scale }: { rank: number; scale: number },
    random: Random,
  ) {
    const features = probability.length;
    this.#rank = rank;
    this.factors = Float32Array.from({ length: features * rank }, () => scale * random.normal());
    this.#threshold = probability.map(normalThreshold);
    this.#own = new Float64Array(features);
    for (let i = 0; i < features; i++) {
      const row = this.factors.subarray(i * rank, (i + 1) * rank);
      const square = squareOf(row);
      if (1 - square < LEAST_OWN) row.forEach((f, k) => (row[k] = f * Math.sqrt((1 - LEAST_OWN) / square)));
      this.#own[i] = Math.sqrt(1 - squareOf(row));
    }
    this.#kernels = kernels;
    this.#epsilon = kernels.f32(rank);
    this.#independent = independent;
    const places = PANEL * Math.ceil(independent.length / PANEL);
    this.#places = kernels.u32(places);
    this.#panels = {
      factors: kernels.f32(places * rank),
      threshold: kernels.f32(places).fill(Infinity),
      inverse: kernels.f32(places).fill(1),
      ownThreshold: kernels.f32(places),
    };
    independent.forEach((feature, place) => {
      this.#panels.threshold[place] = this.#threshold[feature];
      this.#panels.inverse[place] = 1 / this.#own[feature];
      const at = (place - (place % PANEL)) * rank + (place % PANEL);
      for (let k = 0; k < rank; k++) this.#panels.factors[at + PANEL * k] = this.factors[feature * rank + k];
    });
  }

  /** Draws ε: everything until the next call belongs to one row. */
  startRow(random: Random): void {
    for (let k = 0; k < this.#rank; k++) this.#epsilon[k] = random.normal();
  }

  /** Whether a feature fires in this row; to be asked once. */
  fires(feature: number, random: Random): boolean {
    const { factors } = this;
    const rank = this.#rank;
    const epsilon = this.#epsilon;
    let shared = 0;
    for (let k = 0, at = feature * rank; k < rank; k++, at++) shared += factors[at] * epsilon[k];
    return random.uniform() < normalTail((this.#threshold[feature] - shared) / this.#own[feature]);
  }

  /** Visits the independent features that fire in this row. */
  eachIndependent(random: Random, visit: (feature: number) => void): void {
    const independent = this.#independent;
    const places = this.#places;
    const { factors, threshold, inverse, ownThreshold } = this.#panels;
    const { run } = this.#kernels;
    const n = ownThreshold.length;
    run.ownThresholds(
      factors.byteOffset,
      this.#epsilon.byteOffset,
      threshold.byteOffset,
      inverse.byteOffset,
      ownThreshold.byteOffset,
      n,
      this.#rank,
    );
    const low = run.placesBelow(ownThreshold.byteOffset, n, HIGH, places.byteOffset);
    for (let i = 0; i < low; i++) {
      if (random.uniform() < normalTail(ownThreshold[places[i]])) visit(independent[places[i]]);
    }
    // The others fire with a probability below RARE: leap from one that would fire with RARE to the next, and thin these out.
    const leap = (): number => Math.floor(Math.log(1 - random.uniform()) / LOG_MISS);
    for (let place = leap(); place < n; place += 1 + leap()) {
      if (ownThreshold[place] < HIGH) continue;
      if (random.uniform() * RARE < normalTail(ownThreshold[place])) visit(independent[place]);
    }
  }
}

function squareOf(row: Float32Array): number {
  return row.reduce((sum, f) => sum + f * f, 0);
}
