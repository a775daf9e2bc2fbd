import { expect, it } from 'vitest';
import { compose, compositionCoverage } from '../../../src/engine/ops/composition.ts';
import { decode } from '../../../src/engine/ops/decode.ts';
import { encodeAtLeast, encodeTop, encodeTopAmong } from '../../../src/engine/ops/encode.ts';
import { squaredError } from '../../../src/engine/ops/losses.ts';
import { Tape } from '../../../src/engine/tape.ts';
import { onEveryDevice } from '../devices.ts';
import { checkGradients, forShapes, leaf, type Leaf, type Selection } from './gradients.ts';
import * as naive from './naive.ts';

const FLOOR = 0.25;

interface Tiers {
  W1: Leaf;
  W2: Leaf;
  V: Leaf;
  bias: Leaf;
  center: Leaf;
}

/** Codes of a tier over given codes below: W (x − center) + V h + bias where active. */
function compositional(x: Leaf, l: Tiers, below: naive.Entry[][], selection: Selection): naive.Entry[][] {
  const n = l.V.shape[1];
  return naive.encode(x, l.W2, l.bias, l.center, selection).map((entries, r) =>
    entries.map(({ latent, value }, t) => {
      if (!selection[r][t].active) return { latent, value: 0 };
      const added = below[r].reduce((sum, h) => sum + h.value * l.V.values[h.latent * n + latent], 0);
      return { latent, value: value + added };
    }),
  );
}

onEveryDevice((bench) => {
  it.each(['top', 'at least'] as const)(
    'two tiers (%s): gradients of everything, also through the codes below',
    (how) =>
      forShapes(async ({ rows, width, d, k }, random) => {
        bench.begin();
        const [n, x] = [1 + random.below(9), leaf(random, rows, d)];
        const input = bench.put('f32', x.values, rows, d);
        const leaves = {
          W1: leaf(random, n, d),
          W2: leaf(random, width, d),
          V: leaf(random, n, width),
          bias: leaf(random, width),
          center: leaf(random, d),
          D1: leaf(random, n, d),
          D2: leaf(random, width, d),
        };
        await checkGradients(
          bench,
          random,
          leaves,
          (tape, t) => {
            const below = encodeTop(
              tape,
              input,
              { W: t.W1, bias: null, center: t.center, floor: FLOOR },
              Math.min(n, 3),
            );
            const composition = compose(tape, below, t.V, t.bias);
            const encoder = { W: t.W2, bias: t.bias, center: t.center, floor: FLOOR, composition };
            const above = how === 'top' ? encodeTop(tape, input, encoder, k) : encodeAtLeast(tape, input, encoder);
            const first = decode(tape, below, t.D1, t.center);
            const second = decode(tape, above, t.D2, first);
            return {
              losses: [
                { value: squaredError(tape, first, input), weight: 1 },
                { value: squaredError(tape, second, input), weight: 0.5 },
              ],
              selections: [below, above],
            };
          },
          (l, [one, two]) => {
            const below = naive.encode(x, l.W1, null, l.center, one);
            const above = compositional(x, l, below, two);
            const first = naive.decode(below, l.D1, l.center);
            const base = { shape: [rows, d], values: Float64Array.from(first.flatMap((row) => [...row])) };
            return naive.squaredError(first, x) + 0.5 * naive.squaredError(naive.decode(above, l.D2, base), x);
          },
        );
      }),
  );

  it('among some latents, with the codes below as constants', () =>
    forShapes(async ({ rows, width, d, k }, random) => {
      bench.begin();
      const [n, x, W1] = [1 + random.below(9), leaf(random, rows, d), leaf(random, 9, d)];
      const input = bench.put('f32', x.values, rows, d);
      const some = Array.from({ length: width }, (_, i) => i).filter(() => random.below(3) > 0);
      const list = bench.put(
        'u32',
        Array.from({ length: width }, (_, i) => some[i] ?? 0),
      );
      const among = { list, count: bench.put('u32', [some.length]) };
      const lower = { ...W1, shape: [n, d], values: W1.values.slice(0, n * d) };
      const frozen = lower.values;
      const leaves = {
        W1: lower,
        W2: leaf(random, width, d),
        V: leaf(random, n, width),
        bias: leaf(random, width),
        center: leaf(random, d),
        D: leaf(random, width, d),
      };
      await checkGradients(
        bench,
        random,
        leaves,
        (tape, t) => {
          const codes = encodeTop(tape, input, { W: t.W1, bias: null, center: null, floor: FLOOR }, Math.min(n, 3));
          const composition = { ...compose(tape, codes, t.V, t.bias), detached: true };
          const encoder = { W: t.W2, bias: t.bias, center: t.center, floor: FLOOR, composition };
          const above = encodeTopAmong(tape, input, encoder, k, among);
          return {
            losses: [{ value: squaredError(tape, decode(tape, above, t.D, null), input), weight: 1 }],
            selections: [codes, above],
          };
        },
        (l, [one, two]) => {
          // No gradient by W1: the codes below are what they are.
          const below = naive.encode(x, { ...l.W1, values: frozen }, null, null, one);
          return naive.squaredError(naive.decode(compositional(x, l, below, two), l.D, null), x);
        },
      );
    }));

  it('coverage: share of active latents that get half of their positive input from below', async () => {
    bench.begin();
    const tape = new Tape(bench.device);
    const x = bench.matrix([[1], [1], [-1]]);
    const [W1, W2] = [bench.matrix([[2]]), bench.matrix([[1], [1], [-3], [1]])];
    const [V, bias] = [bench.matrix([[0.5, 0.25, 4, -0.25]]), bench.vector([0, 0, 0, 3])];
    const below = encodeTop(tape, x, { W: W1, bias: null, center: null, floor: FLOOR }, 1);
    // Below: 2, 2, nothing. Scores of rows 1 and 2: x + V h + bias.
    const composition = compose(tape, below, V, bias);
    const encoder = { W: W2, bias, center: null, floor: FLOOR, composition };
    const codes = encodeAtLeast(tape, x, encoder);
    const share = compositionCoverage(tape, codes, composition);
    // Row 1: 1 + 1 covered, 1 + 0.5 not, −3 + 8 covered, 1 − 0.5 + 3 not; row 3 without codes below: 3 and −1 + 3 are not.
    expect((await bench.device.read(share))[0]).toBeCloseTo(4 / 10, 12);
  });
});
