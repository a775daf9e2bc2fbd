import { it } from 'vitest';
import { decode } from '../../../src/engine/ops/decode.ts';
import { encodeAllAmong, encodeAtLeast, RELU } from '../../../src/engine/ops/encode.ts';
import { squaredError } from '../../../src/engine/ops/losses.ts';
import { normWeightedPenalty } from '../../../src/engine/ops/penalty.ts';
import { onEveryDevice } from '../devices.ts';
import { checkGradients, forShapes, leaf } from './gradients.ts';
import * as naive from './naive.ts';

onEveryDevice((bench) => {
  it.each(['l1', 'tanh'] as const)('normWeightedPenalty %s beside a reconstruction', (kind) =>
    forShapes(async ({ rows, width, d }, random) => {
      bench.begin();
      const [x, W, D] = [leaf(random, rows, d), leaf(random, width, d), leaf(random, width, d)];
      const input = bench.put('f32', x.values, rows, d);
      await checkGradients(
        bench,
        random,
        { W, D },
        (tape, t) => {
          const codes = encodeAtLeast(tape, input, { W: t.W, bias: null, center: null, floor: 0.01 });
          const out = decode(tape, codes, t.D, null);
          return {
            losses: [
              { value: squaredError(tape, out, input), weight: 0.1 },
              { value: normWeightedPenalty(tape, codes, t.D, kind, 0.3), weight: 0.7 },
            ],
            selections: [codes],
          };
        },
        (l, [selection]) => {
          const codes = naive.encode(x, l.W, null, null, selection);
          const penalty = codes.flat().reduce((sum, { latent, value }) => {
            const u = value * Math.hypot(...naive.row(l.D.values, latent, d));
            return sum + (kind === 'tanh' ? Math.tanh(0.3 * u) : u);
          }, 0);
          return 0.1 * naive.squaredError(naive.decode(codes, l.D, null), x) + (0.7 * penalty) / rows;
        },
      );
    }),
  );

  it('encodeAllAmong: every score of a set, negative ones too, with gradients', () =>
    forShapes(async ({ rows, width, d }, random) => {
      bench.begin();
      const [x, W, bias, D] = [
        leaf(random, rows, d),
        leaf(random, width, d),
        leaf(random, width),
        leaf(random, width, d),
      ];
      const input = bench.put('f32', x.values, rows, d);
      const some = Array.from({ length: width }, (_, i) => i).filter(() => random.below(3) > 0);
      const list = bench.put(
        'u32',
        Array.from({ length: width }, (_, i) => some[i] ?? 0),
      );
      const among = { list, count: bench.put('u32', [some.length]) };
      await checkGradients(
        bench,
        random,
        { W, bias, D },
        (tape, t) => {
          const codes = encodeAllAmong(tape, input, { W: t.W, bias: t.bias, center: null, floor: RELU }, among);
          return { losses: [{ value: squaredError(tape, decode(tape, codes, t.D, null), input), weight: 1 }] };
        },
        (l) => {
          const all = Array.from({ length: rows }, () => some.map((latent) => ({ latent, active: true })));
          return naive.squaredError(naive.decode(naive.encode(x, l.W, l.bias, null, all), l.D, null), x);
        },
      );
    }));
});
