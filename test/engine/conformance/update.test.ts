import { it } from 'vitest';
import { onEveryDevice } from '../devices.ts';
import * as oracle from '../oracle.ts';
import type { Matrix } from '../oracle.ts';

const norm = (row: readonly number[]): number => Math.sqrt(oracle.dot(row, row));

/** Rows of which the first is zero. */
function drawRows(random: Parameters<typeof oracle.normalMatrix>[0], rows: number, d: number): Matrix {
  const W = oracle.normalMatrix(random, rows, d);
  W[0] = W[0].map(() => 0);
  return W;
}

onEveryDevice((bench) => {
  it.each([0, 1e-3])('projectRows and normalizeRows with epsilon %d, over the last of three axes', (epsilon) =>
    oracle.forShapes(async ({ rows, d, block }, random) => {
      bench.begin();
      const W = drawRows(random, rows * block, d);
      const G = oracle.normalMatrix(random, rows * block, d);
      const weights = bench.put('f32', W.flat(), rows, block, d);
      const gradient = bench.put('f32', G.flat(), rows, block, d);
      const square = bench.out('f64', 1);
      bench.kernels.projectRows(gradient, square, weights, epsilon);
      bench.kernels.normalizeRows(weights, epsilon);
      const unit = W.map((row) => row.map((w) => w / Math.max(norm(row) + epsilon, 1e-30)));
      const projected = G.map((row, r) => row.map((g, i) => g - oracle.dot(row, unit[r]) * unit[r][i]));
      await bench.expectClose(weights, unit.flat());
      await bench.expectClose(gradient, projected.flat());
      await bench.expectClose(square, [oracle.sum(projected.flat().map((g) => g * g))]);
    }),
  );

  it('normalizeRowsGradient: gradient through the unit norm', () =>
    oracle.forShapes(async ({ rows, d }, random) => {
      bench.begin();
      const epsilon = 1e-3;
      const [W, dU] = [drawRows(random, rows, d), oracle.normalMatrix(random, rows, d)];
      const before = oracle.normalMatrix(random, rows, d);
      const accumulate = random.below(2) === 1;
      const out = bench.matrix(before);
      bench.kernels.normalizeRowsGradient(out, accumulate, bench.matrix(dU), bench.matrix(W), epsilon);
      const gradient = W.map((row, r) => {
        const n = norm(row);
        const along = oracle.dot(row, dU[r]) / (n * (n + epsilon) ** 2);
        return row.map((w, i) => (n === 0 ? 0 : dU[r][i] / (n + epsilon) - w * along));
      });
      await bench.expectClose(out, (accumulate ? oracle.add(gradient, before) : gradient).flat());
    }));

  it('adam: three steps', () =>
    oracle.forShapes(async ({ rows, d }, random) => {
      bench.begin();
      const p = oracle.normalVector(random, rows * d);
      const [m, v] = [p.map(() => 0), p.map(() => 0)];
      const [parameter, first, second] = [bench.vector(p), bench.vector(m), bench.vector(v)];
      const gradients = [1, 2, 3].map(() => oracle.normalVector(random, rows * d));
      const tensors = gradients.map((gradient) => bench.vector(gradient));
      const [beta1, beta2, lr, epsilon, gradientScale, decay] = [0.9, 0.999, 1e-2, 1e-8, 0.5, 0.99];
      const coupledDecay = random.below(2) * 0.3;
      gradients.forEach((gradient, t) => {
        const [correction1, correction2] = [1 - beta1 ** (t + 1), 1 - beta2 ** (t + 1)];
        const [stepSize, correction] = [lr / correction1, 1 / Math.sqrt(correction2)];
        const step = { gradientScale, beta1, beta2, stepSize, correction, epsilon, decay, coupledDecay };
        bench.kernels.adam(parameter, tensors[t], first, second, step);
        gradient.forEach((g, i) => {
          const seen = gradientScale * g + coupledDecay * p[i];
          m[i] = beta1 * m[i] + (1 - beta1) * seen;
          v[i] = beta2 * v[i] + (1 - beta2) * seen ** 2;
          p[i] = decay * p[i] - (lr * (m[i] / correction1)) / (Math.sqrt(v[i] / correction2) + epsilon);
        });
      });
      await bench.expectClose(parameter, p);
      await bench.expectClose(first, m);
      await bench.expectClose(second, v);
    }));

  it('adam with unit rows: adam, then normalizeRows', () =>
    oracle.forShapes(async ({ rows, d }, random) => {
      bench.begin();
      const [p, g] = [oracle.normalMatrix(random, rows, d), oracle.normalMatrix(random, rows, d)];
      const step = {
        gradientScale: 1,
        beta1: 0.9,
        beta2: 0.999,
        stepSize: 0.01,
        correction: 31,
        epsilon: 1e-8,
        decay: 1,
        coupledDecay: 0,
      };
      const [fused, apart] = [bench.matrix(p), bench.matrix(p)];
      const gradient = bench.matrix(g);
      const [m1, v1, m2, v2] = Array.from({ length: 4 }, () => bench.matrix(p.map((row) => row.map(() => 0))));
      bench.kernels.adam(fused, gradient, m1, v1, step, { epsilon: 1e-3 });
      bench.kernels.adam(apart, gradient, m2, v2, step);
      bench.kernels.normalizeRows(apart, 1e-3);
      await bench.expectClose(fused, [...(await bench.read(apart, 'f32'))]);
    }));
});
