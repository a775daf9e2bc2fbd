import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/random.ts';
import { drawRows, gatherRows, restartLatents } from '../../../src/sae/parts/resampling.ts';
import { onEveryDevice } from '../../engine/devices.ts';

describe('drawRows', () => {
  it('draws different rows with the probabilities of successive draws', () => {
    const weights = [1, 2, 0, 5];
    const first = [0, 0, 0, 0];
    let threeBeforeOne = 0;
    const runs = 20_000;
    for (let run = 0; run < runs; run++) {
      const rows = drawRows(weights, 2, new Random(3, run));
      expect(new Set(rows).size).toBe(2);
      first[rows[0]]++;
      if (rows[0] === 3 && rows[1] === 1) threeBeforeOne++;
    }
    expect(first[2]).toBe(0);
    for (const [row, weight] of weights.entries()) expect(first[row] / runs).toBeCloseTo(weight / 8, 1.7);
    // Row 3 first (5/8), then row 1 among those that are left (2/3).
    expect(threeBeforeOne / runs).toBeCloseTo((5 / 8) * (2 / 3), 1.7);
  });

  it('is a function of the stream, and stops at the rows that have weight', () => {
    expect(drawRows([1, 1, 1, 1, 1], 5, new Random(1))).toEqual(drawRows([1, 1, 1, 1, 1], 5, new Random(1)));
    expect(drawRows([0, 3, 0, 1], 9, new Random(1)).toSorted()).toEqual([1, 3]);
    expect(drawRows([0, 0], 1, new Random(1))).toEqual([]);
  });
});

onEveryDevice((bench) => {
  it.each(['release', 'anthropic'] as const)('restarts latents, %s', async (recipe) => {
    const { device } = bench;
    bench.begin();
    const W_enc = device.persistent('f32', 4, 2);
    const W_dec = device.persistent('f32', 4, 2);
    const b_enc = device.persistent('f32', 4);
    device.write(W_enc, [3, 4, 9, 9, 0, 1, 7, 7]);
    device.write(W_dec, [1, 0, 0, 1, 1, 0, 0, 1]);
    device.write(b_enc, [1, 2, 3, 4]);
    const x = bench.matrix([
      [5, 6],
      [0, 2],
      [8, 6],
    ]);
    const cleared: [string, number[]][] = [];
    // Latent 3 is dead too, but there is no third vector: it stays, and is no measure for the others.
    await restartLatents(
      device,
      { W_enc, b_enc, W_dec },
      [1, 2, 3],
      await gatherRows(device, x, [2, 1]),
      recipe,
      (name, rows) => void cleared.push([name, [...rows]]),
    );
    const scale = 0.2 * 5;
    const [big, small] = recipe === 'release' ? [10, 2] : [1, 1];
    await bench.expectClose(W_dec, [1, 0, 0.8, 0.6, 0, 1, 0, 1]);
    await bench.expectClose(W_enc, [3, 4, 0.8 * big * scale, 0.6 * big * scale, 0, small * scale, 7, 7]);
    await bench.expectClose(b_enc, [1, 0, 0, 4]);
    expect(cleared).toEqual(['W_enc', 'b_enc', 'W_dec'].map((name) => [name, [1, 2]]));
  });
});
