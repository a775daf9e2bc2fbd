import { it } from 'vitest';
import { onEveryDevice } from '../devices.ts';
import * as oracle from '../oracle.ts';

onEveryDevice((bench) => {
  it('rowNorms: the length of every row', () =>
    oracle.forShapes(async ({ width, d }, random) => {
      bench.begin();
      const W = oracle.normalMatrix(random, width, d);
      W[random.below(width)].fill(0);
      const [out, weights] = [bench.out('f32', width), bench.matrix(W)];
      bench.kernels.rowNorms(out, weights);
      await bench.expectClose(
        out,
        W.map((row) => Math.hypot(...row)),
      );
    }));

  it('norm-weighted sums and their slopes, straight and tanh', () =>
    oracle.forShapes(async ({ rows, width, k }, random) => {
      bench.begin();
      const norms = oracle.normalVector(random, width).map((value) => (random.below(5) === 0 ? 0 : Math.abs(value)));
      const drawn = oracle.fullRows(random, rows, width, k);
      const shape = { kind: (['l1', 'tanh'] as const)[random.below(2)], scale: 1.5 };
      const accumulate = random.below(2) === 1;
      const before = oracle.normalVector(random, rows * k);
      const [lengths, rowSums, dValue] = [bench.vector(norms), bench.out('f64', rows), bench.vector(before)];
      const coefficient = bench.out('f32', rows * k);
      const codes = bench.fixedCodes(drawn, width);
      bench.kernels.normWeightedSums(rowSums, codes, lengths, shape);
      const target = { tensor: dValue, accumulate };
      bench.kernels.normWeightedGradient({ dValue: target, coefficient }, codes, lengths, shape, 0.5);
      const phi = (u: number): number => (shape.kind === 'tanh' ? Math.tanh(1.5 * u) : u);
      const slope = (u: number): number => 0.5 * (shape.kind === 'tanh' ? 1.5 / Math.cosh(1.5 * u) ** 2 : 1);
      await bench.expectClose(
        rowSums,
        drawn.map((row) => oracle.sum(row.map(({ latent, value }) => phi(value * norms[latent])))),
      );
      const entries = drawn.flat().map(({ latent, value }) => ({ value, norm: norms[latent] }));
      await bench.expectClose(
        dValue,
        entries.map(({ value, norm }, e) => slope(value * norm) * norm + (accumulate ? before[e] : 0)),
      );
      await bench.expectClose(
        coefficient,
        entries.map(({ value, norm }) => (norm === 0 ? 0 : (slope(value * norm) * value) / norm)),
      );
    }));
});
