import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codesFromDense } from '../../../src/core/codes.ts';
import { Random } from '../../../src/core/random.ts';
import { fitSparseProbe, hits, meanDifferences, strongest } from '../../../src/evals/probing/k-sparse.ts';

const WIDTH = 8;

/** Rows with sparse codes, the first half of class 1. */
function rows(count: number, seed: number, code: (latent: number, label: number, random: Random) => number) {
  const random = new Random(seed, 'rows');
  const labels = Uint8Array.from({ length: count }, (_, row) => (row < count / 2 ? 1 : 0));
  const dense = Float32Array.from({ length: count * WIDTH }, (_, at) =>
    code(at % WIDTH, labels[Math.floor(at / WIDTH)], random),
  );
  return { dense, examples: { rows: Int32Array.from(labels.keys()), labels } };
}

const noise = (random: Random): number => (random.uniform() < 0.3 ? random.uniform() : 0);

describe('the latents of a k-sparse probe', () => {
  it('are those with the largest differences of the means, ties to the lower', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 30 }),
        fc.nat(6),
        fc.nat(29),
        (differences, k, from) => {
          const order = [...differences.keys()].slice(from).sort((a, b) => differences[b] - differences[a] || a - b);
          const range = { from, to: differences.length };
          expect(strongest(Float64Array.from(differences), k, range)).toEqual(order.slice(0, k));
        },
      ),
    );
  });

  it('do not depend on the order of latents', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: WIDTH }), (seed, order) => {
        const { dense, examples } = rows(
          40,
          seed,
          (latent, label, random) => noise(random) * (latent === 3 ? label + 1 : 1),
        );
        const moved = dense.map((_, at) => dense[at - (at % WIDTH) + order[at % WIDTH]]);
        const [codes, permuted] = [dense, moved].map((matrix) => codesFromDense(matrix, 40, WIDTH));
        const expected = meanDifferences(codes, examples);
        const got = meanDifferences(permuted, examples);
        order.forEach((latent, at) => expect(got[at]).toBeCloseTo(expected[latent], 12));
      }),
    );
  });
});

describe('a k-sparse probe', () => {
  it('is always right where a latent is the class, and a coin where none knows it', () => {
    const perfect = rows(200, 1, (latent, label, random) => (latent === 5 ? label : noise(random)));
    const blind = rows(2000, 2, (_, _label, random) => noise(random));
    const accuracy = ({ dense, examples }: typeof perfect): number => {
      const half = (odd: number) => {
        const chosen = examples.rows.filter((row) => row % 2 === odd);
        return { rows: chosen, labels: Uint8Array.from(chosen, (row) => examples.labels[row]) };
      };
      const codes = codesFromDense(dense, examples.labels.length, WIDTH);
      const [train, test] = [half(0), half(1)];
      const right = hits(fitSparseProbe(codes, strongest(meanDifferences(codes, train), 1), train), codes, test);
      return right.reduce((sum, hit) => sum + hit, 0) / right.length;
    };
    expect(accuracy(perfect)).toBe(1);
    expect(Math.abs(accuracy(blind) - 0.5)).toBeLessThan(0.06);
  });
});
