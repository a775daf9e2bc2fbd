/** The latents that a property of words is split into: k-sparse probes, k = 1 … 10 (methods 7.2, steps 3 and 4). */
import { fitProbe, probeLogits } from '../linear-probe.ts';
import { fitL1Probe } from './l1-probe.ts';
import type { CompactCodes } from './word-codes.ts';
import { splitCount } from './word-rules.ts';

const MOST = 10;

export interface SplitLatents {
  readonly latents: readonly number[];
  /** Of the probe on these latents, on the test rows. */
  readonly f1: number;
}

/** What the probes are given: codes and labels of the training rows, and the value of a latent at every test row. */
export interface SplitData {
  readonly train: CompactCodes;
  readonly labels: Uint8Array;
  /** `[test rows]` of a latent. */
  testColumn(latent: number): Float64Array;
  readonly testLabels: Uint8Array;
}

/** @returns no latent where none of those that fire has anything to do with the property */
export function splitLatents(data: SplitData): SplitLatents {
  const { train, labels, testLabels } = data;
  const { latents } = train;
  const order = rank(train, labels).slice(0, MOST);
  if (order.length === 0) return { latents: [], f1: 0 };
  const f1ByK: number[] = [];
  for (let k = 1; k <= order.length; k++) {
    f1ByK.push(sparseF1(data, order.slice(0, k)));
    if (splitCount(f1ByK) < k) break;
  }
  const count = splitCount(f1ByK);
  return { latents: order.slice(0, count).map((column) => latents[column]), f1: f1ByK[count - 1] };

  /** Logistic regression on some columns, as scikit-learn's with its defaults and balanced classes. */
  function sparseF1({ train: { codes } }: SplitData, columns: readonly number[]): number {
    const k = columns.length;
    const place = new Map(columns.map((column, i) => [column, i]));
    const x = new Float64Array(codes.rows * k);
    for (let r = 0; r < codes.rows; r++) {
      for (let e = codes.rowPtr[r]; e < codes.rowPtr[r + 1]; e++) {
        const i = place.get(codes.index[e]);
        if (i !== undefined) x[r * k + i] = codes.value[e];
      }
    }
    const probe = fitProbe(x, k, labels, { classWeight: 'balanced', maxIterations: 500, tolerance: 1e-6 });
    const test = new Float64Array(testLabels.length * k);
    columns.forEach((column, i) => data.testColumn(latents[column]).forEach((value, r) => (test[r * k + i] = value)));
    return f1Of(probeLogits(probe, test), testLabels);
  }
}

/** Columns with a positive weight in an L1 probe, the largest first; else the one of the largest difference of means, if that is positive. */
function rank({ codes }: CompactCodes, labels: Uint8Array): number[] {
  const weights = fitL1Probe(codes, labels);
  const positive = [...weights.keys()].filter((column) => weights[column] > 0);
  if (positive.length > 0) return positive.sort((a, b) => weights[b] - weights[a] || a - b);
  const yes = labels.reduce((sum, label) => sum + label, 0);
  const difference = new Float64Array(codes.width);
  for (let r = 0; r < codes.rows; r++) {
    const share = labels[r] ? 1 / yes : -1 / (codes.rows - yes);
    for (let e = codes.rowPtr[r]; e < codes.rowPtr[r + 1]; e++) difference[codes.index[e]] += share * codes.value[e];
  }
  const best = difference.indexOf(Math.max(0, ...difference));
  return best === -1 || difference[best] === 0 ? [] : [best];
}

function f1Of(logits: Float64Array, labels: Uint8Array): number {
  let [hits, told, having] = [0, 0, 0];
  logits.forEach((logit, r) => {
    if (labels[r]) having++;
    if (logit <= 0) return;
    told++;
    if (labels[r]) hits++;
  });
  return hits === 0 ? 0 : (2 * hits) / (told + having);
}
