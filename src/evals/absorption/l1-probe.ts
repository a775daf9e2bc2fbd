/**
 * Logistic regression on sparse codes with an L1 penalty, as SAEBench ranks latents for a property:
 *
 *   J(w, b) = 1/n Σᵢ cᵢ log(1 + exp(−yᵢ(w·xᵢ + b))) + λ‖w‖₁,   cᵢ = negatives / positives for positives, else 1; λ = .01
 *
 * by proximal gradients with momentum (FISTA, Beck & Teboulle 2009) and restarts (O'Donoghue & Candès 2015). The released code takes 50
 * epochs of Adam towards the same minimum.
 */
import type { Codes } from '../../core/codes.ts';

const L1 = 0.01;
const ITERATIONS = 500;
/** Largest change of a weight, as a share of the largest weight, that ends the search. */
const TOLERANCE = 1e-5;

/**
 * @param codes of the training rows; @param labels `[rows]` 0 or 1, both occur
 * @returns `[width]` weights
 */
export function fitL1Probe(codes: Codes, labels: Uint8Array): Float64Array {
  const { rows, width } = codes;
  const positives = labels.reduce((sum, label) => sum + label, 0);
  const cost = Float64Array.from(labels, (label) => (label ? (rows - positives) / positives : 1) / rows);
  const step = 1 / curvature(codes, cost);
  // The last entry of a point is the intercept.
  let point = new Float64Array(width + 1);
  let ahead = point.slice();
  let momentum = 1;
  const gradient = new Float64Array(width + 1);
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    slope(codes, labels, cost, ahead, gradient);
    const next = ahead.map((value, j) => {
      const moved = value - step * gradient[j];
      if (j === width) return moved;
      return Math.sign(moved) * Math.max(0, Math.abs(moved) - step * L1);
    });
    let [along, change, largest] = [0, 0, 0];
    for (let j = 0; j <= width; j++) {
      along += (ahead[j] - next[j]) * (next[j] - point[j]);
      change = Math.max(change, Math.abs(next[j] - point[j]));
      largest = Math.max(largest, Math.abs(next[j]));
    }
    const faster = along > 0 ? 1 : (1 + Math.sqrt(1 + 4 * momentum * momentum)) / 2;
    const ratio = along > 0 ? 0 : (momentum - 1) / faster;
    for (let j = 0; j <= width; j++) ahead[j] = next[j] + ratio * (next[j] - point[j]);
    point = next;
    momentum = faster;
    if (change <= TOLERANCE * largest) break;
  }
  return point.subarray(0, width);
}

/** ∇ of the cross entropy. */
function slope(
  codes: Codes,
  labels: Uint8Array,
  cost: Float64Array,
  point: Float64Array,
  gradient: Float64Array,
): void {
  const { rows, width, rowPtr, index, value } = codes;
  gradient.fill(0);
  for (let r = 0; r < rows; r++) {
    let logit = point[width];
    for (let e = rowPtr[r]; e < rowPtr[r + 1]; e++) logit += value[e] * point[index[e]];
    const residual = cost[r] * (1 / (1 + Math.exp(-logit)) - labels[r]);
    for (let e = rowPtr[r]; e < rowPtr[r + 1]; e++) gradient[index[e]] += residual * value[e];
    gradient[width] += residual;
  }
}

/** An upper bound of the largest eigenvalue of ¼ Σ cᵢ xᵢxᵢᵀ, x with a 1 for the intercept: power iteration and some air. */
function curvature(codes: Codes, cost: Float64Array): number {
  const { rows, width, rowPtr, index, value } = codes;
  let vector = new Float64Array(width + 1).fill(1);
  let eigenvalue = 0;
  for (let iteration = 0; iteration < 30; iteration++) {
    const image = new Float64Array(width + 1);
    for (let r = 0; r < rows; r++) {
      let dot = vector[width];
      for (let e = rowPtr[r]; e < rowPtr[r + 1]; e++) dot += value[e] * vector[index[e]];
      dot *= cost[r] / 4;
      for (let e = rowPtr[r]; e < rowPtr[r + 1]; e++) image[index[e]] += dot * value[e];
      image[width] += dot;
    }
    eigenvalue = Math.sqrt(image.reduce((sum, entry) => sum + entry * entry, 0));
    vector = image.map((entry) => entry / eigenvalue);
  }
  return 1.2 * eigenvalue;
}
