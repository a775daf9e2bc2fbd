/** Activations whose true features are known, row by row. */
import type { SynthBench } from '../activations/synth-bench/synth-bench.ts';
import type { ToyTree } from '../activations/toy-tree.ts';
import { codesFromDense, type Codes } from '../core/codes.ts';
import type { Forest } from '../forest/forest.ts';

/** Rows that were not trained on. */
export interface TruthRows {
  readonly d: number;
  /** Rows that there are. */
  readonly count: number;
  /** The true forest over the features. */
  readonly truth: Forest;
  /** `[features, d]` what each feature adds to an activation, at any length; undefined where nobody knows. */
  readonly directions?: Float32Array;
  nameOf(feature: number): string;
  /** Rows [start, start + count), which exist: raw activations `[count, d]` and the features that are on. */
  rows(start: number, count: number): Promise<{ readonly acts: Float32Array; readonly truth: Codes }>;
}

export function toyTreeRows(tree: ToyTree): TruthRows {
  return {
    d: tree.d,
    count: tree.heldOutRows,
    truth: tree.truth,
    directions: tree.directions,
    nameOf: (feature) => tree.names[feature],
    async rows(start, count) {
      const acts = new Float32Array(count * tree.d);
      await tree.heldOut(start, acts);
      return { acts, truth: codesFromDense(tree.heldOutTruth(start, count), count, tree.features) };
    },
  };
}

export function synthBenchRows(bench: SynthBench): TruthRows {
  return {
    d: bench.d,
    count: bench.heldOutRows,
    truth: bench.truth,
    directions: bench.directions,
    nameOf: (feature) => bench.nameOf(feature),
    async rows(start, count) {
      const acts = new Float32Array(count * bench.d);
      return { acts, truth: bench.heldOutSample(start, acts) };
    },
  };
}
