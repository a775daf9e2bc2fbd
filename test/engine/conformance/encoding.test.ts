import { expect, it } from 'vitest';
import { Random } from '../../../src/core/random.ts';
import type { LatentSet, Tensor } from '../../../src/engine/device.ts';
import { onEveryDevice, type Bench } from '../devices.ts';
import * as oracle from '../oracle.ts';
import type { Matrix } from '../oracle.ts';

const FLOOR = 0.25;
const FILL = 2 ** 32 - 1;
/** No bias, one for all rows, or one row each. */
function drawBias(random: Random, rows: number, width: number): readonly number[] | Matrix | null {
  const kind = random.below(3);
  if (kind === 0) return null;
  return kind === 1 ? oracle.exactVector(random, width) : oracle.exactMatrix(random, rows, width);
}

const isMatrix = (bias: readonly number[] | Matrix): bias is Matrix => Array.isArray(bias[0]);

function putBias(bench: Bench, bias: readonly number[] | Matrix | null): Tensor | null {
  if (bias === null) return null;
  return isMatrix(bias) ? bench.matrix(bias) : bench.vector(bias);
}

function scoresOf(x: Matrix, W: Matrix, bias: readonly number[] | Matrix | null): Matrix {
  if (bias === null || !isMatrix(bias)) return oracle.scores(x, W, bias);
  return oracle.add(oracle.scores(x, W, null), bias);
}

const all = (width: number): number[] => Array.from({ length: width }, (_, i) => i);

function putSet(bench: Bench, latents: readonly number[], width: number): LatentSet {
  const list = bench.out('u32', width);
  bench.device.write(list, latents);
  return { list, count: bench.put('u32', [latents.length]) };
}

/** k-th and next score are told apart by more than rounding, or not at all. */
function isClear(score: readonly number[], k: number): boolean {
  const sorted = score.toSorted((a, b) => b - a);
  const gap = k < sorted.length ? sorted[k - 1] - sorted[k] : 1;
  return (gap === 0 || gap > 1e-4) && score.every((value) => Math.abs(value - FLOOR) > 1e-4);
}

onEveryDevice((bench) => {
  it('takes the k largest scores; ties go to the lowest latent, gaps are filled from latent 0', () =>
    oracle.forShapes(async ({ rows, width, d, k }, random) => {
      bench.begin();
      const [x, W] = [oracle.exactMatrix(random, rows, d), oracle.exactMatrix(random, width, d)];
      const bias = drawBias(random, rows, width);
      const codes = bench.device.scratchCodes(rows, width, k);
      bench.kernels.encodeTop(codes, bench.matrix(x), bench.matrix(W), putBias(bench, bias), FLOOR);
      const z = scoresOf(x, W, bias);
      await bench.expectCodes(
        codes,
        z.map((row) => oracle.topOf(row, all(width), k, FLOOR)),
      );
    }, 60));

  it('scores equal latents equally, wherever they stand', () =>
    oracle.forShapes(async ({ rows, width, d }, random) => {
      bench.begin();
      // Latents in random places, all but one of them twice; k odd, so that a pair is often torn apart.
      const [size, k] = [2 * width + 1, 2 * random.below(width) + 1];
      const half = oracle.normalMatrix(random, width, d);
      const latents = [...half, ...half, oracle.normalVector(random, d)];
      const W = Array.from({ length: size }, () => latents.splice(random.below(latents.length), 1)[0]);
      const x = oracle.normalMatrix(random, rows, d);
      const codes = bench.device.scratchCodes(rows, size, k);
      bench.kernels.encodeTop(codes, bench.matrix(x), bench.matrix(W), null, FLOOR);
      const index = await bench.read(codes.index, 'u32');
      oracle.scores(x, W, null).forEach((score, r) => {
        if (!isClear(score, k)) return;
        const expected = oracle.topOf(score, all(size), k, FLOOR).map(({ latent }) => latent);
        expect([...index.subarray(r * k, r * k + k)]).toEqual(expected);
      });
    }, 60));

  it('rows without any positive score are fills only', async () => {
    bench.begin();
    const codes = bench.device.scratchCodes(2, 5, 3);
    const [x, W] = [bench.matrix([[1], [2]]), bench.matrix([[-1], [-1], [0], [0.125], [-1]])];
    bench.kernels.encodeTop(codes, x, W, null, 0.5);
    const fills = [0, 1, 2].map((latent) => ({ latent, value: 0 }));
    await bench.expectCodes(codes, [fills, fills]);
  });

  it('survives scores that are not finite', async () => {
    bench.begin();
    const codes = bench.device.scratchCodes(4, 4, 2);
    const x = bench.matrix([[1], [Infinity], [NaN], [1]]);
    bench.kernels.encodeTop(codes, x, bench.matrix([[1], [2], [3], [-1]]), null, FLOOR);
    const value = await bench.read(codes.value, 'f32');
    expect([...value]).toEqual([2, 3, Infinity, Infinity, 0, 0, 2, 3]);
  });

  it('scores only the latents of a set: empty, small, large', () =>
    oracle.forShapes(async ({ rows, width, d, k }, random) => {
      bench.begin();
      const size = [0, 1, width, random.below(width + 1)][random.below(4)];
      const latents = oracle.pick(random, width, size);
      const [x, W] = [oracle.exactMatrix(random, rows, d), oracle.exactMatrix(random, width, d)];
      const bias = drawBias(random, rows, width);
      const inputs = [bench.matrix(x), bench.matrix(W), putBias(bench, bias)] as const;
      const set = putSet(bench, latents, width);
      const codes = bench.device.scratchCodes(rows, width);
      bench.kernels.encodeTopAmong(codes, ...inputs, FLOOR, k, set);
      const top = Math.min(k, size);
      await bench.expectCodes(
        codes,
        scoresOf(x, W, bias).map((row) => oracle.topOf(row, latents, top, FLOOR)),
      );
    }, 60));

  it('takes every score ≥ floor', () =>
    oracle.forShapes(async ({ rows, width, d }, random) => {
      bench.begin();
      const [x, W] = [oracle.exactMatrix(random, rows, d), oracle.exactMatrix(random, width, d)];
      const bias = drawBias(random, rows, width);
      const z = scoresOf(x, W, bias);
      const codes = bench.device.scratchCodes(rows, width);
      bench.kernels.encodeAtLeast(codes, bench.matrix(x), bench.matrix(W), putBias(bench, bias), FLOOR);
      await bench.expectCodes(
        codes,
        z.map((row) => row.flatMap((value, latent) => (value >= FLOOR ? [{ latent, value }] : []))),
      );
    }, 60));

  it('adds a row of biases each over several tiles of latents', async () => {
    bench.begin();
    const random = new Random(8);
    const [rows, width, d, k] = [261, 1601, 3, 5];
    const [x, W] = [oracle.exactMatrix(random, rows, d), oracle.exactMatrix(random, width, d)];
    const bias = oracle.exactMatrix(random, rows, width);
    const some = oracle.pick(random, width, 900);
    const inputs = [bench.matrix(x), bench.matrix(W), bench.matrix(bias)] as const;
    const set = putSet(bench, some, width);
    const [top, among] = [bench.device.scratchCodes(rows, width, k), bench.device.scratchCodes(rows, width)];
    bench.kernels.encodeTop(top, ...inputs, FLOOR);
    bench.kernels.encodeTopAmong(among, ...inputs, FLOOR, k, set);
    const z = scoresOf(x, W, bias);
    await bench.expectCodes(
      top,
      z.map((row) => oracle.topOf(row, all(width), k, FLOOR)),
    );
    await bench.expectCodes(
      among,
      z.map((row) => oracle.topOf(row, some, k, FLOOR)),
    );
  });

  it.each([
    ['nothing', -1],
    ['everything', 1],
  ])('a threshold may let through %s', async (_, sign) => {
    bench.begin();
    const [rows, width] = [515, 37];
    const x: Matrix = Array.from({ length: rows }, () => [1]);
    const W: Matrix = Array.from({ length: width }, (_, j) => [sign * (j + 1)]);
    const codes = bench.device.scratchCodes(rows, width);
    bench.kernels.encodeAtLeast(codes, bench.matrix(x), bench.matrix(W), null, FLOOR);
    const row = sign < 0 ? [] : W.map(([value], latent) => ({ latent, value }));
    await bench.expectCodes(
      codes,
      x.map(() => row),
    );
  });

  it('chooses the k largest entries of codes', () =>
    oracle.forShapes(async ({ rows, width, k }, random) => {
      bench.begin();
      const entries = oracle.randomRows(random, rows, width, width);
      // Coarse values: ties.
      for (const entry of entries.flat()) entry.value = (1 + random.below(6)) / 2;
      const codes = bench.openCodes(entries, width);
      const top = bench.device.scratchCodes(rows, width, k);
      const position = bench.device.scratch('u32', rows * k);
      bench.kernels.topOfCodes(top, position, codes);
      const dense = oracle.spread(
        entries,
        entries.flat().map(({ value }) => value),
        width,
      );
      const expected = dense.map((row) => oracle.topOf(row, all(width), k, 1e-6));
      await bench.expectCodes(top, expected);
      const places = entries.flatMap((row, r) => row.map(({ latent }) => `${r} ${latent}`));
      const positions = expected.flatMap((row, r) =>
        row.map(({ latent, value }) => (value === 0 ? FILL : places.indexOf(`${r} ${latent}`))),
      );
      expect([...(await bench.read(position, 'u32'))]).toEqual(positions);
    }));
});
