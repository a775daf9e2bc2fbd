import { expect, it } from 'vitest';
import { onEveryDevice } from '../devices.ts';
import * as oracle from '../oracle.ts';

const mean = (values: readonly number[]): number => oracle.sum(values) / values.length;

onEveryDevice((bench) => {
  it('normalises rows of codes, zeros included, and takes gradients back to the entries', () =>
    oracle.forShapes(async ({ rows: count, width, k }, random) => {
      bench.begin();
      const rows = oracle.fullRows(random, count, width, k);
      const dOut = oracle.normalMatrix(random, count, width);
      const dense = oracle.spread(
        rows,
        rows.flat().map(({ value }) => value),
        width,
      );
      const codes = bench.fixedCodes(rows, width);
      const gradient = bench.matrix(dOut);
      const out = {
        out: bench.out('f32', count, width),
        std: bench.out('f32', count),
        silent: bench.out('f64', count),
      };
      const start = oracle.normalVector(random, count * k);
      const [dValue, more] = [bench.out('f32', count * k), bench.vector(start)];
      bench.kernels.normalizeCodes(out, codes);
      bench.kernels.normalizeCodesGradient({ tensor: dValue, accumulate: false }, codes, out, gradient);
      bench.kernels.normalizeCodesGradient({ tensor: more, accumulate: true }, codes, out, gradient);
      const std = dense.map((row) => Math.sqrt(mean(row.map((v) => (v - mean(row)) ** 2))));
      await bench.expectClose(out.std, std);
      expect([...(await bench.read(out.silent, 'f64'))]).toEqual(dense.map((row) => Number(row.every((v) => v === 0))));
      const [y, taken, added] = [
        await bench.read(out.out, 'f32'),
        await bench.read(dValue, 'f32'),
        await bench.read(more, 'f32'),
      ];
      let e = 0;
      for (const [r, row] of dense.entries()) {
        const expected = row.map((v) => (v - mean(row)) / std[r]);
        const along = mean(dOut[r].map((g, i) => g * expected[i]));
        // Nearly equal elements are divided by nearly nothing.
        const isClear = std[r] > 1e-3;
        for (const [i, value] of expected.entries()) {
          if (std[r] === 0) expect(y[r * width + i]).toBeNaN();
          else if (isClear) expect(Math.abs(y[r * width + i] - value)).toBeLessThan(1e-4 * (1 + Math.abs(value)));
        }
        for (const { latent } of rows[r]) {
          const g = (dOut[r][latent] - mean(dOut[r]) - expected[latent] * along) / std[r];
          if (isClear) {
            const allowed = (1e-4 / std[r]) * (1 + Math.abs(expected[latent]));
            expect(Math.abs(taken[e] - g)).toBeLessThan(allowed);
            expect(Math.abs(added[e] - g - start[e])).toBeLessThan(allowed);
          }
          e++;
        }
      }
    }));
});
