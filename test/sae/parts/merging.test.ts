import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { Random } from '../../../src/core/random.ts';
import { normalizeRows } from '../../../src/sae/parts/initial.ts';
import { disjointPairs, mergeLatents, similarRows, type LatentPair } from '../../../src/sae/parts/merging.ts';
import { onEveryDevice } from '../../engine/devices.ts';

it('disjointPairs: the first of the candidates that are still free, each latent at most once', () => {
  expect(disjointPairs([[1, 4], [1, 6], [2, 7], [4, 6]])).toEqual([[1, 4], [2, 7]]); // prettier-ignore
  const candidates = fc.array(fc.tuple(fc.nat(12), fc.nat(12)).filter(([i, j]) => i < j));
  fc.assert(
    fc.property(candidates, (pairs) => {
      const chosen = disjointPairs(pairs);
      const used = chosen.flat();
      expect(new Set(used).size).toBe(used.length);
      // Whatever was left out shares a latent with a pair that came before it.
      for (const [at, pair] of pairs.entries()) {
        const before = disjointPairs(pairs.slice(0, at)).flat();
        expect(chosen.includes(pair)).toBe(!pair.some((latent) => before.includes(latent)));
      }
    }),
  );
});

onEveryDevice((bench) => {
  it('similarRows: pairs by cosine, as counted one by one', async () => {
    bench.begin();
    const [width, d] = [300, 5];
    const random = new Random(8);
    const rows = Float32Array.from({ length: width * d }, () => random.normal());
    normalizeRows(rows, d);
    // Exact copies, one of them of the opposite sign.
    rows.set(rows.subarray(0, d), 299 * d);
    rows.set(
      rows.subarray(d, 2 * d).map((v) => -v),
      298 * d,
    );
    const W = bench.put('f32', rows, width, d);
    const cosine = (i: number, j: number): number =>
      rows.subarray(i * d, i * d + d).reduce((sum, v, p) => sum + v * rows[j * d + p], 0);
    const expected: LatentPair[] = [];
    for (let i = 0; i < width; i++) for (let j = i + 1; j < width; j++) if (cosine(i, j) > 0.9) expected.push([i, j]);
    expect(expected.length).toBeGreaterThan(20);
    expect(await similarRows(bench.device, W, 0.9)).toEqual(expected);
    expect(expected).toContainEqual([0, 299]);
    expect(expected).not.toContainEqual([1, 298]);
  });

  it('mergeLatents: the mean of the encoders, the direction between the decoders, no moments', async () => {
    const { device } = bench;
    bench.begin();
    const [W_enc, W_dec] = [1, 2].map(() => device.persistent('f32', 3, 2));
    const b_enc = device.persistent('f32', 3);
    device.write(W_enc, [1, 2, 5, 5, 3, 6]);
    device.write(W_dec, [1, 0, 0.6, 0.8, 0, 1]);
    device.write(b_enc, [1, 2, 5]);
    const cleared: [string, number[]][] = [];
    await mergeLatents(device, { W_enc, b_enc, W_dec }, [[0, 2]], (name, rows) => void cleared.push([name, [...rows]]));
    await bench.expectClose(W_enc, [2, 4, 5, 5, 3, 6]);
    await bench.expectClose(W_dec, [Math.SQRT1_2, Math.SQRT1_2, 0.6, 0.8, 0, 1]);
    await bench.expectClose(b_enc, [3, 2, 5]);
    expect(cleared).toEqual(['W_enc', 'b_enc', 'W_dec'].map((name) => [name, [0]]));
  });
});
