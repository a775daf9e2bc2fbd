/** What the main latents of parents do at rows where a child is on, summed over a stream of rows. */
import type { Codes } from '../../core/codes.ts';
import type { Forest } from '../../forest/forest.ts';

/** Sums under one assignment of main latents. */
interface Sums {
  /** `[features]` main latent of each. */
  readonly main: Int32Array;
  /** Of each edge, by its child: rows with parent and child on at which the parent's main latent is off. */
  readonly off: Float64Array;
  /** Σ |activation · ‖d‖| of the parent's main latent at those rows … */
  readonly withChild: Float64Array;
  /** … and, by the parent, at all rows with the parent on. */
  readonly whole: Float64Array;
}

export interface EdgeCount {
  readonly parent: number;
  readonly child: number;
  /** Rows with both on. */
  readonly rows: number;
  /** Rows with the parent on and the child off. */
  readonly without: number;
  /** P(main latent of the parent off | both on) */
  readonly rate: number;
  /** 1 − E[aₚ | both on] / E[aₚ | parent on, child off], clamped to [0, 1]; NaN for 0/0. */
  readonly soft: number;
}

export class EdgeCounts {
  readonly truth: Forest;
  /** `[features]` rows in which each was on, and, by the child, rows in which its parent was too. */
  readonly on: Float64Array;
  readonly both: Float64Array;
  readonly #sums: readonly Sums[];
  /** `[width]` of the row in the making. */
  readonly #strength: Float64Array;
  readonly #isOff: Uint8Array;
  readonly #isOn: Uint8Array;

  /** @param mains assignments `[features]` of main latents, −1 for none: such a latent is always off */
  constructor(truth: Forest, width: number, mains: readonly Int32Array[]) {
    const perFeature = (): Float64Array => new Float64Array(truth.size);
    this.truth = truth;
    this.on = perFeature();
    this.both = perFeature();
    this.#sums = mains.map((main) => ({ main, off: perFeature(), withChild: perFeature(), whole: perFeature() }));
    this.#strength = new Float64Array(width);
    this.#isOff = new Uint8Array(width).fill(1);
    this.#isOn = new Uint8Array(truth.size);
  }

  /**
   * @param codes activations times the norms of the decoder rows
   * @param contributing the same entries, 0 where a latent adds so little that it counts as off
   */
  add(codes: Codes, contributing: Codes, features: Codes): void {
    for (let r = 0; r < codes.rows; r++) {
      for (let e = codes.rowPtr[r]; e < codes.rowPtr[r + 1]; e++) {
        this.#strength[codes.index[e]] = Math.abs(codes.value[e]);
        this.#isOff[codes.index[e]] = contributing.value[e] === 0 ? 1 : 0;
      }
      const on = entriesOf(features, r);
      for (const feature of on) this.#isOn[feature] = 1;
      for (const feature of on) this.#count(feature);
      for (const feature of on) this.#isOn[feature] = 0;
      for (let e = codes.rowPtr[r]; e < codes.rowPtr[r + 1]; e++) {
        this.#strength[codes.index[e]] = 0;
        this.#isOff[codes.index[e]] = 1;
      }
    }
  }

  #count(feature: number): void {
    this.on[feature]++;
    const parent = this.truth.parent[feature];
    const isEdge = parent !== -1 && this.#isOn[parent] === 1;
    if (isEdge) this.both[feature]++;
    for (const { main, off, withChild, whole } of this.#sums) {
      if (main[feature] !== -1) whole[feature] += this.#strength[main[feature]];
      if (!isEdge) continue;
      const latent = main[parent];
      if (latent === -1 || this.#isOff[latent] === 1) off[feature]++;
      if (latent !== -1) withChild[feature] += this.#strength[latent];
    }
  }

  /** The edges under one of the assignments, in the order of the children. */
  edges(assignment: number): EdgeCount[] {
    const { off, withChild, whole } = this.#sums[assignment];
    return [...this.truth.edges()].map(([parent, child]) => {
      const rows = this.both[child];
      const without = this.on[parent] - rows;
      const ratio = withChild[child] / rows / ((whole[parent] - withChild[child]) / without);
      return { parent, child, rows, without, rate: off[child] / rows, soft: Math.min(1, Math.max(0, 1 - ratio)) };
    });
  }
}

/** Features that are on in a row. */
function entriesOf({ rowPtr, index, value }: Codes, row: number): number[] {
  const on: number[] = [];
  for (let e = rowPtr[row]; e < rowPtr[row + 1]; e++) if (value[e] !== 0) on.push(index[e]);
  return on;
}
