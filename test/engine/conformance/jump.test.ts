import { expect, it } from 'vitest';
import type { Codes, LatentIndex } from '../../../src/engine/device.ts';
import { onEveryDevice, type Bench } from '../devices.ts';
import * as oracle from '../oracle.ts';
import type { Rows, Shape } from '../oracle.ts';
import type { Random } from '../../../src/core/random.ts';

function indexOf({ device, kernels }: Bench, codes: Codes): LatentIndex {
  const index = {
    latentPtr: device.scratch('u32', codes.width + 1),
    entryOf: device.scratchLike(codes, 'u32'),
    rowOf: device.scratchLike(codes, 'u32'),
  };
  kernels.indexLatents(index, codes);
  return index;
}

/** Entries with their latent and a number, quarters so that edges of windows are met exactly. */
interface Scored {
  rows: Rows;
  latents: number[];
  z: number[];
  threshold: number[];
}

function draw(random: Random, { rows: count, width, k }: Shape): Scored {
  const rows = oracle.fullRows(random, count, width, k);
  const latents = rows.flat().map(({ latent }) => latent);
  return { rows, latents, z: oracle.exactVector(random, latents.length), threshold: oracle.exactVector(random, width) };
}

onEveryDevice((bench) => {
  it('liftBias and jump: scores are restored, and kept above the threshold only', () =>
    oracle.forShapes(async (shape, random) => {
      bench.begin();
      const { rows, latents, z, threshold } = draw(random, shape);
      const bias = random.below(2) ? oracle.exactVector(random, shape.width) : null;
      const [theta, biases] = [bench.vector(threshold), bias && bench.vector(bias)];
      const lifted = bench.out('f32', shape.width);
      const lift = latents.map((i) => -threshold[i] + 0.25);
      const [own, value] = [bench.out('f32', z.length), bench.out('f32', z.length)];
      let next = 0;
      const raised = rows.map((row) => row.map(({ latent }) => ({ latent, value: z[next] + lift[next++] })));
      const codes = bench.fixedCodes(raised, shape.width);
      bench.kernels.liftBias(lifted, biases, theta, 0.25);
      bench.kernels.jump({ z: own, value }, codes, lifted, biases, theta);
      await bench.expectClose(
        lifted,
        threshold.map((t, i) => (bias ? bias[i] : 0) - t + 0.25),
      );
      await bench.expectClose(own, z);
      await bench.expectClose(
        value,
        z.map((v, e) => (v > threshold[latents[e]] ? v : 0)),
      );
    }));

  it('windowSum and windowCount: open windows, by score or by code', () =>
    oracle.forShapes(async (shape, random) => {
      bench.begin();
      const { width, rows: count } = shape;
      const { rows, latents, z, threshold } = draw(random, shape);
      const weight = oracle.normalVector(random, z.length);
      const before = oracle.normalVector(random, width);
      const [from, to] = [random.below(width), width].toSorted((a, b) => a - b);
      const bandwidth = 1;
      const window = { z: bench.vector(z), threshold: bench.vector(threshold), bandwidth };
      const [sum, pre, post, factor] = [
        bench.vector(before),
        bench.vector(before),
        bench.out('f32', width),
        bench.put('f64', [0.75]),
      ];
      const [weights, codes] = [bench.vector(weight), bench.fixedCodes(rows, width)];
      const index = indexOf(bench, codes);
      bench.kernels.windowSum({ tensor: sum, accumulate: true }, index, window, weights, 2);
      bench.kernels.windowCount({ tensor: pre, accumulate: true }, index, window, { scale: 2, range: { from, to } });
      bench.kernels.windowCount({ tensor: post, accumulate: false }, index, window, {
        scale: 2,
        factor,
        inactiveOf: count,
      });
      const of = (i: number): number[] => [...z.keys()].filter((e) => latents[e] === i);
      const near = (v: number, i: number): boolean => Math.abs(v - threshold[i]) < bandwidth / 2;
      await bench.expectClose(
        sum,
        before.map((b, i) => b + 2 * threshold[i] * oracle.sum(of(i).map((e) => (near(z[e], i) ? weight[e] : 0)))),
      );
      await bench.expectClose(
        pre,
        before.map((b, i) => b + (i >= from && i < to ? 2 * of(i).filter((e) => near(z[e], i)).length : 0)),
      );
      await bench.expectClose(
        post,
        threshold.map((t, i) => {
          const active = of(i).filter((e) => z[e] > t);
          const inactive = near(0, i) ? count - active.length : 0;
          return 2 * 0.75 * (active.filter((e) => near(z[e], i)).length + inactive);
        }),
      );
    }, 40));

  it('countActive: entries that are not 0 in a range of latents', () =>
    oracle.forShapes(async ({ rows, width, k }, random) => {
      bench.begin();
      const drawn = oracle.fullRows(random, rows, width, k);
      const [from, to] = [random.below(width), random.below(width + 1)].toSorted((a, b) => a - b);
      const [all, some, codes] = [bench.out('f64', rows), bench.out('f64', rows), bench.fixedCodes(drawn, width)];
      bench.kernels.countActive(all, codes);
      bench.kernels.countActive(some, codes, { from, to });
      const active = (first: number, last: number): number[] =>
        drawn.map((row) => row.filter((e) => e.value !== 0 && e.latent >= first && e.latent < last).length);
      await bench.expectClose(all, active(0, width));
      await bench.expectClose(some, active(from, to));
    }));

  it('squaredExcess: relative distance from a target, and its square', async () => {
    bench.begin();
    const [excess, square, a] = [bench.out('f64', 1), bench.out('f64', 1), bench.put('f64', [3])];
    bench.kernels.squaredExcess({ excess, square }, a, 4);
    expect([...(await bench.read(excess, 'f64')), ...(await bench.read(square, 'f64'))]).toEqual([-0.25, 0.0625]);
  });

  it('thresholdGap and spreadLatents: by the latent of each entry', () =>
    oracle.forShapes(async ({ rows, width, k }, random) => {
      bench.begin();
      const drawn = oracle.fullRows(random, rows, width, k);
      const threshold = oracle.normalVector(random, width);
      const [gap, factor, theta] = [bench.out('f32', rows * k), bench.out('f32', rows * k), bench.vector(threshold)];
      const codes = bench.fixedCodes(drawn, width);
      bench.kernels.thresholdGap(gap, codes, theta);
      bench.kernels.spreadLatents(factor, codes, theta);
      const entries = drawn.flat();
      await bench.expectClose(
        gap,
        entries.map(({ latent, value }) => Math.max(0, threshold[latent] - value)),
      );
      await bench.expectClose(
        factor,
        entries.map(({ latent }) => threshold[latent]),
      );
    }));

  it('exponential, rectify, multiply, scaleWhere: element by element', () =>
    oracle.forShapes(async ({ width: n }, random) => {
      bench.begin();
      const [a, b, before] = [1, 2, 3].map(() => oracle.normalVector(random, n));
      const mask = a.map(() => random.below(2));
      const [ta, tb, tm] = [bench.vector(a), bench.vector(b), bench.vector(mask)];
      const outs = [1, 2, 3, 4, 5].map(() => bench.vector(before));
      bench.kernels.exponential(outs[0], ta);
      bench.kernels.rectify(outs[1], ta);
      bench.kernels.multiply(outs[2], true, ta, tb);
      bench.kernels.multiply(outs[3], false, ta, tb);
      bench.kernels.scaleWhere(outs[4], true, ta, tm, 0.5);
      await bench.expectClose(outs[0], a.map(Math.exp));
      await bench.expectClose(
        outs[1],
        a.map((v) => Math.max(0, v)),
      );
      await bench.expectClose(
        outs[2],
        a.map((v, i) => before[i] + v * b[i]),
      );
      await bench.expectClose(
        outs[3],
        a.map((v, i) => v * b[i]),
      );
      await bench.expectClose(
        outs[4],
        a.map((v, i) => before[i] + (mask[i] ? 0.5 * v : 0)),
      );
    }));

  it('ghostError: the weighted error of scaled ghosts, and its gradient', () =>
    oracle.forShapes(async ({ rows, d }, random) => {
      bench.begin();
      const [ghost, residual] = [oracle.normalMatrix(random, rows, d), oracle.normalMatrix(random, rows, d)];
      if (random.below(3) === 0) ghost[0].fill(0);
      const [gradient, rowSums] = [bench.out('f32', rows, d), bench.out('f64', rows)];
      bench.kernels.ghostError({ gradient, rowSums }, bench.matrix(ghost), bench.matrix(residual));
      const parts = ghost.map((g, r) => {
        const s = Math.hypot(...residual[r]) / (1e-6 + 2 * Math.hypot(...g));
        return g.map((v, i) => {
          const delta = s * v - residual[r][i];
          const weight = residual[r][i] ** 2 / (delta ** 2 + 1e-6);
          return { loss: weight * delta ** 2, gradient: s * weight * delta };
        });
      });
      await bench.expectClose(
        rowSums,
        parts.map((row) => oracle.sum(row.map(({ loss }) => loss))),
      );
      await bench.expectClose(
        gradient,
        parts.flat().map((part) => part.gradient),
      );
    }));
});
