/** Naive dense answers in float64, and random inputs: everything is a matrix of numbers, absent entries are zeros. */
import * as fc from 'fast-check';
import { Random } from '../../src/core/random.ts';

export type Matrix = number[][];

export interface Entry {
  latent: number;
  value: number;
}

/** Entries of each row in ascending order of latents. */
export type Rows = Entry[][];

export interface Shape {
  rows: number;
  width: number;
  d: number;
  k: number;
  block: number;
}

const shapes = fc
  .record({
    // More than 256 rows make several blocks of the CPU device.
    rows: fc.oneof(
      { weight: 8, arbitrary: fc.integer({ min: 1, max: 9 }) },
      { weight: 1, arbitrary: fc.constant(259) },
    ),
    width: fc.integer({ min: 1, max: 40 }),
    d: fc.integer({ min: 1, max: 37 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    block: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ share, ...shape }): Shape => ({ ...shape, k: Math.max(1, Math.round(share * shape.width)) }));

const EDGES: Shape[] = [
  { rows: 1, width: 1, d: 1, k: 1, block: 1 },
  { rows: 1, width: 33, d: 16, k: 33, block: 2 },
  { rows: 515, width: 19, d: 18, k: 4, block: 1 },
  { rows: 256, width: 16, d: 4, k: 16, block: 3 },
  { rows: 3, width: 70, d: 67, k: 7, block: 1 },
];

/** Runs `body` on the edge cases and on random shapes, the same ones every time. */
export async function forShapes(body: (shape: Shape, random: Random) => Promise<void>, runs = 25): Promise<void> {
  const property = fc.asyncProperty(shapes, fc.nat(), (shape, seed) => body(shape, new Random(seed)));
  await fc.assert(property, { numRuns: runs + EDGES.length, seed: 3, examples: EDGES.map((shape, i) => [shape, i]) });
}

/** Normal numbers that are exact in float32. */
export function normalVector(random: Random, length: number): number[] {
  return Array.from({ length }, () => Math.fround(random.normal()));
}

export function normalMatrix(random: Random, rows: number, cols: number): Matrix {
  return Array.from({ length: rows }, () => normalVector(random, cols));
}

/** Quarters between −1 and 1: their products and sums are exact, so ties are exact too and near-ties do not exist. */
export function exactVector(random: Random, length: number): number[] {
  return Array.from({ length }, () => (random.below(9) - 4) / 4);
}

export function exactMatrix(random: Random, rows: number, cols: number): Matrix {
  return Array.from({ length: rows }, () => exactVector(random, cols));
}

/** Rows with 0 … `most` entries; every fifth row or so is empty. Values are positive. */
export function randomRows(random: Random, rows: number, width: number, most: number): Rows {
  return Array.from({ length: rows }, () =>
    pick(random, width, random.below(5) === 0 ? 0 : random.below(most + 1)).map((latent) => ({
      latent,
      value: Math.fround(0.01 + Math.abs(random.normal())),
    })),
  );
}

/** Rows with k entries each, some of them with value 0. */
export function fullRows(random: Random, rows: number, width: number, k: number): Rows {
  return Array.from({ length: rows }, () =>
    pick(random, width, k).map((latent) => ({
      latent,
      value: random.below(4) === 0 ? 0 : Math.fround(0.01 + Math.abs(random.normal())),
    })),
  );
}

/** `count` different numbers below n, ascending. */
export function pick(random: Random, n: number, count: number): number[] {
  const rest = Array.from({ length: n }, (_, i) => i);
  const chosen = Array.from({ length: count }, () => rest.splice(random.below(rest.length), 1)[0]);
  return chosen.toSorted((a, b) => a - b);
}

/** a · b */
export function multiply(a: Matrix, b: Matrix): Matrix {
  return a.map((row) => b[0].map((_, j) => row.reduce((sum, value, p) => sum + value * b[p][j], 0)));
}

export function transpose(a: Matrix): Matrix {
  return a[0].map((_, j) => a.map((row) => row[j]));
}

/** a + scale · b */
export function add(a: Matrix, b: Matrix, scale = 1): Matrix {
  return a.map((row, r) => row.map((value, i) => value + scale * b[r][i]));
}

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

export const dot = (a: readonly number[], b: readonly number[]): number => sum(a.map((value, i) => value * b[i]));

/** Scores x Wᵀ (+ bias), [rows, width]. */
export function scores(x: Matrix, W: Matrix, bias: readonly number[] | null): Matrix {
  return multiply(x, transpose(W)).map((row) => row.map((value, j) => value + (bias ? bias[j] : 0)));
}

/** Entries of values `[entries · block]` as a dense matrix [rows, width · block]. */
export function spread(rows: Rows, values: readonly number[], width: number, block = 1): Matrix {
  let next = 0;
  return rows.map((row) => {
    const dense: number[] = Array.from({ length: width * block }, () => 0);
    for (const { latent } of row) for (let b = 0; b < block; b++) dense[latent * block + b] = values[next++];
    return dense;
  });
}

/** What stands in a dense matrix [rows, width · block] at the entries. */
export function gather(rows: Rows, dense: Matrix, block = 1): number[] {
  return rows.flatMap((row, r) =>
    row.flatMap(({ latent }) => Array.from({ length: block }, (_, b) => dense[r][latent * block + b])),
  );
}

/** The k first of the latents with score ≥ floor in falling order of scores, filled up with zeros, ascending. */
export function topOf(score: readonly number[], latents: readonly number[], k: number, floor: number): Entry[] {
  const entries = new Map<number, number>();
  const best = latents.filter((latent) => score[latent] >= floor).toSorted((a, b) => score[b] - score[a] || a - b);
  for (const latent of best.slice(0, k)) entries.set(latent, score[latent]);
  for (const latent of latents) if (entries.size < k && !entries.has(latent)) entries.set(latent, 0);
  return [...entries].map(([latent, value]) => ({ latent, value })).toSorted((a, b) => a.latent - b.latent);
}
