import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { LogisticRows } from '../../src/evals/logistic-kernels.ts';

const value = fc.double({ noNaN: true, min: -100, max: 100 });

it('computes logits and weighted sums of rows, whatever their number and width', () => {
  const rows = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })).chain(([n, d]) =>
    fc.record({
      d: fc.constant(d),
      x: fc.array(value, { minLength: n * d, maxLength: n * d }),
      w: fc.array(value, { minLength: d, maxLength: d }),
      factors: fc.array(value, { minLength: n, maxLength: n }),
      intercept: value,
    }),
  );
  fc.assert(
    fc.property(rows, ({ d, x, w, factors, intercept }) => {
      const n = factors.length;
      const kernels = new LogisticRows(Float64Array.from(x), d);
      const logits = kernels.logits(Float64Array.from(w), intercept).slice();
      const sum = kernels.weightedSum(Float64Array.from(factors)).slice();
      expect([logits.length, sum.length]).toEqual([n, d]);
      for (let i = 0; i < n; i++) {
        const exact = w.reduce((total, weight, j) => total + weight * x[i * d + j], intercept);
        expect(logits[i]).toBeCloseTo(exact, 8);
      }
      for (let j = 0; j < d; j++) {
        const exact = factors.reduce((total, factor, i) => total + factor * x[i * d + j], 0);
        expect(sum[j]).toBeCloseTo(exact, 8);
      }
      // Nothing of one call is left in the next.
      expect(kernels.logits(Float64Array.from(w), intercept)).toEqual(logits);
    }),
  );
});

it('takes float32 rows, and more than its first memory holds', () => {
  const [n, d] = [2000, 100];
  const kernels = new LogisticRows(new Float32Array(n * d).fill(0.5), d);
  expect(kernels.logits(new Float64Array(d).fill(2), 1)[n - 1]).toBe(101);
  expect(kernels.weightedSum(new Float64Array(n).fill(1))[d - 1]).toBe(1000);
});
