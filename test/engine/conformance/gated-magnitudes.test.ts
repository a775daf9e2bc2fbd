import { expect, it } from 'vitest';
import { Random } from '../../../src/core/random.ts';
import { onEveryDevice } from '../devices.ts';
import * as oracle from '../oracle.ts';

onEveryDevice((bench) => {
  it('exponential: small, large, and beyond float32', async () => {
    bench.begin();
    const a = [
      0,
      1,
      -1,
      0.5,
      1e-9,
      10,
      -10,
      80,
      -80,
      88.7,
      -103,
      100,
      -1000,
      NaN,
      ...oracle.normalVector(new Random(4), 40),
    ];
    const out = bench.out('f32', a.length);
    bench.kernels.exponential(out, bench.vector(a));
    const result = await bench.read(out, 'f32');
    for (const [i, x] of a.entries()) {
      const expected = Math.fround(Math.exp(Math.fround(x)));
      // One unit in the last place, which is an absolute bound for subnormal results.
      if (Number.isFinite(expected))
        expect(Math.abs(result[i] - expected)).toBeLessThanOrEqual(2 ** -23 * expected + 2 ** -149);
      else expect(result[i]).toBe(expected);
    }
  });

  it('gateMagnitudes and gateGradients, written and accumulated', () =>
    oracle.forShapes(async ({ rows: count, width, k }, generator) => {
      bench.begin();
      const [gain, gateBias, magnitudeBias] = [1, 2, 3].map(() => oracle.normalVector(generator, width));
      const rows = oracle.randomRows(generator, count, width, k);
      const entries = rows.flat();
      const dMagnitude = oracle.normalVector(generator, entries.length + 1);
      const before = [entries.length + 1, width, width, width].map((n) => oracle.normalVector(generator, n));
      const accumulate = before.map(() => generator.below(2) === 1);
      const [gains, shifts, biases, gradient] = [gain, gateBias, magnitudeBias, dMagnitude].map((v) => bench.vector(v));
      const [gate, r, ofGateBias, ofMagnitudeBias] = before.map((v, i) => ({
        tensor: bench.vector(v),
        accumulate: accumulate[i],
      }));
      const codes = bench.openCodes(rows, width);
      const magnitude = bench.device.scratchLike(codes, 'f32');
      bench.kernels.gateMagnitudes(magnitude, codes, gains, shifts, biases);
      const index = {
        latentPtr: bench.device.scratch('u32', width + 1),
        entryOf: bench.device.scratchLike(codes, 'u32'),
        rowOf: bench.device.scratchLike(codes, 'u32'),
      };
      bench.kernels.indexLatents(index, codes);
      const out = { gate, r, gateBias: ofGateBias, magnitudeBias: ofMagnitudeBias };
      bench.kernels.gateGradients(out, codes, index, { magnitude, dMagnitude: gradient }, gains, shifts);

      const f = entries.map(({ latent: i, value }) => Math.max(0, gain[i] * (value - gateBias[i]) + magnitudeBias[i]));
      await bench.expectClose(magnitude, f);
      const m = f.map((value, e) => (value > 0 ? dMagnitude[e] : 0));
      const perLatent = (of: (e: number) => number): number[] =>
        Array.from({ length: width }, (_, i) =>
          oracle.sum(entries.flatMap(({ latent }, e) => (latent === i ? [of(e)] : []))),
        );
      const expected = [
        [...m.map((value, e) => gain[entries[e].latent] * value), 0],
        perLatent((e) => gain[entries[e].latent] * m[e] * (entries[e].value - gateBias[entries[e].latent])),
        perLatent((e) => -gain[entries[e].latent] * m[e]),
        perLatent((e) => m[e]),
      ].map((values, t) => values.map((value, i) => value + (accumulate[t] ? before[t][i] : 0)));
      // The last place of the first target stands for no entry: it is left alone.
      expected[0][entries.length] = before[0][entries.length];
      for (const [t, { tensor }] of [gate, r, ofGateBias, ofMagnitudeBias].entries())
        await bench.expectClose(tensor, expected[t]);
    }, 40));
});
