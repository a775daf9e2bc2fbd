import { it } from 'vitest';
import { onEveryDevice } from '../devices.ts';
import * as oracle from '../oracle.ts';
import type { Matrix } from '../oracle.ts';

onEveryDevice((bench) => {
  it.each(['nt', 'nn', 'tn'] as const)('product %s', (kind) =>
    oracle.forShapes(async ({ rows, width, d }, random) => {
      bench.begin();
      // For tn, more than 64 columns of `a` make several blocks of the CPU device.
      const [m, n, depth] = kind === 'tn' ? [3 * width, d, rows] : [rows, width, d];
      const [a, b] = [oracle.normalMatrix(random, m, depth), oracle.normalMatrix(random, depth, n)];
      const left = bench.matrix(kind === 'tn' ? oracle.transpose(a) : a);
      const right = bench.matrix(kind === 'nt' ? oracle.transpose(b) : b);
      const out = bench.out('f32', m, n);
      bench.kernels.product(out, left, right, kind);
      await bench.expectClose(out, oracle.multiply(a, b).flat());
    }),
  );

  it('subtractRow, scale, clear', () =>
    oracle.forShapes(async ({ rows, d }, random) => {
      bench.begin();
      const [x, row] = [oracle.normalMatrix(random, rows, d), oracle.normalVector(random, d)];
      const [input, difference] = [bench.matrix(x), bench.out('f32', rows, d)];
      const [scaled, added, cleared] = [bench.out('f32', rows, d), bench.matrix(x), bench.out('f64', rows)];
      bench.kernels.subtractRow(difference, input, bench.vector(row));
      bench.kernels.scale(scaled, false, input, 0.3);
      bench.kernels.scale(added, true, input, -0.7);
      bench.kernels.clear(cleared);
      const times = (factor: number): number[] => x.flat().map((value) => factor * value);
      await bench.expectClose(
        difference,
        oracle
          .add(
            x,
            x.map(() => row),
            -1,
          )
          .flat(),
      );
      await bench.expectClose(scaled, times(0.3));
      await bench.expectClose(added, times(0.3));
      await bench.expectClose(
        cleared,
        x.map(() => 0),
      );
    }));

  it('place: copies to a place in a larger array', () =>
    oracle.forShapes(async ({ rows, d }, random) => {
      bench.begin();
      const [before, a] = [oracle.normalVector(random, 2 * rows * d), oracle.normalVector(random, rows * d)];
      const at = random.below(rows * d + 1);
      const out = bench.vector(before);
      bench.kernels.place(out, at, bench.put('f32', a, rows, d));
      await bench.expectClose(out, before.toSpliced(at, a.length, ...a));
    }));

  it('squaredDifference: difference and its squared norm per row, also in place', () =>
    oracle.forShapes(async ({ rows, d }, random) => {
      bench.begin();
      const [a, b] = [oracle.normalMatrix(random, rows, d), oracle.normalMatrix(random, rows, d)];
      const alone = random.below(3) === 0;
      const left = bench.matrix(a);
      const difference = random.below(2) ? left : bench.out('f32', rows, d);
      const rowSums = bench.out('f64', rows);
      bench.kernels.squaredDifference(difference, rowSums, left, alone ? null : bench.matrix(b));
      const expected = alone ? a : oracle.add(a, b, -1);
      await bench.expectClose(difference, expected.flat());
      await bench.expectClose(
        rowSums,
        expected.map((row) => oracle.dot(row, row)),
      );
    }));

  it('sum, innerProduct and maximum, over several pieces', () =>
    oracle.forShapes(async ({ rows, d }, random) => {
      bench.begin();
      const [values, a, b] = [1, 2, 3].map(() => oracle.normalVector(random, rows * d));
      const [total, inner, largest] = [1, 2, 3].map(() => bench.out('f64', 1));
      const [left, right] = [bench.put('f32', a, rows, d), bench.put('f32', b, rows, d)];
      bench.kernels.sum(total, bench.put('f64', values), 0.1);
      bench.kernels.innerProduct(inner, left, right);
      bench.kernels.maximum(largest, left);
      await bench.expectClose(total, [0.1 * oracle.sum(values)]);
      await bench.expectClose(inner, [oracle.dot(a, b)]);
      await bench.expectClose(largest, [Math.max(...a)]);
    }));

  it('clampedRatio: between its bounds, without a divisor, and by 0', async () => {
    bench.begin();
    const number = (value: number) => bench.put('f64', [value]);
    const [a, b, zero] = [number(3), number(4), number(0)];
    const cases: [divisor: typeof a | null, scale: number, expected: number][] = [
      [b, 2, 1.5],
      [b, 20, 5],
      [b, -2, 0.5],
      [null, 0.3, 0.9],
      [zero, 1, 5],
    ];
    for (const [divisor, scale, expected] of cases) {
      const out = bench.device.scratch('f64', 1);
      bench.kernels.clampedRatio(out, a, divisor, scale, 0.5, 5);
      await bench.expectClose(out, [expected]);
    }
  });

  it.each([2.5, 0])('divide, scaleBy and rootOfSum with the divisor %d', async (divisor) => {
    bench.begin();
    const number = (value: number) => bench.put('f64', [value]);
    const [numerator, by, negative] = [number(5), number(divisor), number(-9)];
    const [quotient, ...roots] = [1, 2, 3, 4].map(() => bench.out('f64', 1));
    const [a, scaled, added] = [bench.vector([1, -2, 4]), bench.out('f32', 3), bench.vector([1, 1, 1])];
    bench.kernels.divide(quotient, numerator, by);
    bench.kernels.scaleBy(scaled, false, a, 5, by);
    bench.kernels.scaleBy(added, true, a, -5, by);
    const terms = [numerator, by, negative].map((term, i) => ({ term, weight: [2, 4, -1][i] }));
    bench.kernels.rootOfSum(roots[0], terms, 3);
    bench.kernels.rootOfSum(roots[1], terms.slice(0, 2), -1);
    bench.kernels.rootOfSum(roots[2], [{ term: negative, weight: 1 }], 1);
    const factor = divisor === 0 ? 0 : 5 / divisor;
    await bench.expectClose(quotient, [factor]);
    await bench.expectClose(scaled, [factor, -2 * factor, 4 * factor]);
    await bench.expectClose(added, [1 - factor, 1 + 2 * factor, 1 - 4 * factor]);
    await bench.expectClose(roots[0], [3 * Math.sqrt(10 + 4 * divisor + 9)]);
    await bench.expectClose(roots[1], [-Math.sqrt(10 + 4 * divisor)]);
    await bench.expectClose(roots[2], [0]);
  });

  it('columnSum: weighted sum of the rows', () =>
    oracle.forShapes(async ({ rows, d }, random) => {
      bench.begin();
      const [a, weights] = [oracle.normalMatrix(random, rows, d), oracle.normalVector(random, rows)];
      const before = oracle.normalVector(random, d);
      const [weighted, accumulate] = [random.below(2) === 1, random.below(2) === 1];
      const out = bench.vector(before);
      bench.kernels.columnSum(out, accumulate, bench.matrix(a), weighted ? bench.vector(weights) : null, 0.5);
      const factors = weighted ? weights : weights.map(() => 1);
      const sums = oracle.transpose(a).map((column) => 0.5 * oracle.dot(column, factors));
      await bench.expectClose(
        out,
        sums.map((value, i) => value + (accumulate ? before[i] : 0)),
      );
    }));

  it('rowDots: with a row each, or one for all', () =>
    oracle.forShapes(async ({ rows, d }, random) => {
      bench.begin();
      const [a, b] = [oracle.normalMatrix(random, rows, d), oracle.normalMatrix(random, rows, d)];
      const [each, one, left] = [bench.out('f32', rows), bench.out('f32', rows), bench.matrix(a)];
      const [matrix, row] = [bench.matrix(b), bench.vector(b[0])];
      bench.kernels.rowDots(each, left, matrix);
      bench.kernels.rowDots(one, left, row);
      await bench.expectClose(
        each,
        a.map((values, r) => oracle.dot(values, b[r])),
      );
      await bench.expectClose(
        one,
        a.map((values) => oracle.dot(values, b[0])),
      );
    }));

  it('scaleRows: with a row each, or one for all', () =>
    oracle.forShapes(async ({ rows, d }, random) => {
      bench.begin();
      const [a, before] = [oracle.normalMatrix(random, rows, d), oracle.normalMatrix(random, rows, d)];
      const weights = oracle.normalVector(random, rows);
      const [weighted, accumulate, same] = [1, 2, 3].map(() => random.below(2) === 1);
      const out = bench.matrix(before);
      const input = same ? bench.vector(a[0]) : bench.matrix(a);
      bench.kernels.scaleRows(out, accumulate, weighted ? bench.vector(weights) : null, input, -2);
      const rowsOf: Matrix = a.map((row, r) => (same ? a[0] : row).map((v) => -2 * (weighted ? weights[r] : 1) * v));
      await bench.expectClose(out, (accumulate ? oracle.add(rowsOf, before) : rowsOf).flat());
    }));
});
