import { expect, it } from 'vitest';
import type { PursuitStops } from '../../../src/engine/kernels.ts';
import { onEveryDevice, type Bench } from '../devices.ts';
import * as oracle from '../oracle.ts';
import type { Matrix, Rows } from '../oracle.ts';

interface Naive {
  left: number[];
  /** Every step that was taken. */
  steps: { latent: number; value: number; left: number[] }[];
}

/** The loop as it is written down, in float64. */
function pursue(x: readonly number[], W: Matrix, k: number, { threshold, onRepeat }: PursuitStops): Naive {
  let left = [...x];
  const steps: Naive['steps'] = [];
  while (steps.length < k) {
    const scores = W.map((row) => oracle.dot(row, left));
    const latent = scores.indexOf(Math.max(...scores));
    const value = scores[latent];
    if (value <= 0) break;
    const again = steps.some((step) => step.latent === latent);
    steps.push({ latent, value, left });
    left = left.map((v, p) => v - value * W[latent][p]);
    if ((onRepeat && again) || Math.hypot(...left) < threshold) break;
  }
  return { left, steps };
}

/** Latents with summed values, filled with value 0 from latent 0 upwards. */
function codesOf({ steps }: Naive, k: number): Rows[number] {
  const taken = new Map<number, number>();
  for (const { latent, value } of steps) taken.set(latent, (taken.get(latent) ?? 0) + value);
  for (let latent = 0; taken.size < k; latent++) if (!taken.has(latent)) taken.set(latent, 0);
  return [...taken].map(([latent, value]) => ({ latent, value })).toSorted((a, b) => a.latent - b.latent);
}

/** Few steps keep the numbers of exact rows exact in float32: nothing is decided by rounding. */
const MOST_STEPS = 4;

function run(bench: Bench, x: Matrix, W: Matrix, k: number, stops: PursuitStops) {
  const { device, kernels } = bench;
  const [residual, weights] = [bench.matrix(x), bench.matrix(W)];
  const scores = device.scratch('f32', x.length, W.length);
  const gram = device.scratch('f32', W.length, W.length);
  kernels.product(scores, residual, weights, 'nt');
  kernels.product(gram, weights, weights, 'nt');
  const order = device.scratchCodes(x.length * k, W.length, 1);
  const codes = device.scratchCodes(x.length, W.length, k);
  kernels.pursue({ residual, order, codes }, scores, gram, weights, stops);
  return { residual, order, codes, weights };
}

/** Unit rows: signed coordinate axes and halves of four of them, exact in float32; many ties. */
function exactUnits(random: Parameters<typeof oracle.exactMatrix>[0], width: number, d: number): Matrix {
  return Array.from({ length: width }, () => {
    const row = Array.from({ length: d }, () => 0);
    const places = d >= 4 && random.below(2) ? oracle.pick(random, d, 4) : [random.below(d)];
    for (const place of places) row[place] = (random.below(2) ? 1 : -1) / Math.sqrt(places.length);
    return row;
  });
}

onEveryDevice((bench) => {
  it.each<PursuitStops>([
    { threshold: 0, onRepeat: false },
    { threshold: 0, onRepeat: true },
    { threshold: 0.8, onRepeat: false },
  ])('takes the best latent again and again (%o)', (stops) =>
    oracle.forShapes(async ({ rows, width, d, k }, random) => {
      bench.begin();
      const [x, W] = [oracle.exactMatrix(random, rows, d), exactUnits(random, width, d)];
      const steps = Math.min(k, MOST_STEPS);
      const { residual, order, codes } = run(bench, x, W, steps, stops);
      const expected = x.map((row) => pursue(row, W, steps, stops));
      await bench.expectClose(
        residual,
        expected.flatMap(({ left }) => left),
      );
      await bench.expectCodes(
        codes,
        expected.map((row) => codesOf(row, steps)),
      );
      const [latents, values] = [await bench.read(order.index, 'u32'), await bench.read(order.value, 'f32')];
      for (const [r, row] of expected.entries()) {
        for (let t = 0; t < steps; t++) {
          const step = row.steps[t];
          expect(values[r * steps + t]).toBeCloseTo(step?.value ?? 0, 5);
          if (step) expect(latents[r * steps + t]).toBe(step.latent);
          else expect(latents[r * steps + t]).toBeLessThan(width);
        }
      }
    }),
  );

  it('finds the best of many latents, wherever it stands', async () => {
    bench.begin();
    const [width, d] = [331, 40];
    for (const place of [0, 63, 64, 127, 200, 319, 320, 330]) {
      bench.begin();
      const W: Matrix = Array.from({ length: width }, (_, i) =>
        Array.from({ length: d }, (__, p) => (i === place && p === 3 ? 1 : 0)),
      );
      W[place === 5 ? 6 : 5][7] = 0.5;
      const x = [Array.from({ length: d }, (_, p) => (p === 3 ? 2 : p === 7 ? 3 : 0))];
      const { order } = run(bench, x, W, 2, { threshold: 0, onRepeat: false });
      expect([...(await bench.read(order.index, 'u32'))]).toEqual([place, 5]);
    }
  });

  it('survives inputs that are not finite', async () => {
    bench.begin();
    const { codes } = run(
      bench,
      [
        [NaN, 1],
        [1, 0],
      ],
      [
        [1, 0],
        [0, 1],
      ],
      1,
      { threshold: 0, onRepeat: true },
    );
    expect((await bench.read(codes.value, 'f32'))[1]).toBe(1);
  });

  it('back through the steps of some rows', () =>
    oracle.forShapes(async ({ rows, width, d, k }, random) => {
      bench.begin();
      const [x, W] = [oracle.exactMatrix(random, rows, d), exactUnits(random, width, d)];
      const g = oracle.normalMatrix(random, rows, d);
      const [steps, from] = [Math.min(k, MOST_STEPS), random.below(rows)];
      const to = from + 1 + random.below(rows - from);
      const dInput = bench.matrix(g);
      const changes = bench.out('f32', (to - from) * steps, d);
      const { residual, order, weights } = run(bench, x, W, steps, { threshold: 0.5, onRepeat: true });
      const out = bench.device.scratchCodes((to - from) * steps, width, 1);
      bench.kernels.pursuitGradients({ dInput, changes, steps: out }, order, weights, residual, { from, to });
      const taken = await bench.read(out.value, 'f32');
      const expectedInput = g.map((row) => [...row]);
      const expectedChanges: number[] = [];
      for (let r = from; r < to; r++) {
        const naive = pursue(x[r], W, steps, { threshold: 0.5, onRepeat: true });
        const rowChanges: number[][] = [];
        for (let t = steps - 1; t >= 0; t--) {
          const step = naive.steps[t];
          expect(taken[(r - from) * steps + t]).toBe(step ? -1 : 0);
          const w = step ? W[step.latent] : [];
          const gamma = step ? oracle.dot(expectedInput[r], w) : 0;
          rowChanges.unshift(expectedInput[r].map((v, p) => (step ? step.value * v + gamma * step.left[p] : 0)));
          if (step) expectedInput[r] = expectedInput[r].map((v, p) => v - gamma * w[p]);
        }
        expectedChanges.push(...rowChanges.flat());
      }
      await bench.expectClose(changes, expectedChanges);
      await bench.expectClose(dInput, expectedInput.flat());
    }));
});
