import { expect, it } from 'vitest';
import type { Random } from '../../../src/core/random.ts';
import type { Codes, LatentIndex, Tensor } from '../../../src/engine/device.ts';
import { onEveryDevice, type Bench } from '../devices.ts';
import * as oracle from '../oracle.ts';
import type { Rows, Shape } from '../oracle.ts';

interface Case {
  rows: Rows;
  values: number[];
  codes: Codes;
}

/** Codes of open size (with empty rows), or of fixed size (with entries 0). */
function drawCodes(bench: Bench, { rows, width, k }: Shape, random: Random): Case {
  const open = random.below(2) === 0;
  const drawn = open ? oracle.randomRows(random, rows, width, k) : oracle.fullRows(random, rows, width, k);
  const codes = open ? bench.openCodes(drawn, width) : bench.fixedCodes(drawn, width);
  return { rows: drawn, values: drawn.flat().map(({ value }) => value), codes };
}

/** One number per entry (and element of its block), put on the device before anything is recorded. */
function drawPerEntry(bench: Bench, { rows, k, block }: Shape, random: Random): { numbers: number[]; tensor: Tensor } {
  const numbers = oracle.normalVector(random, rows * k * block);
  return { numbers, tensor: bench.vector(numbers) };
}

function indexOf({ device, kernels }: Bench, codes: Codes): LatentIndex {
  const index = {
    latentPtr: device.scratch('u32', codes.width + 1),
    entryOf: device.scratchLike(codes, 'u32'),
    rowOf: device.scratchLike(codes, 'u32'),
  };
  kernels.indexLatents(index, codes);
  return index;
}

onEveryDevice((bench) => {
  it('decode: codes · W + base', () =>
    oracle.forShapes(async (shape, random) => {
      bench.begin();
      const { width, d, block, rows: count } = shape;
      const W = oracle.normalMatrix(random, width * block, d);
      const base = [null, oracle.normalMatrix(random, 1, d), oracle.normalMatrix(random, count, d)][random.below(3)];
      const oneRow = base?.length === 1;
      const start = base && (oneRow && random.below(2) ? bench.vector(base[0]) : bench.matrix(base));
      const baseRow = start?.shape.length === 1;
      const [weights, out, perEntry] = [
        bench.matrix(W),
        bench.out('f32', count, d),
        drawPerEntry(bench, shape, random),
      ];
      if (oneRow && !baseRow && count > 1) return;
      const { rows, codes } = drawCodes(bench, shape, random);
      bench.kernels.decode(out, codes, perEntry.tensor, weights, start, block);
      const decoded = oracle.multiply(oracle.spread(rows, perEntry.numbers, width, block), W);
      const shift = base ? rows.map((_, r) => base[oneRow ? 0 : r]) : rows.map(() => W[0].map(() => 0));
      await bench.expectClose(out, oracle.add(decoded, shift).flat());
    }, 40));

  it('gatheredDots: vectors · Wᵀ at the entries, 0 where the mask is', () =>
    oracle.forShapes(async (shape, random) => {
      bench.begin();
      const { width, d, block, rows: count, k } = shape;
      const [W, vectors] = [oracle.normalMatrix(random, width * block, d), oracle.normalMatrix(random, count, d)];
      const masked = random.below(2) === 1;
      const mask = Array.from({ length: count * k * block }, () => (random.below(3) === 0 ? 0 : random.normal()));
      const [open, before] = [bench.vector(mask), drawPerEntry(bench, shape, random)];
      const accumulate = random.below(2) === 1;
      const inputs = [bench.matrix(W), bench.matrix(vectors)] as const;
      const { rows, codes } = drawCodes(bench, shape, random);
      // Where nothing is accumulated, the place starts undefined.
      const out = accumulate ? before.tensor : bench.device.scratchLike(codes, 'f32', block);
      bench.kernels.gatheredDots(out, accumulate, codes, masked ? open : null, ...inputs, block);
      const dots = oracle.gather(rows, oracle.scores(vectors, W, null), block);
      const expected = dots.map((v, t) => (masked && mask[t] === 0 ? 0 : v) + (accumulate ? before.numbers[t] : 0));
      const result = await bench.device.read(out, 0, expected.length);
      await bench.expectClose(bench.vector([...result]), expected);
    }, 40));

  it('indexLatents: entries by latent, then by row', () =>
    oracle.forShapes(async (shape, random) => {
      bench.begin();
      const { rows, codes } = drawCodes(bench, shape, random);
      const index = indexOf(bench, codes);
      const entries = rows.flatMap((row, r) => row.map(({ latent }) => ({ latent, r })));
      const order = [...entries.keys()].toSorted((a, b) => entries[a].latent - entries[b].latent || a - b);
      expect([...(await bench.read(index.entryOf, 'u32'))]).toEqual(order);
      expect([...(await bench.read(index.rowOf, 'u32'))]).toEqual(order.map((e) => entries[e].r));
      const below = (latent: number): number => entries.filter((entry) => entry.latent < latent).length;
      const starts = Array.from({ length: shape.width + 1 }, (_, latent) => below(latent));
      expect([...(await bench.read(index.latentPtr, 'u32'))]).toEqual(starts);
    }));

  it('latentGradient: codesᵀ · source', () =>
    oracle.forShapes(async (shape, random) => {
      bench.begin();
      const { width, d, block, rows: count } = shape;
      const source = oracle.normalMatrix(random, count, d);
      const before = oracle.normalMatrix(random, width * block, d);
      const accumulate = random.below(2) === 1;
      const [out, perEntry] = [bench.matrix(before), drawPerEntry(bench, shape, random)];
      const rowsOf = bench.matrix(source);
      const { rows, codes } = drawCodes(bench, shape, random);
      bench.kernels.latentGradient(out, accumulate, codes, indexOf(bench, codes), perEntry.tensor, rowsOf, block);
      const dense = oracle.spread(rows, perEntry.numbers, width, block);
      const gradient = oracle.multiply(oracle.transpose(dense), source);
      await bench.expectClose(out, (accumulate ? oracle.add(gradient, before) : gradient).flat());
    }, 40));

  it('decodeGradients: the products with W and with the values at once', () =>
    oracle.forShapes(async (shape, random) => {
      bench.begin();
      const { width, d, block, rows: count } = shape;
      const [W, dOut, before] = [width * block, count, width * block].map((n) => oracle.normalMatrix(random, n, d));
      const accumulate = random.below(2) === 1;
      const [weights, gradient, dW] = [bench.matrix(W), bench.matrix(dOut), bench.matrix(before)];
      const drawn = drawPerEntry(bench, shape, random);
      const { rows, codes } = drawCodes(bench, shape, random);
      // A plain code is its own value and inactive where it is 0; blocks of values are never masked.
      const values = block === 1 ? rows.flatMap((row) => row.map(({ value }) => value)) : drawn.numbers;
      const dValues = { tensor: bench.device.scratchLike(codes, 'f32', block), accumulate: false };
      const index = indexOf(bench, codes);
      const valuesOf = block === 1 ? codes.value : drawn.tensor;
      bench.kernels.decodeGradients(
        dValues,
        { tensor: dW, accumulate },
        codes,
        index,
        valuesOf,
        weights,
        gradient,
        block,
      );
      const dots = oracle
        .gather(rows, oracle.scores(dOut, W, null), block)
        .map((v, t) => (block === 1 && values[t] === 0 ? 0 : v));
      await bench.expectClose(bench.vector([...(await bench.device.read(dValues.tensor, 0, dots.length))]), dots);
      const sums = oracle.multiply(oracle.transpose(oracle.spread(rows, values, width, block)), dOut);
      await bench.expectClose(dW, (accumulate ? oracle.add(sums, before) : sums).flat());
    }, 40));

  it('dotsByLatent: gatheredDots in another order', () =>
    oracle.forShapes(async (shape, random) => {
      bench.begin();
      const { width, d, block, rows: count } = shape;
      const [W, vectors] = [width * block, count].map((n) => oracle.normalMatrix(random, n, d));
      const inputs = [bench.matrix(W), bench.matrix(vectors)] as const;
      const { rows, codes } = drawCodes(bench, shape, random);
      const out = bench.device.scratchLike(codes, 'f32', block);
      bench.kernels.dotsByLatent(out, codes, indexOf(bench, codes), ...inputs, block);
      const expected = oracle.gather(rows, oracle.scores(vectors, W, null), block);
      await bench.expectClose(bench.vector([...(await bench.device.read(out, 0, expected.length))]), expected);
    }, 40));

  it('latentSum: column sums of the codes', () =>
    oracle.forShapes(async (shape, random) => {
      bench.begin();
      const before = oracle.normalVector(random, shape.width);
      const accumulate = random.below(2) === 1;
      const [out, perEntry] = [bench.vector(before), drawPerEntry(bench, { ...shape, block: 1 }, random)];
      const { rows, codes } = drawCodes(bench, shape, random);
      bench.kernels.latentSum(out, accumulate, codes, indexOf(bench, codes), perEntry.tensor);
      const columns = oracle.transpose(oracle.spread(rows, perEntry.numbers, shape.width));
      await bench.expectClose(
        out,
        columns.map((column, i) => oracle.sum(column) + (accumulate ? before[i] : 0)),
      );
    }));

  it('absoluteRowSums and smallestPositive: per row', () =>
    oracle.forShapes(async (shape, random) => {
      bench.begin();
      const [sums, least] = [bench.out('f64', shape.rows), bench.out('f64', shape.rows)];
      const { rows, codes } = drawCodes(bench, shape, random);
      bench.kernels.absoluteRowSums(sums, codes);
      bench.kernels.smallestPositive(least, codes);
      await bench.expectClose(
        sums,
        rows.map((row) => oracle.sum(row.map(({ value }) => value))),
      );
      const positive = rows.map((row) => row.map(({ value }) => value).filter((value) => value > 0));
      const smallest = positive.map((values) => (values.length > 0 ? Math.min(...values) : 0));
      expect([...(await bench.read(least, 'f64'))]).toEqual(smallest);
    }));

  it('absoluteGradient: scale · sign, on top of what was cleared before', () =>
    oracle.forShapes(async (shape, random) => {
      bench.begin();
      const { values, codes } = drawCodes(bench, shape, random);
      const out = bench.device.scratchLike(codes, 'f32');
      const times = random.below(3);
      bench.kernels.clear(out);
      for (let i = 0; i < times; i++) bench.kernels.absoluteGradient(out, true, codes, -0.5);
      const fresh = bench.device.scratchLike(codes, 'f32');
      bench.kernels.absoluteGradient(fresh, false, codes, 0.25);
      bench.kernels.scale(fresh, true, out, 2);
      const signs = values.map(Math.sign);
      await bench.expectClose(
        out,
        signs.map((sign) => -0.5 * times * sign),
      );
      await bench.expectClose(
        fresh,
        signs.map((sign) => (0.25 - times) * sign),
      );
    }));

  it('absoluteGradient and absoluteRowSums: negative values count by their size', async () => {
    bench.begin();
    const codes = bench.fixedCodes([[-2, 0, 3].map((value, latent) => ({ latent, value }))], 3);
    const [out, sums] = [bench.device.scratchLike(codes, 'f32'), bench.out('f64', 1)];
    bench.kernels.absoluteGradient(out, false, codes, 2);
    bench.kernels.absoluteRowSums(sums, codes);
    await bench.expectClose(out, [-2, 0, 2]);
    await bench.expectClose(sums, [5]);
  });

  it('scatterAdd: adds at distinct positions, skips fills', () =>
    oracle.forShapes(async ({ rows, width }, random) => {
      bench.begin();
      const positions = oracle.pick(random, rows + width, width).map((at) => (random.below(3) ? at : 2 ** 32 - 1));
      const [before, source] = [oracle.normalVector(random, rows + width), oracle.normalVector(random, width)];
      const out = bench.vector(before);
      bench.kernels.scatterAdd(out, bench.vector(source), bench.put('u32', positions));
      const expected = [...before];
      positions.forEach((at, e) => {
        if (at < expected.length) expected[at] += source[e];
      });
      await bench.expectClose(out, expected);
    }));

  it('ranges of latents: decode sees no others, gradients leave the others alone', () =>
    oracle.forShapes(async (shape, random) => {
      bench.begin();
      const { width, d, block, rows: count } = shape;
      const [from, to] = [random.below(width + 1), random.below(width + 1)].toSorted((a, b) => a - b);
      const range = { from, to };
      const [W, dOut] = [oracle.normalMatrix(random, width * block, d), oracle.normalMatrix(random, count, d)];
      const [weights, vectors, out] = [bench.matrix(W), bench.matrix(dOut), bench.out('f32', count, d)];
      const perEntry = drawPerEntry(bench, shape, random);
      const before = drawPerEntry(bench, shape, random);
      const dW = oracle.normalMatrix(random, width * block, d);
      const target = bench.matrix(dW);
      const { rows, codes } = drawCodes(bench, shape, random);
      const isIn = (latent: number): boolean => from <= latent && latent < to;
      const latentOf = rows.flat().flatMap(({ latent }) => Array.from({ length: block }, () => latent));
      bench.kernels.decode(out, codes, perEntry.tensor, weights, null, block, range);
      const inside = perEntry.numbers.map((v, t) => (isIn(latentOf[t] ?? -1) ? v : 0));
      const spread = oracle.spread(rows, inside, width, block);
      await bench.expectClose(out, oracle.multiply(spread, W).flat());
      const dValues = { tensor: before.tensor, accumulate: false };
      const gradients = { tensor: target, accumulate: true };
      const latents = indexOf(bench, codes);
      bench.kernels.decodeGradients(
        dValues,
        gradients,
        codes,
        latents,
        perEntry.tensor,
        weights,
        vectors,
        block,
        range,
      );
      const dots = oracle.gather(rows, oracle.scores(dOut, W, null), block);
      const expected = before.numbers.slice(0, dots.length).map((old, t) => {
        if (!isIn(latentOf[t])) return old;
        return block === 1 && perEntry.numbers[t] === 0 ? 0 : dots[t];
      });
      const written = [...(await bench.read(before.tensor, 'f32'))].slice(0, dots.length);
      written.forEach((value, t) => expect(value).toBeCloseTo(expected[t], 3));
      const transposed = W.map((_, i) => spread.map((row) => row[i]));
      await bench.expectClose(target, oracle.add(oracle.multiply(transposed, dOut), dW).flat());
    }));

  it('countSinceFired and listAtLeast: how long latents have been silent', () =>
    oracle.forShapes(async (shape, random) => {
      bench.begin();
      const { width } = shape;
      const before = Array.from({ length: width }, () => random.below(5));
      const counter = bench.vector(before);
      const set = { list: bench.out('u32', width), count: bench.out('u32', 1) };
      const { rows, codes } = drawCodes(bench, shape, random);
      const above = random.below(2) === 1 ? 0 : undefined;
      bench.kernels.countSinceFired(counter, codes, indexOf(bench, codes), 3, above);
      bench.kernels.listAtLeast(set, counter, 5);
      const entries = rows.flat().filter(({ value }) => above === undefined || value > above);
      const fired = new Set(entries.map(({ latent }) => latent));
      const counts = before.map((count, latent) => (fired.has(latent) ? 0 : count + 3));
      const silent = [...counts.keys()].filter((latent) => counts[latent] >= 5);
      expect([...(await bench.read(counter, 'f32'))]).toEqual(counts);
      expect([...(await bench.read(set.count, 'u32'))]).toEqual([silent.length]);
      expect([...(await bench.read(set.list, 'u32')).subarray(0, silent.length)]).toEqual(silent);
    }));
});
