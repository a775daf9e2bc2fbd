import { expect, it } from 'vitest';
import { decode } from '../../../src/engine/ops/decode.ts';
import { encodeTop, RELU } from '../../../src/engine/ops/encode.ts';
import {
  absoluteSum,
  normalizedError,
  relativeError,
  residualRatio,
  squaredError,
} from '../../../src/engine/ops/losses.ts';
import { Tape } from '../../../src/engine/tape.ts';
import { onEveryDevice } from '../devices.ts';
import { checkGradients, forShapes, leaf, type Leaf } from './gradients.ts';
import * as naive from './naive.ts';

/** Σ_b ‖target_b − mean‖² / B */
function variance({ values, shape: [rows, d] }: Leaf): number {
  const mean = new Float64Array(d);
  values.forEach((value, i) => (mean[i % d] += value / rows));
  return values.reduce((sum, value, i) => sum + (value - mean[i % d]) ** 2, 0) / rows;
}

const squares = (values: Float64Array): number => values.reduce((sum, value) => sum + value * value, 0);

/** mean((a − x)²) / (Var x + 1e-8) */
function relative(a: Float64Array, { values: x }: Leaf): number {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  const variance = squares(x.map((value) => value - mean)) / (x.length - 1);
  return squares(a.map((value, i) => value - x[i])) / x.length / (variance + 1e-8);
}

/** Σ (e − ê)² / Σ (e − mean of e over its row)², e = x − x̂ */
function ratioOfResidual(estimate: Float64Array, reconstruction: Float64Array, x: Float64Array, d: number): number {
  const residual = x.map((value, i) => value - reconstruction[i]);
  const means = new Float64Array(x.length / d);
  residual.forEach((value, i) => (means[Math.floor(i / d)] += value / d));
  return (
    squares(residual.map((value, i) => value - estimate[i])) /
    squares(residual.map((value, i) => value - means[Math.floor(i / d)]))
  );
}

onEveryDevice((bench) => {
  it('squaredError: by a matrix of its own, twice, with weights of which one is 0', () =>
    forShapes(async ({ rows, d }, random) => {
      bench.begin();
      const [a, b, c] = [leaf(random, rows, d), leaf(random, rows, d), leaf(random, rows, d)];
      const [first, second] = [bench.put('f32', b.values, rows, d), bench.put('f32', c.values, rows, d)];
      const rowsOf = (l: Leaf): Float64Array[] => Array.from({ length: rows }, (_, r) => naive.row(l.values, r, d));
      await checkGradients(
        bench,
        random,
        { a },
        (tape, t) => ({
          losses: [
            { value: squaredError(tape, t.a, first), weight: 1.5 },
            { value: squaredError(tape, t.a, second), weight: 0 },
            { value: squaredError(tape, t.a, second), weight: -0.25 },
          ],
        }),
        (l) => 1.5 * naive.squaredError(rowsOf(l.a), b) - 0.25 * naive.squaredError(rowsOf(l.a), c),
      );
    }));

  it('normalizedError: gradient of the estimate only, the target is data', () =>
    forShapes(async ({ rows, width, d, k }, random) => {
      if (rows === 1) return;
      bench.begin();
      const [x, W, D] = [leaf(random, rows, d), leaf(random, width, d), leaf(random, width, d)];
      const input = bench.put('f32', x.values, rows, d);
      const target = leaf(random, rows, d);
      const targetTensor = bench.put('f32', target.values, rows, d);
      const denominator = variance(target);
      await checkGradients(
        bench,
        random,
        { W, D },
        (tape, t) => {
          const codes = encodeTop(tape, input, { W: t.W, bias: null, center: null, floor: RELU }, k);
          const estimate = decode(tape, codes, t.D, null);
          return {
            losses: [
              { value: normalizedError(tape, estimate, targetTensor), weight: 0.125 },
              { value: squaredError(tape, estimate, input), weight: 1 },
            ],
            selections: [codes],
          };
        },
        (l, [selection]) => {
          const out = naive.decode(naive.encode(x, l.W, null, null, selection), l.D, null);
          return (0.125 * naive.squaredError(out, target)) / denominator + naive.squaredError(out, x);
        },
      );
    }));

  it('normalizedError of a target that does not vary is 0 and has no gradient', async () => {
    bench.begin();
    const estimate = bench.matrix([[1, 2, 3]]);
    const gradient = bench.out('f32', 1, 3);
    const tape = new Tape(bench.device);
    tape.watch(estimate, gradient);
    const value = normalizedError(tape, estimate, bench.matrix([[4, 5, 6]]));
    tape.backward([{ value, weight: 1 }]);
    expect(await bench.read(value, 'f64')).toEqual(Float64Array.of(0));
    expect([...(await bench.read(gradient, 'f32'))].map(Math.abs)).toEqual([0, 0, 0]);
  });

  it('relativeError: relative to the variance of all elements around one mean', () =>
    forShapes(async ({ rows, d }, random) => {
      if (rows * d === 1) return;
      bench.begin();
      const [x, other] = [leaf(random, rows, d), leaf(random, rows, d)];
      const [input, second] = [bench.put('f32', x.values, rows, d), bench.put('f32', other.values, rows, d)];
      await checkGradients(
        bench,
        random,
        { a: leaf(random, rows, d) },
        (tape, t) => ({
          losses: [
            { value: relativeError(tape, t.a, input), weight: 0.5 },
            { value: relativeError(tape, t.a, second), weight: -0.25 },
            { value: relativeError(tape, t.a, second), weight: 0 },
          ],
        }),
        (l) => 0.5 * relative(l.a.values, x) - 0.25 * relative(l.a.values, other),
      );
    }));

  it('residualRatio: gradients of estimate and reconstruction, through numerator and denominator', () =>
    forShapes(async ({ rows, width, d, k }, random) => {
      if (d === 1) return;
      bench.begin();
      const [x, W, D, bias] = [leaf(random, rows, d), leaf(random, width, d), leaf(random, width, d), leaf(random, d)];
      const input = bench.put('f32', x.values, rows, d);
      await checkGradients(
        bench,
        random,
        { W, D, bias, estimate: leaf(random, rows, d), reconstruction: leaf(random, rows, d) },
        (tape, t) => {
          const codes = encodeTop(tape, input, { W: t.W, bias: null, center: null, floor: RELU }, k);
          const out = decode(tape, codes, t.D, t.bias);
          return {
            losses: [
              { value: residualRatio(tape, t.estimate, out, input), weight: 0.5 },
              { value: residualRatio(tape, out, t.reconstruction, input), weight: -0.25 },
              { value: residualRatio(tape, t.estimate, t.reconstruction, input), weight: 0 },
            ],
            selections: [codes],
          };
        },
        (l, [selection]) => {
          const out = naive.decode(naive.encode(x, l.W, null, null, selection), l.D, l.bias);
          const flat = Float64Array.from(out.flatMap((row) => [...row]));
          const [estimate, reconstruction] = [l.estimate.values, l.reconstruction.values];
          return (
            0.5 * ratioOfResidual(estimate, flat, x.values, d) -
            0.25 * ratioOfResidual(flat, reconstruction, x.values, d)
          );
        },
      );
    }));

  it('residualRatio of a residual without spread is 0 and has no gradient', async () => {
    bench.begin();
    const [estimate, reconstruction] = [bench.matrix([[1, 2, 3]]), bench.matrix([[3, 4, 5]])];
    const gradients = [bench.out('f32', 1, 3), bench.out('f32', 1, 3)];
    const tape = new Tape(bench.device);
    tape.watch(estimate, gradients[0]);
    tape.watch(reconstruction, gradients[1]);
    const value = residualRatio(tape, estimate, reconstruction, bench.matrix([[4, 5, 6]]));
    tape.backward([{ value, weight: 1 }]);
    expect(await bench.read(value, 'f64')).toEqual(Float64Array.of(0));
    for (const gradient of gradients) expect([...(await bench.read(gradient, 'f32'))].map(Math.abs)).toEqual([0, 0, 0]);
  });

  it('absoluteSum, weight 0: no gradient flows, watched tensors get zeros', () =>
    forShapes(async ({ rows, width, d, k }, random) => {
      bench.begin();
      const [x, W] = [leaf(random, rows, d), leaf(random, width, d)];
      const input = bench.put('f32', x.values, rows, d);
      await checkGradients(
        bench,
        random,
        { W, unused: leaf(random, 3, 2) },
        (tape, t) => {
          const codes = encodeTop(tape, input, { W: t.W, bias: null, center: null, floor: RELU }, k);
          return { losses: [{ value: absoluteSum(tape, codes), weight: 0 }] };
        },
        () => 0,
      );
    }, 5));
});
