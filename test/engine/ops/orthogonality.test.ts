import { expect, it } from 'vitest';
import { orthogonality, type OrthogonalityVariant } from '../../../src/engine/ops/orthogonality.ts';
import { Tape } from '../../../src/engine/tape.ts';
import { onEveryDevice } from '../devices.ts';
import { checkGradients, forShapes, leaf, type Leaf } from './gradients.ts';
import * as naive from './naive.ts';

const EPSILON = 1e-6;
const VARIANTS: readonly OrthogonalityVariant[] = ['release', 'paper', 'paper_raw'];

/** The definition, by all n² entries of M; of 'paper' variants optionally with the diagonal. */
function definition(E: Leaf, D: Leaf, variant: OrthogonalityVariant, diagonal = false): number {
  const [n, d] = E.shape;
  const rows = (W: Leaf): Float64Array[] =>
    Array.from({ length: n }, (_, i) => {
      const w = naive.row(W.values, i, d);
      return variant === 'paper_raw' ? w : w.map((value) => value / (Math.sqrt(naive.dot(w, w)) + EPSILON));
    });
  const [e, h] = [rows(E), rows(D)];
  let square = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      if (variant === 'release') square += (naive.dot(h[i], e[j]) - naive.dot(h[j], e[j])) ** 2;
      else if (i !== j || diagonal) square += naive.dot(h[i], e[j]) ** 2;
    }
  }
  return Math.sqrt(square) / (n * n - n);
}

/**
 * The op subtracts the diagonal from ‖M‖² in float32: where hardly anything is left, digits are lost, as they are in any
 * formula that does not form M. Such inputs say nothing about the gradient.
 */
function isClear(E: Leaf, D: Leaf, variant: OrthogonalityVariant): boolean {
  if (E.shape[0] < 2 || E.shape[1] < 2) return false;
  return variant === 'release' || definition(E, D, variant) > 0.3 * definition(E, D, variant, true);
}

onEveryDevice((bench) => {
  it.each(VARIANTS)('%s: value and gradients of the n² definition', (variant) =>
    forShapes(async ({ width, d }, random) => {
      const leaves = { E: leaf(random, width, d), D: leaf(random, width, d) };
      if (!isClear(leaves.E, leaves.D, variant)) return;
      bench.begin();
      await checkGradients(
        bench,
        random,
        leaves,
        (tape, t) => ({ losses: [{ value: orthogonality(tape, t.E, t.D, variant), weight: 2.5 }] }),
        (l) => 2.5 * definition(l.E, l.D, variant),
      );
    }),
  );

  it.each(VARIANTS)('%s: encoder and decoder may be the same tensor', (variant) =>
    forShapes(async ({ width, d }, random) => {
      const leaves = { W: leaf(random, width, d) };
      if (!isClear(leaves.W, leaves.W, variant)) return;
      bench.begin();
      await checkGradients(
        bench,
        random,
        leaves,
        (tape, t) => ({ losses: [{ value: orthogonality(tape, t.W, t.W, variant), weight: 1 }] }),
        (l) => definition(l.W, l.W, variant),
      );
    }),
  );

  it('weight 0 and orthogonal rows: no gradient, nothing that is not finite', async () => {
    for (const weight of [0, 1]) {
      bench.begin();
      const [E, D] = [
        bench.matrix([
          [1, 0],
          [0, 1],
        ]),
        bench.matrix([
          [1, 0],
          [0, 1],
        ]),
      ];
      const gradient = bench.out('f32', 2, 2);
      const tape = new Tape(bench.device);
      tape.watch(E, gradient);
      const value = orthogonality(tape, E, D, 'paper_raw');
      tape.backward([{ value, weight }]);
      expect(await bench.read(value, 'f64')).toEqual(Float64Array.of(0));
      expect([...(await bench.read(gradient, 'f32'))].map(Math.abs)).toEqual([0, 0, 0, 0]);
    }
  });
});
