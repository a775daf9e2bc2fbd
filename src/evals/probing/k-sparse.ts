/**
 * k-sparse probing (Gurnee et al. 2023, as SAEBench does it): the k latents whose mean differs most between two classes on the
 * training rows, and a logistic regression on these alone.
 */
import type { Codes } from '../../core/codes.ts';
import { fitProbe, probeLogits, type ProbeFit } from '../linear-probe.ts';

/** Rows of a matrix or of codes, and the class of each: 0 or 1. */
export interface Examples {
  readonly rows: Int32Array;
  readonly labels: Uint8Array;
}

/** Balanced or not, both classes occur in both parts. */
export interface Split {
  readonly train: Examples;
  readonly test: Examples;
}

export interface SparseProbe {
  /** Ascending. */
  readonly latents: Int32Array;
  readonly probe: ProbeFit;
}

/** `[width]` |mean code of class 1 − mean code of class 0|. */
export function meanDifferences(codes: Codes, { rows, labels }: Examples): Float64Array {
  const positives = labels.reduce((sum, label) => sum + label, 0);
  const share = [-1 / (labels.length - positives), 1 / positives];
  const difference = new Float64Array(codes.width);
  rows.forEach((row, i) => {
    const weight = share[labels[i]];
    for (let e = codes.rowPtr[row]; e < codes.rowPtr[row + 1]; e++)
      difference[codes.index[e]] += weight * codes.value[e];
  });
  return difference.map(Math.abs);
}

/** The `k` latents of a range with the largest differences, largest first; ties go to the lower latent. */
export function strongest(
  differences: Float64Array,
  k: number,
  { from, to } = { from: 0, to: differences.length },
): number[] {
  const best: number[] = [];
  for (let latent = from; latent < to; latent++) {
    let at = best.length;
    while (at > 0 && differences[latent] > differences[best[at - 1]]) at--;
    if (at < k) best.splice(at, 0, latent);
    if (best.length > k) best.pop();
  }
  return best;
}

/** A probe with L2 penalty, C = 1, on some latents; it does not depend on their order. */
export function fitSparseProbe(codes: Codes, chosen: readonly number[], { rows, labels }: Examples): SparseProbe {
  const latents = Int32Array.from(chosen).sort();
  return { latents, probe: fitProbe(columns(codes, latents, rows), latents.length, labels) };
}

/** `[examples]` 1 where the sign of the logit is that of the label. */
export function hits({ latents, probe }: SparseProbe, codes: Codes, { rows, labels }: Examples): Uint8Array {
  return rightOf(probeLogits(probe, columns(codes, latents, rows)), labels);
}

export function rightOf(logits: Float64Array, labels: Uint8Array): Uint8Array {
  return labels.map((label, i) => (logits[i] > 0 === (label === 1) ? 1 : 0));
}

/** `[rows, latents]` */
function columns(codes: Codes, latents: Int32Array, rows: Int32Array): Float32Array {
  const columnOf = new Int32Array(codes.width).fill(-1);
  latents.forEach((latent, column) => (columnOf[latent] = column));
  const dense = new Float32Array(rows.length * latents.length);
  rows.forEach((row, i) => {
    for (let e = codes.rowPtr[row]; e < codes.rowPtr[row + 1]; e++) {
      const column = columnOf[codes.index[e]];
      if (column >= 0) dense[i * latents.length + column] = codes.value[e];
    }
  });
  return dense;
}
