import { expect, it } from 'vitest';
import { squaredError } from '../../../src/engine/ops/losses.ts';
import { restore, standardize } from '../../../src/engine/ops/standardize.ts';
import { Tape } from '../../../src/engine/tape.ts';
import { onEveryDevice } from '../devices.ts';
import { checkGradients, forShapes, leaf } from './gradients.ts';
import * as naive from './naive.ts';

/** Mean and unbiased standard deviation of a row. */
function moments(row: Float64Array): { mean: number; std: number } {
  const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
  const square = row.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, std: Math.sqrt(square / (row.length - 1)) };
}

onEveryDevice((bench) => {
  it('restore: r · s + m, by s alone although the rows were divided by s + 1e-5; gradient of r', () =>
    forShapes(async ({ rows, d }, random) => {
      if (d === 1) return;
      bench.begin();
      const [x, target] = [leaf(random, rows, d), leaf(random, rows, d)];
      const [input, goal] = [bench.put('f32', x.values, rows, d), bench.put('f32', target.values, rows, d)];
      await checkGradients(
        bench,
        random,
        { a: leaf(random, rows, d) },
        (tape, t) => {
          const standardized = standardize(tape, input);
          const [first, second] = [restore(tape, t.a, standardized), restore(tape, t.a, standardized)];
          return {
            losses: [
              { value: squaredError(tape, first, goal), weight: 0.5 },
              { value: squaredError(tape, second, input), weight: 1 },
            ],
          };
        },
        (l) => {
          const out = Array.from({ length: rows }, (_, r) => {
            const { mean, std } = moments(naive.row(x.values, r, d));
            return naive.row(l.a.values, r, d).map((value) => value * std + mean);
          });
          return 0.5 * naive.squaredError(out, target) + naive.squaredError(out, x);
        },
      );
    }));

  it('standardised rows are restored to all but the 1e-5', async () => {
    bench.begin();
    const x = [
      [1, 2, 4],
      [-3, 0, 3],
    ];
    const tape = new Tape(bench.device);
    const standardized = standardize(tape, bench.matrix(x));
    const out = await bench.read(restore(tape, standardized.rows, standardized), 'f32');
    x.flat().forEach((value, i) => expect(Math.abs(out[i] - value)).toBeLessThan(3e-5));
  });
});
