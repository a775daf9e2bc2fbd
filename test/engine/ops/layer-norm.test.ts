import { expect, it } from 'vitest';
import { decode } from '../../../src/engine/ops/decode.ts';
import { encodeAtLeast } from '../../../src/engine/ops/encode.ts';
import { layerNorm } from '../../../src/engine/ops/layer-norm.ts';
import { squaredError } from '../../../src/engine/ops/losses.ts';
import { Tape } from '../../../src/engine/tape.ts';
import { onEveryDevice } from '../devices.ts';
import { checkGradients, forShapes, leaf } from './gradients.ts';
import * as naive from './naive.ts';

const FLOOR = 0.25;

onEveryDevice((bench) => {
  it('two encoders with a layer norm between them: gradients of both', () =>
    forShapes(async ({ rows, width, d }, random) => {
      bench.begin();
      // Enough latents that no row is silent or nearly equal.
      const n = width + 24;
      const x = leaf(random, rows, d);
      const input = bench.put('f32', x.values, rows, d);
      const leaves = {
        W1: leaf(random, n, d),
        b1: leaf(random, n),
        W2: leaf(random, width, n),
        D: leaf(random, width, d),
      };
      await checkGradients(
        bench,
        random,
        leaves,
        (tape, t) => {
          const below = encodeAtLeast(tape, input, { W: t.W1, bias: t.b1, center: null, floor: FLOOR });
          const { rows: y } = layerNorm(tape, below);
          const above = encodeAtLeast(tape, y, { W: t.W2, bias: null, center: null, floor: FLOOR });
          return {
            losses: [{ value: squaredError(tape, decode(tape, above, t.D, null), input), weight: 1 }],
            selections: [below, above],
          };
        },
        (l, [one, two]) => {
          const below = naive.encode(x, l.W1, l.b1, null, one);
          const y = below.flatMap((entries) => {
            const row = Array.from({ length: n }, () => 0);
            for (const { latent, value } of entries) row[latent] = value;
            const mean = row.reduce((sum, v) => sum + v, 0) / n;
            const std = Math.sqrt(row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / n);
            return row.map((v) => (v - mean) / std);
          });
          const middle = { shape: [rows, n], values: Float64Array.from(y) };
          return naive.squaredError(naive.decode(naive.encode(middle, l.W2, null, null, two), l.D, null), x);
        },
      );
    }));

  it('counts silent rows, and says that there is something that is no number', async () => {
    bench.begin();
    const [x, W] = [bench.matrix([[1], [0], [2]]), bench.matrix([[1], [-1], [3]])];
    for (const [rows, silent] of [
      [x, 1],
      [bench.matrix([[1], [3], [2]]), 0],
    ] as const) {
      const tape = new Tape(bench.device);
      const codes = encodeAtLeast(tape, rows, { W, bias: null, center: null, floor: FLOOR });
      const found = layerNorm(tape, codes);
      expect((await bench.device.read(found.silent))[0]).toBe(silent);
      const [square] = await bench.device.read(found.square);
      if (silent > 0) expect(square).toBeNaN();
      else expect(square).toBeCloseTo(9, 4);
      await bench.device.flush();
    }
  });
});
