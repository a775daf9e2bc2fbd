import { expect, it } from 'vitest';
import { onEveryDevice } from '../devices.ts';
import * as oracle from '../oracle.ts';

const softmax = (row: readonly number[]): number[] => {
  const e = row.map((value) => Math.exp(value));
  return e.map((value) => value / oracle.sum(e));
};

onEveryDevice((bench) => {
  it('routes to the largest score, ties to the lowest, with its probability', () =>
    oracle.forShapes(async ({ rows, width }, random) => {
      bench.begin();
      const logits = oracle.exactMatrix(random, rows, width).map((row) => row.map((value) => 4 * value));
      const codes = bench.device.scratchCodes(rows, width, 1);
      const out = { p: bench.out('f32', rows, width), codes, chosen: bench.out('f32', rows) };
      bench.kernels.route(out, bench.matrix(logits));
      const best = logits.map((row) => row.indexOf(Math.max(...row)));
      const p = logits.map(softmax);
      await bench.expectClose(out.p, p.flat());
      await bench.expectClose(
        out.chosen,
        p.map((row, r) => row[best[r]]),
      );
      await bench.expectCodes(
        codes,
        best.map((latent) => [{ latent, value: 1 }]),
      );
    }));

  it('large scores neither overflow nor vanish', async () => {
    bench.begin();
    const codes = bench.device.scratchCodes(2, 3, 1);
    const out = { p: bench.out('f32', 2, 3), codes, chosen: bench.out('f32', 2) };
    const logits = bench.matrix([
      [1e4, -1e4, 1e4],
      [-1e30, -1e30, -2e30],
    ]);
    bench.kernels.route(out, logits);
    await bench.expectClose(out.p, [0.5, 0, 0.5, 0.5, 0.5, 0]);
    expect([...(await bench.read(codes.index, 'u32'))]).toEqual([0, 0]);
  });

  it('gradient through the softmax', () =>
    oracle.forShapes(async ({ rows, width }, random) => {
      bench.begin();
      const p = oracle.normalMatrix(random, rows, width).map(softmax);
      const [chosen, every] = [oracle.normalVector(random, rows), oracle.normalVector(random, width)];
      const taken = Array.from({ length: rows }, () => random.below(width));
      const codes = bench.fixedCodes(
        taken.map((latent) => [{ latent, value: 1 }]),
        width,
      );
      const out = bench.out('f32', rows, width);
      const useChosen = random.below(2) === 0;
      const inputs = [bench.matrix(p), bench.vector(chosen), bench.vector(every)];
      bench.kernels.routeGradient(out, inputs[0], codes, useChosen ? inputs[1] : null, inputs[2]);
      await bench.expectClose(
        out,
        p.flatMap((row, r) => {
          const dP = every.map((d, j) => d + (useChosen && j === taken[r] ? chosen[r] : 0));
          const mean = oracle.dot(dP, row);
          return row.map((value, j) => value * (dP[j] - mean));
        }),
      );
    }));

  it('scales entries by their row, and sums products of a row', () =>
    oracle.forShapes(async ({ rows, width }, random) => {
      bench.begin();
      const entries = oracle.randomRows(random, rows, width, width);
      const size = entries.flat().length;
      const [factor, other, start] = [rows, size, size].map((length) => oracle.normalVector(random, length));
      const tensors = [factor, other, start].map((values) => bench.put('f32', [...values, 0]));
      const sums = bench.put('f32', factor);
      const codes = bench.openCodes(entries, width);
      const accumulate = random.below(2) === 0;
      bench.kernels.scaleEntries(tensors[2], accumulate, codes, tensors[1], tensors[0]);
      bench.kernels.entryDots(sums, accumulate, codes, codes.value, tensors[1]);
      let e = 0;
      const scaled = entries.flatMap((row, r) => row.map(() => factor[r] * other[e++]));
      const added = scaled.map((value, i) => value + (accumulate ? start[i] : 0));
      await bench.expectClose(tensors[2], [...added, 0]);
      e = 0;
      const dots = entries.map((row, r) =>
        row.reduce((sum, { value }) => sum + value * other[e++], accumulate ? factor[r] : 0),
      );
      await bench.expectClose(sums, dots);
    }));
});
