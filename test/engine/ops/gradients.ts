/**
 * Checks gradients of a tape against central differences of a naive float64 loss. What an op selects is constant under
 * differentiation, so the naive loss gets the selection that the device made.
 */
import * as fc from 'fast-check';
import { expect } from 'vitest';
import { Random } from '../../../src/core/random.ts';
import { readCodes, type Codes, type Tensor } from '../../../src/engine/device.ts';
import { Tape, type Scalar } from '../../../src/engine/tape.ts';
import type { Bench } from '../devices.ts';

/** Values of a leaf, row-major. */
export interface Leaf {
  shape: readonly number[];
  values: Float64Array;
}

export type Leaves<Name extends string> = Record<Name, Leaf>;

/** Latents selected per row; `active` where their value is not 0. */
export type Selection = readonly { latent: number; active: boolean }[][];

export interface Program {
  losses: readonly { value: Scalar; weight: number }[];
  /** Selections that the naive loss has to repeat. */
  selections?: readonly Codes[];
}

export interface Shape {
  rows: number;
  width: number;
  d: number;
  k: number;
}

const shapes = fc
  .record({
    rows: fc.integer({ min: 1, max: 6 }),
    width: fc.integer({ min: 1, max: 14 }),
    d: fc.integer({ min: 1, max: 21 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ share, ...shape }): Shape => ({ ...shape, k: Math.max(1, Math.round(share * shape.width)) }));

const EDGES: Shape[] = [
  { rows: 1, width: 1, d: 1, k: 1 },
  { rows: 1, width: 9, d: 16, k: 9 },
  { rows: 5, width: 13, d: 17, k: 1 },
  { rows: 4, width: 5, d: 33, k: 5 },
];

/** Runs `body` on edge cases and random shapes, the same ones every time. */
export async function forShapes(body: (shape: Shape, random: Random) => Promise<void>, runs = 20): Promise<void> {
  const property = fc.asyncProperty(shapes, fc.nat(), (shape, seed) => body(shape, new Random(seed)));
  await fc.assert(property, { numRuns: runs + EDGES.length, seed: 5, examples: EDGES.map((shape, i) => [shape, i]) });
}

/** Normal numbers that are exact in float32. */
export function leaf(random: Random, ...shape: number[]): Leaf {
  const length = shape.reduce((product, n) => product * n, 1);
  return { shape, values: Float64Array.from({ length }, () => Math.fround(random.normal())) };
}

const STEP = 1e-5;
/** Coordinates that are differentiated per leaf. */
const PROBES = 40;
/** Error allowed per largest element of a gradient: float32 forward and backward. */
const RELATIVE = 3e-5;
const ABSOLUTE = 2e-6;

/**
 * @param program records the losses on the device; its leaves are watched
 * @param naive the total loss in float64
 */
export async function checkGradients<Name extends string>(
  bench: Bench,
  random: Random,
  leaves: Leaves<Name>,
  program: (tape: Tape, tensors: Record<Name, Tensor>) => Program,
  naive: (leaves: Leaves<Name>, selections: readonly Selection[]) => number,
): Promise<void> {
  const { device } = bench;
  const names = Object.keys(leaves) as Name[];
  const tape = new Tape(device);
  const tensors = {} as Record<Name, Tensor>;
  const gradients = {} as Record<Name, Tensor>;
  for (const name of names) {
    const { shape, values } = leaves[name];
    tensors[name] = bench.put('f32', values, ...shape);
    gradients[name] = bench.out('f32', ...shape);
    tape.watch(tensors[name], gradients[name]);
  }
  const { losses, selections = [] } = program(tape, tensors);
  tape.backward(losses);

  const selected = await Promise.all(selections.map(async (codes) => selectionOf(await readCodes(device, codes))));
  let total = 0;
  for (const { value, weight } of losses) total += weight * (await device.read(value))[0];
  const expected = naive(leaves, selected);
  expect(Math.abs(total - expected)).toBeLessThanOrEqual(RELATIVE * Math.abs(expected) + ABSOLUTE);

  for (const name of names) {
    const actual = await bench.read(gradients[name], 'f32');
    const { values } = leaves[name];
    const probes = values.length <= PROBES ? [...values.keys()] : sample(random, values.length);
    const differences = probes.map((i) => {
      const changed = values.slice();
      const at = (value: number): number => {
        changed[i] = value;
        return naive({ ...leaves, [name]: { ...leaves[name], values: changed } }, selected);
      };
      return (at(values[i] + STEP) - at(values[i] - STEP)) / (2 * STEP);
    });
    const allowed = RELATIVE * Math.max(...actual.map(Math.abs), ...differences.map(Math.abs)) + ABSOLUTE;
    for (const [p, i] of probes.entries()) {
      if (!(Math.abs(actual[i] - differences[p]) <= allowed))
        expect.fail(`gradient of ${name}[${i}]: ${actual[i]} instead of ${differences[p]} (± ${allowed})`);
    }
  }
}

function sample(random: Random, below: number): number[] {
  return Array.from({ length: PROBES }, () => random.below(below));
}

function selectionOf({ rows, rowPtr, index, value }: Awaited<ReturnType<typeof readCodes>>): Selection {
  return Array.from({ length: rows }, (_, r) =>
    Array.from({ length: rowPtr[r + 1] - rowPtr[r] }, (_unused, t) => ({
      latent: index[rowPtr[r] + t],
      active: value[rowPtr[r] + t] !== 0,
    })),
  );
}
