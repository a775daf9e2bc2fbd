import { expect, it } from 'vitest';
import { decode } from '../../../src/engine/ops/decode.ts';
import { encodeAtLeast, RELU } from '../../../src/engine/ops/encode.ts';
import { gatedMagnitudes } from '../../../src/engine/ops/gated-magnitudes.ts';
import { absoluteSum, squaredError } from '../../../src/engine/ops/losses.ts';
import { Tape } from '../../../src/engine/tape.ts';
import { onEveryDevice } from '../devices.ts';
import { checkGradients, forShapes, leaf } from './gradients.ts';
import * as naive from './naive.ts';

onEveryDevice((bench) => {
  it('gradients of a gated SAE: both paths, the frozen decoder is a constant', () =>
    forShapes(async ({ rows, width, d }, random) => {
      bench.begin();
      const x = leaf(random, rows, d);
      const [W, D] = [leaf(random, width, d), leaf(random, width, d)];
      const [r, gateBias, magnitudeBias] = [1, 2, 3].map(() => leaf(random, width));
      const center = leaf(random, d);
      const input = bench.put('f32', x.values, rows, d);
      await checkGradients(
        bench,
        random,
        { W, D, r, gateBias, magnitudeBias, center },
        (tape, t) => {
          const gate = encodeAtLeast(tape, input, { W: t.W, bias: t.gateBias, center: t.center, floor: RELU });
          const codes = gatedMagnitudes(tape, gate, t);
          const out = decode(tape, codes, t.D, t.center);
          const byGate = decode(tape, gate, t.D, t.center, { frozen: true });
          return {
            losses: [
              { value: squaredError(tape, out, input), weight: 1 },
              { value: absoluteSum(tape, gate), weight: 0.3 },
              { value: squaredError(tape, byGate, input), weight: 0.7 },
            ],
            selections: [gate],
          };
        },
        (l, [selection]) => {
          const gate = naive.encode(x, l.W, l.gateBias, l.center, selection);
          const codes = gate.map((entries) =>
            entries.map(({ latent, value }) => {
              const u = value - l.gateBias.values[latent];
              return {
                latent,
                value: Math.max(0, Math.exp(l.r.values[latent]) * u + l.magnitudeBias.values[latent]),
              };
            }),
          );
          return (
            naive.squaredError(naive.decode(codes, l.D, l.center), x) +
            0.3 * naive.absoluteSum(gate) +
            0.7 * naive.squaredError(naive.decode(gate, D, center), x)
          );
        },
      );
    }));

  it('says so when only a part of its parameters is watched', () => {
    bench.begin();
    const tape = new Tape(bench.device);
    const [x, W, D] = [1, 2, 3].map(() => bench.matrix([[1, 2]]));
    const [r, gateBias, magnitudeBias] = [1, 2, 3].map(() => bench.vector([0]));
    for (const tensor of [W, r]) tape.watch(tensor, bench.out('f32', ...tensor.shape));
    const gate = encodeAtLeast(tape, x, { W, bias: gateBias, center: null, floor: RELU });
    const codes = gatedMagnitudes(tape, gate, { r, gateBias, magnitudeBias });
    const value = squaredError(tape, decode(tape, codes, D, null), x);
    expect(() => tape.backward([{ value, weight: 1 }])).toThrow('gatedMagnitudes: watch');
  });
});
