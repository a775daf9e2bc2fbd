/**
 * Linear probe: logistic regression with an L2 penalty, in float64 and to convergence, so that it is a function of the
 * data alone. The objective is scikit-learn's, which published probing numbers are made with:
 *
 *   J(w, b) = ½‖w‖² + C Σᵢ cᵢ log(1 + exp(−yᵢ(w·xᵢ + b))),   yᵢ = ±1; the intercept b is not penalised.
 *
 * Minimised by L-BFGS (Nocedal & Wright, Numerical Optimization, 2nd ed., algorithms 7.4 and 7.5) with a line search for
 * the weak Wolfe conditions by bisection (Lewis & Overton 2013).
 */
import { InputError } from '../core/errors.ts';
import { LogisticRows } from './logistic-kernels.ts';

export interface LinearProbe {
  /** [d] */
  readonly weights: Float64Array;
  readonly intercept: number;
}

export interface ProbeFit extends LinearProbe {
  readonly iterations: number;
  /** False if `maxIterations` ended the search: the probe is usable but not yet a function of the data alone. */
  readonly converged: boolean;
}

export interface ProbeOptions {
  /** C, the inverse of the penalty's strength; 1. */
  readonly c?: number;
  /** 'balanced' gives both classes the same total weight n / 2; every row counts 1 by default. */
  readonly classWeight?: 'balanced';
  /** Largest component of the gradient at the end, relative to the sum of the rows' weights times C; 1e-7. */
  readonly tolerance?: number;
  /** 1000. */
  readonly maxIterations?: number;
}

/**
 * @param x [n, d] row by row
 * @param labels n numbers: 0 or 1
 * @throws InputError if a class has no example: then there is no finite optimum
 */
export function fitProbe(
  x: Float32Array | Float64Array,
  d: number,
  labels: Uint8Array,
  options: ProbeOptions = {},
): ProbeFit {
  const { c = 1, classWeight, tolerance = 1e-7, maxIterations = 1000 } = options;
  const n = labels.length;
  const positives = labels.reduce((sum, label) => sum + label, 0);
  if (positives === 0 || positives === n) {
    throw new InputError(`a probe needs examples of both classes: ${positives} of ${n} rows are positive`);
  }
  const [no, yes] = classWeight === 'balanced' ? [n / (2 * (n - positives)), n / (2 * positives)] : [1, 1];
  const rows = new LogisticRows(x, d);
  // The last entry of the point is the intercept of centred rows: as it is not penalised the optimum is the same, and it is
  // reached in fewer steps where activations have a large mean.
  const centre = rows.weightedSum(new Float64Array(n).fill(1 / n)).slice();
  const residual = new Float64Array(n);
  const objective = (point: Float64Array, gradient: Float64Array): number => {
    const logits = rows.logits(point, point[d] - dot(centre, point.subarray(0, d)));
    let value = 0;
    let residuals = 0;
    for (let i = 0; i < n; i++) {
      const weight = c * (labels[i] ? yes : no);
      // Of the class that the row does not belong to: log(1 + eᵗ) and its derivative 1/(1 + e⁻ᵗ), without overflow.
      const t = labels[i] ? -logits[i] : logits[i];
      const e = Math.exp(-Math.abs(t));
      value += weight * (Math.max(t, 0) + Math.log1p(e));
      const wrong = (t > 0 ? 1 : e) / (1 + e);
      residual[i] = weight * (labels[i] ? -wrong : wrong);
      residuals += residual[i];
    }
    const sum = rows.weightedSum(residual);
    for (let j = 0; j < d; j++) {
      value += 0.5 * point[j] * point[j];
      gradient[j] = point[j] + sum[j] - residuals * centre[j];
    }
    gradient[d] = residuals;
    return value;
  };
  const { point, iterations, converged } = minimise(objective, d + 1, tolerance * c * n, maxIterations);
  const weights = point.subarray(0, d);
  return { weights, intercept: point[d] - dot(centre, weights), iterations, converged };
}

/** w·xᵢ + b for every row: positive where the probe says yes. */
export function probeLogits({ weights, intercept }: LinearProbe, x: Float32Array | Float64Array): Float64Array {
  const d = weights.length;
  return Float64Array.from({ length: x.length / d }, (_, i) => dotRow(x, i * d, weights, d) + intercept);
}

/** Four sums at once: one alone waits for the previous addition at every step. */
function dotRow(x: Float32Array | Float64Array, start: number, w: Float64Array, d: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let e = 0;
  let j = 0;
  for (; j + 4 <= d; j += 4) {
    a += x[start + j] * w[j];
    b += x[start + j + 1] * w[j + 1];
    c += x[start + j + 2] * w[j + 2];
    e += x[start + j + 3] * w[j + 3];
  }
  for (; j < d; j++) a += x[start + j] * w[j];
  return a + b + (c + e);
}

function addRow(x: Float64Array, factor: number, to: Float64Array): void {
  for (let j = 0; j < to.length; j++) to[j] += factor * x[j];
}

/** Writes the gradient into its second argument and returns the value. */
type Objective = (point: Float64Array, gradient: Float64Array) => number;

/** Pairs of steps and gradient changes that stand for the Hessian. */
const MEMORY = 10;

interface Pair {
  readonly s: Float64Array;
  readonly y: Float64Array;
  /** 1 / (y·s) */
  readonly rho: number;
}

function minimise(
  objective: Objective,
  size: number,
  tolerance: number,
  maxIterations: number,
): { point: Float64Array; iterations: number; converged: boolean } {
  let point = new Float64Array(size);
  let gradient = new Float64Array(size);
  let value = objective(point, gradient);
  const pairs: Pair[] = [];
  for (let iteration = 0; iteration < maxIterations; iteration++) {
    if (largest(gradient) <= tolerance) return { point, iterations: iteration, converged: true };
    const direction = descent(gradient, pairs);
    const next = search(objective, point, value, gradient, direction, pairs.length > 0 ? 1 : 1 / norm(gradient));
    // No lower point in float64 along a direction of descent: the optimum, as far as rounding lets it be found.
    if (!next) return { point, iterations: iteration, converged: largest(gradient) <= 1e3 * tolerance };
    const s = next.point.map((to, j) => to - point[j]);
    const y = next.gradient.map((to, j) => to - gradient[j]);
    pairs.push({ s, y, rho: 1 / dot(y, s) });
    if (pairs.length > MEMORY) pairs.shift();
    ({ point, gradient, value } = next);
  }
  return { point, iterations: maxIterations, converged: false };
}

/** −H·gradient by the two-loop recursion, with H₀ = (s·y / y·y) I of the latest pair (equation 7.20). */
function descent(gradient: Float64Array, pairs: readonly Pair[]): Float64Array {
  const q = gradient.map((component) => -component);
  const alphas = new Float64Array(pairs.length);
  for (let i = pairs.length - 1; i >= 0; i--) {
    const { s, y, rho } = pairs[i];
    alphas[i] = rho * dot(s, q);
    addRow(y, -alphas[i], q);
  }
  const last = pairs.at(-1);
  if (last) {
    const scale = 1 / (last.rho * dot(last.y, last.y));
    for (let j = 0; j < q.length; j++) q[j] *= scale;
  }
  for (const [i, { s, y, rho }] of pairs.entries()) addRow(s, alphas[i] - rho * dot(y, q), q);
  return q;
}

interface Evaluated {
  readonly point: Float64Array<ArrayBuffer>;
  readonly gradient: Float64Array<ArrayBuffer>;
  readonly value: number;
}

/** A step along `direction` that lowers the value enough and flattens the slope enough; undefined if rounding forbids it. */
function search(
  objective: Objective,
  from: Float64Array,
  value: number,
  gradient: Float64Array,
  direction: Float64Array,
  first: number,
): Evaluated | undefined {
  const slope = dot(gradient, direction);
  let low = 0;
  let high = Infinity;
  for (let step = first, tries = 0; tries < 60; tries++) {
    const point = from.map((at, j) => at + step * direction[j]) as Float64Array<ArrayBuffer>;
    const reached: Evaluated = { point, gradient: new Float64Array(from.length), value: NaN };
    const there = objective(point, reached.gradient);
    if (!(there <= value + 1e-4 * step * slope)) high = step;
    else if (dot(reached.gradient, direction) < 0.9 * slope) low = step;
    else return { ...reached, value: there };
    step = high < Infinity ? (low + high) / 2 : 2 * low;
  }
  return undefined;
}

function dot(a: Float64Array, b: Float64Array): number {
  return dotRow(a, 0, b, b.length);
}

function norm(a: Float64Array): number {
  return Math.sqrt(dot(a, a));
}

function largest(a: Float64Array): number {
  return a.reduce((most, component) => Math.max(most, Math.abs(component)), 0);
}
