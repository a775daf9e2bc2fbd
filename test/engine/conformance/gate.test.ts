import { expect, it } from 'vitest';
import type { Random } from '../../../src/core/random.ts';
import type { Codes } from '../../../src/engine/device.ts';
import type { Children } from '../../../src/engine/kernels.ts';
import { Tape } from '../../../src/engine/tape.ts';
import { onEveryDevice, type Bench } from '../devices.ts';
import * as oracle from '../oracle.ts';
import type { Entry, Rows } from '../oracle.ts';

const FLOOR = 0.25;
const ABOVE = 0.5;

/** Every latent's children: any latents, in ascending order. */
function randomFamilies(random: Random, parents: number, width: number): number[][] {
  const families: number[][] = Array.from({ length: parents }, () => []);
  for (let child = 0; child < width; child++) {
    // Every other time the child goes to the first parent: a large family.
    if (random.below(5) > 0) families[random.below(2) ? 0 : random.below(parents)].push(child);
  }
  return families;
}

function putFamilies(bench: Bench, families: readonly number[][]): Children {
  const starts = families.map((_, p) => families.slice(0, p + 1).flat().length);
  return {
    childPtr: bench.put('u32', [0, ...starts]),
    children: bench.put('u32', [...families.flat(), 0]),
  };
}

/** Codes of open size with any latents in any order: what scoreChildren leaves behind. */
/** Codes of open size with any latents in any order, as scoreChildren leaves them: every entry is the child of a parent of its own. */
async function candidates(bench: Bench, rows: Rows, width: number): Promise<Codes> {
  const entries = rows.flatMap((row, r) => row.map((entry) => ({ ...entry, r })));
  const W = Array.from({ length: width }, () => rows.map(() => 0));
  for (const { latent, value, r } of entries) W[latent][r] = value;
  const x = bench.matrix(rows.map((_, r) => rows.map((_unused, i) => Number(r === i))));
  const families = putFamilies(bench, [...entries.map(({ latent }) => [latent]), []]);
  const weights = bench.matrix(W);
  let next = 0;
  const parents = bench.openCodes(
    rows.map((row) => row.map(() => ({ latent: next++, value: 1 }))),
    entries.length + 1,
  );
  const out = bench.device.scratchCodes(rows.length, width);
  const index = new Tape(bench.device).latentIndex(parents);
  bench.kernels.scoreChildren(out, parents, index, families, x, weights, null, 0);
  await bench.device.flush();
  return out;
}

onEveryDevice((bench) => {
  it('scores the children of active entries, in the order of entries and children', () =>
    oracle.forShapes(async ({ rows, width, d, k }, random) => {
      bench.begin();
      const [x, W] = [oracle.exactMatrix(random, rows, d), oracle.exactMatrix(random, width, d)];
      const bias = random.below(2) ? oracle.exactVector(random, width) : null;
      const entries = oracle.fullRows(random, rows, width, k);
      const families = randomFamilies(random, width, width);
      const codes = bench.fixedCodes(entries, width);
      const out = bench.device.scratchCodes(rows, width);
      const inputs = [
        putFamilies(bench, families),
        bench.matrix(x),
        bench.matrix(W),
        bias && bench.vector(bias),
      ] as const;
      const index = new Tape(bench.device).latentIndex(codes);
      bench.kernels.scoreChildren(out, codes, index, ...inputs, ABOVE);
      const z = oracle.scores(x, W, bias);
      await bench.expectCodes(
        out,
        entries.map((row, r) =>
          row
            .filter(({ value }) => value > ABOVE)
            .flatMap(({ latent }) => families[latent].map((child) => ({ latent: child, value: z[r][child] }))),
        ),
      );
    }, 60));

  it('equal children score equally, whatever stands beside them', () =>
    oracle.forShapes(async ({ rows, width, d }, random) => {
      bench.begin();
      const row = oracle.normalVector(random, d);
      const entries = Array.from({ length: rows }, () => [{ latent: 0, value: 1 }]);
      const codes = bench.fixedCodes(entries, 2);
      const x = oracle.normalVector(random, d);
      const out = bench.device.scratchCodes(rows, width);
      const families = putFamilies(bench, [Array.from({ length: width }, (_, i) => i), []]);
      const [inputs, W] = [bench.matrix(entries.map(() => x)), bench.matrix(Array.from({ length: width }, () => row))];
      bench.kernels.scoreChildren(out, codes, new Tape(bench.device).latentIndex(codes), families, inputs, W, null, 0);
      const value = await bench.read(out.value, 'f32');
      expect(value).toHaveLength(rows * width);
      expect(new Set(value).size).toBe(1);
    }));

  it('joins the best of two lists behind the entries before, filled from the first latent of the range', () =>
    oracle.forShapes(async ({ rows: most, width, k }, random) => {
      bench.begin();
      const rows = Math.min(most, 40);
      const [from, kBefore] = [3, random.below(3)];
      const before = kBefore > 0 ? oracle.fullRows(random, rows, from, kBefore) : null;
      const shifted = (row: Entry[]): Entry[] => row.map(({ latent, value }) => ({ latent: latent + from, value }));
      // Coarse values: ties, values below the floor, and negative ones.
      const all = oracle.randomRows(random, rows, width, width).map(shifted);
      for (const entry of all.flat()) entry.value = (random.below(8) - 2) / 8;
      const [first, second] = [0, 1].map((half) => all.map((row) => row.filter((_, i) => i % 2 === half)));
      for (const row of first) row.sort(() => random.below(3) - 1);
      const lists = [
        await candidates(bench, first, from + width),
        random.below(4) ? await candidates(bench, second, from + width) : null,
      ] as const;
      const counter = oracle.exactVector(random, from + width);
      const masked = random.below(2) === 0;
      const out = bench.device.scratchCodes(rows, from + width, kBefore + k);
      const range = { from, to: from + width };
      const [start, only] = [
        before && bench.fixedCodes(before, from),
        { counter: bench.vector(counter), threshold: 0.25 },
      ];
      bench.kernels.joinTop(out, start, lists, range, FLOOR, masked ? only : undefined);
      const expected = first.map((row, r) => {
        const score = Array.from({ length: from + width }, () => -1);
        const open = [...row, ...(lists[1] ? second[r] : [])].filter(
          ({ latent }) => !masked || counter[latent] >= 0.25,
        );
        for (const { latent, value } of open) score[latent] = value;
        const latents = Array.from({ length: width }, (_, i) => from + i);
        return [...(before ? before[r] : []), ...oracle.topOf(score, latents, k, FLOOR)];
      });
      await bench.expectCodes(out, expected);
    }, 60));

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
