import { expect, it } from 'vitest';
import { Random } from '../../../src/core/random.ts';
import type { Children } from '../../../src/engine/kernels.ts';
import { onEveryDevice, type Bench } from '../devices.ts';
import * as oracle from '../oracle.ts';

const FLOOR = 0.25;
const ABOVE = 0.5;

interface GateShape {
  rows: number;
  parents: number;
  kParents: number;
  /** Latents behind the parents. */
  width: number;
  d: number;
  k: number;
}

/** The children of each of n parents, [n, n + width): half of them go to the first; and the latents without parents. */
function randomFamilies(random: Random, n: number, width: number): { families: number[][]; orphans: number[] } {
  const families: number[][] = Array.from({ length: n }, () => []);
  const orphans: number[] = [];
  for (let child = n; child < n + width; child++) {
    if (random.below(5) === 0) orphans.push(child);
    else families[random.below(2) ? 0 : random.below(n)].push(child);
  }
  return { families, orphans };
}

function putFamilies(bench: Bench, families: readonly number[][]): Children {
  let sum = 0;
  const childPtr = [0, ...families.map((family) => (sum += family.length))];
  return { childPtr: bench.put('u32', childPtr), children: bench.put('u32', [...families.flat(), 0]) };
}

/** Compares with scoring everything; numbers are coarse, so there are ties, scores below the floor, and negative ones. */
async function check(bench: Bench, { rows, parents, kParents, width, d, k }: GateShape, random: Random): Promise<void> {
  bench.begin();
  const range = { from: parents, to: parents + width };
  const [x, W] = [oracle.exactMatrix(random, rows, d), oracle.exactMatrix(random, range.to, d)];
  const bias = random.below(2) ? oracle.exactVector(random, range.to) : null;
  const entries = oracle.fullRows(random, rows, parents, kParents);
  const { families, orphans } = randomFamilies(random, parents, width);
  const roots = random.below(3)
    ? oracle
        .randomRows(random, rows, orphans.length, Math.min(3, orphans.length))
        .map((row) => row.map(({ latent, value }) => ({ latent: orphans[latent], value })))
    : null;
  const only = random.below(2) ? oracle.exactVector(random, range.to) : null;
  const codes = bench.fixedCodes(entries, parents);
  const before = random.below(3) ? codes : null;
  const inputs = [putFamilies(bench, families), bench.matrix(x), bench.matrix(W), bias && bench.vector(bias)] as const;
  const mask = only && { only: { counter: bench.vector(only), threshold: -0.25 } };
  const gate = { above: ABOVE, floor: FLOOR, range, roots: roots && bench.openCodes(roots, range.to), ...mask };
  const out = bench.device.scratchCodes(rows, range.to, (before ? kParents : 0) + k);
  bench.kernels.topChildren(out, before, codes, ...inputs, gate);
  const latents = Array.from({ length: width }, (_, i) => parents + i);
  const expected = entries.map((row, r) => {
    const score = Array.from({ length: range.to }, () => -1);
    for (const { latent, value } of row) {
      if (!(value > ABOVE)) continue;
      for (const child of families[latent]) {
        if (!only || only[child] >= -0.25) score[child] = oracle.dot(x[r], W[child]) + (bias ? bias[child] : 0);
      }
    }
    for (const { latent, value } of roots?.[r] ?? []) score[latent] = value;
    return [...(before ? row : []), ...oracle.topOf(score, latents, k, FLOOR)];
  });
  await bench.expectCodes(out, expected);
}

onEveryDevice((bench) => {
  it('keeps the best children of active parents and roots behind what was before, filled from the first of the range', () =>
    oracle.forShapes(async ({ rows, width, d, k }, random) => {
      const parents = 1 + random.below(12);
      await check(bench, { rows, parents, kParents: 1 + random.below(parents), width, d, k }, random);
    }, 60));

  // More rows than a tile of the CPU device; families larger than what it scores and reads together; many parents.
  it.each([
    { rows: 2100, parents: 4, kParents: 2, width: 6, d: 3, k: 2 },
    { rows: 7, parents: 3, kParents: 2, width: 3000, d: 67, k: 5 },
    { rows: 7, parents: 3, kParents: 2, width: 1500, d: 8, k: 300 },
    { rows: 60, parents: 5000, kParents: 3, width: 9000, d: 5, k: 4 },
  ])('$rows rows, $parents parents, $width latents', async (shape) => {
    for (let seed = 0; seed < 2; seed++) await check(bench, shape, new Random(seed, 'gate'));
  });

  it('equal children score equally, whatever stands beside them', () =>
    oracle.forShapes(async ({ rows, width, d }, random) => {
      bench.begin();
      const vector = oracle.normalVector(random, d);
      const entries = Array.from({ length: rows }, () => [{ latent: 0, value: 1 }]);
      const x = bench.matrix(entries.map(() => vector));
      const W = bench.matrix(Array.from({ length: width }, () => vector));
      const families = putFamilies(bench, [Array.from({ length: width }, (_, i) => i), []]);
      const out = bench.device.scratchCodes(rows, width, width);
      const gate = { above: 0, floor: 1e-30, range: { from: 0, to: width }, roots: null };
      bench.kernels.topChildren(out, null, bench.fixedCodes(entries, 2), families, x, W, null, gate);
      const value = await bench.read(out.value, 'f32');
      expect(value).toHaveLength(rows * width);
      expect(new Set(value).size).toBe(1);
    }));

  it('keeps the latents of a set whose counter is high enough', () =>
    oracle.forShapes(async ({ width, k }, random) => {
      bench.begin();
      const among = oracle.pick(random, width, random.below(k + 1));
      const counter = oracle.exactVector(random, width);
      const set = { list: bench.out('u32', width), count: bench.out('u32', 1) };
      const given = { list: bench.put('u32', [...among, 0]), count: bench.put('u32', [among.length]) };
      bench.kernels.keepAtLeast(set, given, bench.vector(counter), 0.25);
      const kept = among.filter((latent) => counter[latent] >= 0.25);
      expect([...(await bench.read(set.count, 'u32'))]).toEqual([kept.length]);
      expect([...(await bench.read(set.list, 'u32')).subarray(0, kept.length)]).toEqual(kept);
    }));
});
