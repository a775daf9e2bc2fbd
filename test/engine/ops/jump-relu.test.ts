import { expect, it } from 'vitest';
import type { Tensor } from '../../../src/engine/device.ts';
import { decode } from '../../../src/engine/ops/decode.ts';
import { encodeAllAmong, RELU } from '../../../src/engine/ops/encode.ts';
import { exponential } from '../../../src/engine/ops/exponential.ts';
import { familyLoss } from '../../../src/engine/ops/family-loss.ts';
import { jumpReLU, l0Loss, thresholdGap } from '../../../src/engine/ops/jump-relu.ts';
import { squaredError } from '../../../src/engine/ops/losses.ts';
import { maskLatents } from '../../../src/engine/ops/mask-latents.ts';
import { normWeightedPenalty } from '../../../src/engine/ops/penalty.ts';
import { Tape } from '../../../src/engine/tape.ts';
import { onEveryDevice } from '../devices.ts';
import { checkGradients, forShapes, leaf, type Leaf } from './gradients.ts';
import * as naive from './naive.ts';

const BANDWIDTH = 0.8;

/** Scores [rows][width] in float64. */
function scores(x: Leaf, W: Leaf, bias: Leaf | null, center: Leaf | null): number[][] {
  const [rows, d] = x.shape;
  const all = Array.from({ length: rows }, () =>
    Array.from({ length: W.shape[0] }, (_, latent) => ({ latent, active: true })),
  );
  expect(W.shape[1]).toBe(d);
  return naive.encode(x, W, bias, center, all).map((row) => row.map(({ value }) => value));
}

onEveryDevice((bench) => {
  it('weights and biases get the gradient of active latents; a mask of latents lets through what it keeps', () =>
    forShapes(async ({ rows, width, d }, random) => {
      bench.begin();
      const [x, W, bias, center] = [
        leaf(random, rows, d),
        leaf(random, width, d),
        leaf(random, width),
        leaf(random, d),
      ];
      const theta = leaf(random, width);
      const factor = Array.from({ length: width }, () => random.below(2));
      const [input, threshold] = [bench.put('f32', x.values, rows, d), bench.put('f32', theta.values, width)];
      const factors = bench.vector(factor);
      const D = leaf(random, width, d);
      await checkGradients(
        bench,
        random,
        { W, bias, center, D },
        (tape, t) => {
          const { codes } = jumpReLU(tape, input, { W: t.W, bias: t.bias, center: t.center }, threshold, BANDWIDTH);
          const all = decode(tape, codes, t.D, t.center, { mask: null });
          const some = decode(tape, codes, t.D, null, maskLatents(tape, codes, factors));
          return {
            losses: [
              { value: squaredError(tape, all, input), weight: 1 },
              { value: squaredError(tape, some, input), weight: 0.5 },
            ],
            selections: [codes],
          };
        },
        (l, [selection]) => {
          const codes = naive.encode(x, l.W, l.bias, l.center, selection);
          const kept = codes.map((row) => row.map((e) => ({ ...e, value: e.value * factor[e.latent] })));
          return (
            naive.squaredError(naive.decode(codes, l.D, l.center), x) +
            0.5 * naive.squaredError(naive.decode(kept, l.D, null), x)
          );
        },
      );
    }));

  it('thresholds get −(θ/ε) ∂f from all latents in the window, active or not, and −1/ε for each counted one', () =>
    forShapes(async ({ rows, width, d }, random) => {
      bench.begin();
      const [x, W, D, logs] = [
        leaf(random, rows, d),
        leaf(random, width, d),
        leaf(random, width, d),
        leaf(random, width),
      ];
      const input = bench.put('f32', x.values, rows, d);
      const [weights, decoder, log] = [W, D, logs].map((l) => bench.put('f32', l.values, ...l.shape));
      const gradient = bench.out('f32', width);
      const range = { from: random.below(width), to: width };
      const tape = new Tape(bench.device);
      tape.watch(log, gradient);
      const jump = jumpReLU(tape, input, { W: weights, bias: null, center: null }, exponential(tape, log), BANDWIDTH);
      const out = decode(tape, jump.codes, decoder, null, { mask: null });
      const pre = l0Loss(tape, jump, { window: 'pre', range });
      const post = l0Loss(tape, jump, { window: 'post', target: 1.5 });
      tape.backward([
        { value: squaredError(tape, out, input), weight: 1 },
        { value: pre.loss, weight: 0.3 },
        { value: post.loss, weight: 0.2 },
      ]);

      const z = scores(x, W, null, null);
      const theta = [...logs.values].map(Math.exp);
      const edge = z.some((row) =>
        row.some((v, i) => Math.abs(Math.abs(v - theta[i]) - BANDWIDTH / 2) < 1e-4 || Math.abs(v - theta[i]) < 1e-4),
      );
      if (edge) return;
      const f = z.map((row) => row.map((v, i) => (v > theta[i] ? v : 0)));
      const error = naive
        .decode(
          f.map((row) => row.map((value, latent) => ({ latent, value }))),
          D,
          null,
        )
        .map((row, r) => row.map((value, i) => (2 / rows) * (value - x.values[r * d + i])));
      const active = f.flat().filter((value) => value !== 0).length / rows;
      const near = (v: number, i: number): boolean => Math.abs(v - theta[i]) < BANDWIDTH / 2;
      const expected = theta.map((t, i) => {
        let sum = 0;
        for (let r = 0; r < rows; r++) {
          if (near(z[r][i], i)) sum -= (t / BANDWIDTH) * naive.dot(naive.row(D.values, i, d), error[r]);
          if (near(z[r][i], i) && i >= range.from) sum -= 0.3 / (BANDWIDTH * rows);
          if (near(f[r][i], i)) sum -= (0.2 * 2 * (active / 1.5 - 1)) / 1.5 / (BANDWIDTH * rows);
        }
        return t * sum;
      });
      await bench.expectClose(gradient, expected);
      expect((await bench.read(post.l0, 'f64'))[0]).toBeCloseTo(active, 9);
      expect((await bench.read(post.loss, 'f64'))[0]).toBeCloseTo((active / 1.5 - 1) ** 2, 9);
    }));

  it('thresholdGap: pulls scores, thresholds and norms of latents below their thresholds', () =>
    forShapes(async ({ rows, width, d }, random) => {
      bench.begin();
      const [x, W, bias, theta] = [
        leaf(random, rows, d),
        leaf(random, width, d),
        leaf(random, width),
        leaf(random, width),
      ];
      const D = leaf(random, width, d);
      const input = bench.put('f32', x.values, rows, d);
      const some = Array.from({ length: width }, (_, i) => i).filter(() => random.below(3) > 0);
      const list: Tensor = bench.put(
        'u32',
        Array.from({ length: width }, (_, i) => some[i] ?? 0),
      );
      const among = { list, count: bench.put('u32', [some.length]) };
      await checkGradients(
        bench,
        random,
        { W, bias, theta, D },
        (tape, t) => {
          const encoder = { W: t.W, bias: t.bias, center: null, floor: RELU };
          const gap = thresholdGap(tape, encodeAllAmong(tape, input, encoder, among), t.theta);
          return { losses: [{ value: normWeightedPenalty(tape, gap, t.D, 'l1'), weight: 0.7 }] };
        },
        (l) => {
          const z = scores(x, l.W, l.bias, null);
          const sum = z.reduce(
            (total, row) =>
              total +
              some.reduce((own, i) => {
                const norm = Math.hypot(...naive.row(l.D.values, i, d));
                return own + Math.max(0, l.theta.values[i] - row[i]) * norm;
              }, 0),
            0,
          );
          return (0.7 * sum) / rows;
        },
      );
    }));

  it('familyLoss: weights and decoder, a middle level being child and parent', () =>
    forShapes(async ({ rows, width, d }, random) => {
      if (width < 3) return;
      bench.begin();
      const [x, W, D] = [leaf(random, rows, d), leaf(random, width, d), leaf(random, width, d)];
      const theta = bench.put('f32', new Float64Array(width).fill(0.2), width);
      const input = bench.put('f32', x.values, rows, d);
      const ends = [0, Math.ceil(width / 3), Math.ceil((2 * width) / 3), width];
      const levelOf = (i: number): number => ends.findIndex((end) => end > i) - 1;
      const parents = Array.from({ length: width }, (_, i) => {
        const level = levelOf(i);
        if (level === 0 || random.below(4) === 0) return -1;
        return ends[level - 1] + random.below(ends[level] - ends[level - 1]);
      });
      const links = {
        parents: bench.put(
          'u32',
          parents.map((parent) => (parent < 0 ? 2 ** 32 - 1 : parent)),
        ),
        hasChildren: bench.put(
          'u32',
          parents.map((_, i) => Number(parents.includes(i))),
        ),
      };
      await checkGradients(
        bench,
        random,
        { W, D },
        (tape, t) => {
          const { codes } = jumpReLU(tape, input, { W: t.W, bias: null, center: null }, theta, BANDWIDTH);
          const losses = [0, 1].map((l) => ({
            value: familyLoss(tape, codes, t.D, links, { from: ends[l], split: ends[l + 1], to: ends[l + 2] }),
            weight: 0.3 + l,
          }));
          return { losses, selections: [codes] };
        },
        (l, [selection]) => {
          let total = 0;
          for (const row of naive.encode(x, l.W, null, null, selection)) {
            const value = new Map(row.map((entry) => [entry.latent, entry.value]));
            for (let p = 0; p < ends[2]; p++) {
              const children = parents.flatMap((parent, i) => (parent === p ? [i] : []));
              if (children.length === 0) continue;
              for (let i = 0; i < d; i++) {
                const sum = children.reduce((own, c) => own + (value.get(c) ?? 0) * l.D.values[c * d + i], 0);
                total += (0.3 + levelOf(p)) * ((value.get(p) ?? 0) * l.D.values[p * d + i] - sum) ** 2;
              }
            }
          }
          return total / rows;
        },
      );
    }));
});
