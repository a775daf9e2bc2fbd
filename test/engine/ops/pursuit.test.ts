import { expect, it } from 'vitest';
import { Random } from '../../../src/core/random.ts';
import { squaredError } from '../../../src/engine/ops/losses.ts';
import { pursuit } from '../../../src/engine/ops/pursuit.ts';
import { revival } from '../../../src/engine/ops/revival.ts';
import { Tape } from '../../../src/engine/tape.ts';
import { onEveryDevice, type Bench } from '../devices.ts';
import { checkGradients, forShapes, leaf, type Leaf } from './gradients.ts';
import * as naive from './naive.ts';

const NEVER = { threshold: 0, onRepeat: false };

/** Rows of length 1, up to float32. */
function units(random: Random, rows: number, d: number): Leaf {
  const made = leaf(random, rows, d);
  for (let r = 0; r < rows; r++) {
    const row = made.values.subarray(r * d, r * d + d);
    const norm = Math.hypot(...row);
    row.forEach((value, i) => (row[i] = Math.fround(value / norm)));
  }
  return made;
}

/** Latents of every step of every row; −1 where there was none. */
function stepsOf(x: Leaf, W: Leaf, center: Leaf, k: number, onRepeat = false): number[][] {
  const [rows, d] = x.shape;
  return Array.from({ length: rows }, (_, r) => {
    const left = naive.row(x.values, r, d).map((value, p) => value - center.values[p]);
    const steps: number[] = [];
    for (let t = 0; t < k; t++) {
      const scores = Array.from({ length: W.shape[0] }, (__, i) => naive.dot(naive.row(W.values, i, d), left));
      const latent = scores.indexOf(Math.max(...scores));
      if (scores[latent] <= 0) break;
      const again = onRepeat && steps.includes(latent);
      steps.push(latent);
      left.forEach((value, p) => (left[p] = value - scores[latent] * W.values[latent * d + p]));
      if (again) break;
    }
    return steps;
  });
}

/** r_k with the latents of the steps frozen. */
function residuals(x: Leaf, W: Leaf, center: Leaf, steps: readonly number[][]): Float64Array[] {
  const d = x.shape[1];
  return steps.map((latents, r) => {
    const left = naive.row(x.values, r, d).map((value, p) => value - center.values[p]);
    for (const latent of latents) {
      const w = naive.row(W.values, latent, d);
      const value = naive.dot(w, left);
      left.forEach((v, p) => (left[p] = v - value * w[p]));
    }
    return left;
  });
}

const squares = (rows: readonly Float64Array[]): number =>
  rows.reduce((sum, row) => sum + naive.dot(row, row), 0) / rows.length;

async function check(bench: Bench, random: Random, x: Leaf, W: Leaf, k: number, onRepeat: boolean): Promise<void> {
  const [rows, d] = x.shape;
  const center = leaf(random, d);
  const input = bench.put('f32', x.values, rows, d);
  const steps = stepsOf(x, W, center, k, onRepeat);
  await checkGradients(
    bench,
    random,
    { W, center },
    (tape, t) => {
      const { residual } = pursuit(tape, input, t.W, t.center, k, { threshold: 0, onRepeat });
      return { losses: [{ value: squaredError(tape, residual, null), weight: 0.7 }] };
    },
    (l) => 0.7 * squares(residuals(x, l.W, l.center, steps)),
  );
}

onEveryDevice((bench) => {
  it.each([false, true])('gradients by the dictionary and the center, through all steps (stop on repeat: %s)', (once) =>
    forShapes(async ({ rows, width, d, k }, random) => {
      bench.begin();
      // In one dimension ties are the rule.
      if (d === 1) return;
      const x = leaf(random, rows, d);
      await check(bench, random, x, units(random, width, d), Math.min(k, 5), once);
    }),
  );

  it('gradients where rows are taken in chunks', async () => {
    bench.begin();
    const random = new Random(4);
    // 2²² numbers are the steps of 40 rows.
    const [rows, d, k] = [45, 256, 400];
    await check(bench, random, leaf(random, rows, d), units(random, k, d), k, true);
  });

  it('the residual is what codes and dictionary leave over', () =>
    forShapes(async ({ rows, width, d, k }, random) => {
      bench.begin();
      const [x, W, center] = [leaf(random, rows, d), units(random, width, d), leaf(random, d)];
      const tape = new Tape(bench.device);
      const tensors = [
        bench.put('f32', x.values, rows, d),
        bench.put('f32', W.values, width, d),
        bench.put('f32', center.values, d),
      ] as const;
      const { codes, residual } = pursuit(tape, ...tensors, k, NEVER);
      const out = bench.device.scratch('f32', rows, d);
      bench.kernels.decode(out, codes, codes.value, tensors[1], tensors[2]);
      const [reconstruction, left] = [await bench.read(out, 'f32'), await bench.read(residual, 'f32')];
      x.values.forEach((value, i) => expect(reconstruction[i] + left[i]).toBeCloseTo(value, 4));
    }));

  it('revival: gradients by residual and silent rows', () =>
    forShapes(async ({ rows, width, d }, random) => {
      bench.begin();
      const leaves = { residual: leaf(random, rows, d), W: leaf(random, width, d) };
      const silent = Float64Array.from({ length: width }, () => random.below(2));
      const mask = bench.put('f32', silent);
      const count = silent.reduce((sum, v) => sum + v, 0);
      await checkGradients(
        bench,
        random,
        leaves,
        (tape, t) => ({ losses: [{ value: revival(tape, t.residual, t.W, mask), weight: -0.4 }] }),
        ({ residual, W }) => {
          let sum = 0;
          for (let r = 0; r < rows; r++)
            for (let i = 0; i < width; i++)
              if (silent[i]) sum += naive.dot(naive.row(residual.values, r, d), naive.row(W.values, i, d));
          return count === 0 ? 0 : (-0.4 * sum) / (rows * count);
        },
      );
    }));
});
