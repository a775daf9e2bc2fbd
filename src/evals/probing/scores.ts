/** Accuracies of the probes of a task, example by example, so that they can be resampled. */
import { fitProbe, probeLogits } from '../linear-probe.ts';
import type { Features } from './features.ts';
import { fitSparseProbe, hits, meanDifferences, rightOf, strongest, type Examples } from './k-sparse.ts';
import type { ClassSplit } from './one-vs-rest.ts';
import type { Codes } from '../../core/codes.ts';
import type { View } from '../../sae/architecture.ts';

export const KS = [1, 2, 5] as const;
export type ProbeName = `k${(typeof KS)[number]}` | 'dense';

/** Test examples of one class, and which of them a probe got right. */
export interface ClassScore {
  /** Resampled unit of each example. */
  readonly units: Int32Array;
  readonly labels: Uint8Array;
  readonly right: Uint8Array;
}

/** Of every class of a task. */
export type Scores = readonly ClassScore[];

/**
 * Mean over classes of (share of the positives that is right + share of the negatives that is right) / 2. Their numbers are equal, so this
 * is the share of all examples that is right; in resamples, where they are not, it stays balanced. Classes of which a resample
 * holds no positives or no negatives are left out.
 */
export function accuracy(scores: Scores, weights?: Float64Array): number {
  let [sum, classes] = [0, 0];
  for (const { units, labels, right } of scores) {
    const [all, good] = [
      [0, 0],
      [0, 0],
    ];
    for (let i = 0; i < units.length; i++) {
      const weight = weights ? weights[units[i]] : 1;
      all[labels[i]] += weight;
      if (right[i]) good[labels[i]] += weight;
    }
    if (all[0] === 0 || all[1] === 0) continue;
    sum += (good[0] / all[0] + good[1] / all[1]) / 2;
    classes++;
  }
  return sum / classes;
}

/** By k, of the latents of a range. */
export function sparseScores(
  codes: Codes,
  classes: readonly ClassSplit[],
  unitOf: Int32Array,
  range: Pick<View, 'from' | 'to'>,
): Record<`k${(typeof KS)[number]}`, Scores> {
  const scores: Record<`k${(typeof KS)[number]}`, ClassScore[]> = { k1: [], k2: [], k5: [] };
  for (const { train, test } of classes) {
    const best = strongest(meanDifferences(codes, train), Math.max(...KS), range);
    for (const k of KS) {
      const right = hits(fitSparseProbe(codes, best.slice(0, k), train), codes, test);
      scores[`k${k}`].push(scoreOf(test, unitOf, right));
    }
  }
  return scores;
}

/** Of a probe on all elements of the activations, scaled by one factor so that their variance is 1 on average. */
export function denseScores(
  { dense }: Features,
  d: number,
  classes: readonly ClassSplit[],
  unitOf: Int32Array,
): Scores {
  return classes.map(({ train, test }) => {
    const standardized = standardizer(dense, d, train);
    const probe = fitProbe(standardized(train), d, train.labels, { tolerance: 1e-5 });
    return scoreOf(test, unitOf, rightOf(probeLogits(probe, standardized(test)), test.labels));
  });
}

/** The penalty of a probe depends on the scale of its inputs; this one does not depend on that of the model. */
function standardizer(dense: Float32Array, d: number, { rows }: Examples): (examples: Examples) => Float64Array {
  const mean = new Float64Array(d);
  for (const row of rows) for (let j = 0; j < d; j++) mean[j] += dense[row * d + j] / rows.length;
  let variance = 0;
  for (const row of rows) for (let j = 0; j < d; j++) variance += (dense[row * d + j] - mean[j]) ** 2;
  const factor = variance === 0 ? 1 : Math.sqrt((rows.length * d) / variance);
  return (examples) =>
    Float64Array.from({ length: examples.rows.length * d }, (_, at) => {
      const j = at % d;
      return factor * (dense[examples.rows[(at - j) / d] * d + j] - mean[j]);
    });
}

/** What always naming the class with more training examples gets right. */
export function majorityScores(classes: readonly ClassSplit[], unitOf: Int32Array): Scores {
  return classes.map(({ train, test }) => {
    const positives = train.labels.reduce((sum, label) => sum + label, 0);
    const named = 2 * positives >= train.labels.length ? 1 : 0;
    const right = test.labels.map((label) => (label === named ? 1 : 0));
    return scoreOf(test, unitOf, right);
  });
}

function scoreOf({ rows, labels }: Examples, unitOf: Int32Array, right: Uint8Array): ClassScore {
  return { units: rows.map((row) => unitOf[row]), labels, right };
}
