import { expect, it } from 'vitest';
import { onEveryDevice } from '../devices.ts';
import * as oracle from '../oracle.ts';
import type { Matrix, Rows } from '../oracle.ts';

const FLOOR = 0.25;

/** The `total` largest scores ≥ FLOOR; ties go to the lowest row, then to the lowest latent. */
function batchTop(z: Matrix, total: number): Rows {
  const all = z.flatMap((row, r) => row.map((value, latent) => ({ r, latent, value })));
  const best = all.filter(({ value }) => value >= FLOOR).toSorted((a, b) => b.value - a.value);
  const chosen = new Set(best.slice(0, total));
  return z.map((_, r) =>
    all.filter((entry) => entry.r === r && chosen.has(entry)).map(({ latent, value }) => ({ latent, value })),
  );
}

onEveryDevice((bench) => {
  it('takes the largest scores of the whole batch; ties go to the first row and latent', () =>
    oracle.forShapes(async ({ rows, width, d, k }, random) => {
      bench.begin();
      const [x, W] = [oracle.exactMatrix(random, rows, d), oracle.exactMatrix(random, width, d)];
      const bias = random.below(2) ? oracle.exactVector(random, width) : null;
      const codes = bench.device.scratchCodes(rows, width);
      const inputs = [bench.matrix(x), bench.matrix(W), bias && bench.vector(bias)] as const;
      bench.kernels.encodeBatchTop(codes, ...inputs, FLOOR, k * rows);
      await bench.expectCodes(codes, batchTop(oracle.scores(x, W, bias), k * rows));
    }, 60));

  it('what an encoder selected before does not matter: scores that grow, shrink, vanish and come back', async () => {
    const [rows, width, d] = [40, 30, 3];
    const W = bench.device.persistent('f32', width, d);
    await oracle.forShapes(async (_, random) => {
      const scales = [1, 1, 4, 0.25, 0, 1, 2 ** 40, 1, 2 ** -30, 1];
      for (const scale of scales) {
        bench.begin();
        const x = oracle.exactMatrix(random, rows, d);
        const weights = oracle.exactMatrix(random, width, d).map((row) => row.map((value) => scale * value));
        bench.device.write(W, weights.flat());
        const total = 1 + random.below(2 * rows);
        const codes = bench.device.scratchCodes(rows, width);
        const input = bench.matrix(x);
        bench.kernels.encodeBatchTop(codes, input, W, null, FLOOR, total);
        await bench.expectCodes(codes, batchTop(oracle.scores(x, weights, null), total));
      }
    }, 5);
    bench.device.release(W);
  });

  it('survives scores that are not finite', async () => {
    bench.begin();
    const codes = bench.device.scratchCodes(4, 4);
    const x = bench.matrix([[1], [Infinity], [NaN], [1]]);
    bench.kernels.encodeBatchTop(codes, x, bench.matrix([[1], [2], [3], [-1]]), null, FLOOR, 5);
    expect([...(await bench.read(codes.value, 'f32'))]).toEqual([3, Infinity, Infinity, Infinity, 3]);
  });

  it('codes of open size can be used before the queue has run', async () => {
    bench.begin();
    const codes = bench.device.scratchCodes(2, 3);
    const [x, W, out] = [bench.matrix([[1], [2]]), bench.matrix([[1], [2], [3]]), bench.out('f32', 2, 1)];
    bench.kernels.encodeBatchTop(codes, x, W, null, FLOOR, 3);
    bench.kernels.decode(out, codes, codes.value, W, null);
    // Scores 1 2 3 and 2 4 6, of which 6, 4 and the first 3 are taken.
    await bench.expectClose(out, [9, 26]);
  });

  it('finds the smallest positive value', async () => {
    bench.begin();
    const out = bench.out('f64', 1);
    for (const [values, expected] of [
      [[0, 3, 0.5, 0, 2, -1], 0.5],
      [[0, 0, -2], 0],
      [[7], 7],
    ] as const) {
      const input = bench.put('f64', values);
      bench.kernels.leastPositive(out, input);
      expect(await bench.read(out, 'f64')).toEqual(Float64Array.of(expected));
    }
  });

  it('counts the latents of a set', async () => {
    bench.begin();
    const [list, out] = [bench.out('u32', 5), bench.out('f64', 1)];
    for (const size of [0, 1, 5]) {
      bench.kernels.setSize(out, { list, count: bench.put('u32', [size]) });
      expect(await bench.read(out, 'f64')).toEqual(Float64Array.of(size));
    }
  });
});
