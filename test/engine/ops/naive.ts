/** The ops as plain float64 sums over selections. Matrices are flat and row-major. */
import type { Leaf, Selection } from './gradients.ts';

type Vector = Float64Array;

export interface Entry {
  latent: number;
  value: number;
}

export const row = (matrix: Vector, r: number, d: number): Vector => matrix.subarray(r * d, r * d + d);

export function dot(a: Vector, b: Vector): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** Values of the selected latents: W (x − center) + bias where active, else 0. */
export function encode(x: Leaf, W: Leaf, bias: Leaf | null, center: Leaf | null, selection: Selection): Entry[][] {
  const d = x.shape[1];
  return selection.map((entries, r) => {
    const input = row(x.values, r, d).map((value, i) => value - (center ? center.values[i] : 0));
    return entries.map(({ latent, active }) => ({
      latent,
      value: active ? dot(row(W.values, latent, d), input) + (bias ? bias.values[latent] : 0) : 0,
    }));
  });
}

/** base + Σ value · W[latent]; the base is one row, a matrix or null. */
export function decode(codes: readonly Entry[][], W: Leaf, base: Leaf | null): Vector[] {
  const d = W.shape.at(-1)!;
  return codes.map((entries, r) => {
    const out = new Float64Array(d);
    if (base) out.set(base.shape.length === 1 ? base.values : row(base.values, r, d));
    for (const { latent, value } of entries) for (let i = 0; i < d; i++) out[i] += value * W.values[latent * d + i];
    return out;
  });
}

/** Σ ‖a_b − b_b‖² / B */
export function squaredError(a: readonly Vector[], b: Leaf): number {
  let sum = 0;
  a.forEach((vector, r) => vector.forEach((value, i) => (sum += (value - b.values[r * vector.length + i]) ** 2)));
  return sum / a.length;
}

/** Σ |value| / B */
export function absoluteSum(codes: readonly Entry[][]): number {
  return codes.flat().reduce((sum, { value }) => sum + Math.abs(value), 0) / codes.length;
}
