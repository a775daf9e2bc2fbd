/** Activations of which it is known what they should hold. */
import type { Forest } from '../forest/forest.ts';
import type { FeatureRows } from '../forest/agreement.ts';

export interface TruthBatch extends FeatureRows {
  /** [rows, d], as the model has them: not normalised. */
  readonly acts: Float32Array;
}

export interface TruthRows {
  readonly d: number;
  /** True forest over the features. */
  readonly truth: Forest;
  /** [features] */
  readonly names: readonly string[];
  /** Rows with their features, always the same ones in the same order; ends after `rows`, or a few more. */
  batches(rows: number): AsyncIterable<TruthBatch>;
}
