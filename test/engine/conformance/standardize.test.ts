import { expect, it } from 'vitest';
import { onEveryDevice } from '../devices.ts';
import * as oracle from '../oracle.ts';

const mean = (values: readonly number[]): number => oracle.sum(values) / values.length;

/** Unbiased. */
function variance(values: readonly number[]): number {
  const average = mean(values);
  return oracle.sum(values.map((value) => (value - average) ** 2)) / (values.length - 1);
}

onEveryDevice((bench) => {
  it('standardises every row by its own mean and unbiased deviation', () =>
    oracle.forShapes(async ({ rows, d }, random) => {
      if (d === 1) return;
      bench.begin();
      const epsilon = [1e-5, 0.5][random.below(2)];
      const x = oracle.normalMatrix(random, rows, d).map((row) => row.map((value) => Math.fround(3 * value + 2)));
      const [out, means, deviations] = [bench.out('f32', rows, d), bench.out('f32', rows), bench.out('f32', rows)];
      const input = bench.matrix(x);
      bench.kernels.standardizeRows({ out, mean: means, std: deviations }, input, epsilon);
      const std = x.map((row) => Math.sqrt(variance(row)));
      await bench.expectClose(means, x.map(mean));
      await bench.expectClose(deviations, std);
      // Two elements may lie close together: the division by their deviation magnifies what rounding made of them.
      if (Math.min(...std) < 0.1) return;
      await bench.expectClose(
        out,
        x.flatMap((row, r) => row.map((value) => (value - mean(row)) / (std[r] + epsilon))),
      );
    }));

  it('a row of equal elements becomes zeros', async () => {
    bench.begin();
    const [out, means, deviations] = [bench.out('f32', 2, 3), bench.out('f32', 2), bench.out('f32', 2)];
    const x = bench.matrix([
      [5, 5, 5],
      [1, 2, 3],
    ]);
    bench.kernels.standardizeRows({ out, mean: means, std: deviations }, x, 1);
    expect([...(await bench.read(out, 'f32'))]).toEqual([0, 0, 0, -0.5, 0, 0.5]);
    expect([...(await bench.read(deviations, 'f32'))]).toEqual([0, 1]);
  });

  it('restores rows, also in place', () =>
    oracle.forShapes(async ({ rows, d }, random) => {
      bench.begin();
      const a = oracle.normalMatrix(random, rows, d);
      const [std, average] = [oracle.normalVector(random, rows), oracle.normalVector(random, rows)];
      const [input, out] = [bench.matrix(a), bench.out('f32', rows, d)];
      const factors = [bench.vector(std), bench.vector(average)] as const;
      bench.kernels.restoreRows(out, input, ...factors);
      bench.kernels.restoreRows(input, input, ...factors);
      const expected = a.flatMap((row, r) => row.map((value) => value * std[r] + average[r]));
      await bench.expectClose(out, expected);
      await bench.expectClose(input, expected);
    }));

  it('variance of all elements: one mean for all, unbiased', () =>
    oracle.forShapes(async ({ rows, d }, random) => {
      if (rows * d === 1) return;
      bench.begin();
      const epsilon = random.below(2);
      const a = oracle.normalMatrix(random, rows, d).map((row) => row.map((value) => Math.fround(value + 3)));
      const [out, input] = [bench.out('f64', 1), bench.matrix(a)];
      bench.kernels.variance(out, input, epsilon);
      const [actual] = await bench.read(out, 'f64');
      expect(Math.abs(actual - variance(a.flat()) - epsilon)).toBeLessThan(1e-9);
    }));
});
