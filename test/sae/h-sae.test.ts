import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import type { Device } from '../../src/engine/device.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
import { Tape } from '../../src/engine/tape.ts';
import { hSae } from '../../src/sae/h-sae.ts';
import {
  build,
  clustered,
  difference,
  floats,
  onDevices,
  parameter,
  passOf,
  put,
  reconstruct,
  rowsOf,
  train,
} from './bench.ts';

const [D, N, ATOMS, SUBSPACE, K, ROWS] = [16, 12, 3, 2, 4, 32];
const config = (over: Record<string, unknown> = {}): Record<string, unknown> => ({
  width: N,
  atoms: ATOMS,
  subspace: SUBSPACE,
  k: K,
  lr: 0.01,
  ...over,
});
const batchOf = (seed: number) => (step: number) => clustered(new Random(seed, step), ROWS, D, 5, true);

/** Names and size per top latent of all parameters. */
const SIZES: Readonly<Record<string, number>> = {
  E: D,
  D,
  W_down: SUBSPACE * D,
  W_up: SUBSPACE * D,
  expert_encoder: ATOMS * SUBSPACE,
  expert_decoder: ATOMS * SUBSPACE,
};

/** Sends every top latent's input below θ: nothing is active. */
async function silence(device: Device, sae: ReturnType<typeof build>): Promise<void> {
  const E = await floats(device, parameter(sae, 'E'));
  device.write(
    parameter(sae, 'E'),
    E.map((value) => value * 1e-4),
  );
}

/** A permutation of the experts. */
const to = (j: number): number => (5 * j + 2) % N;

/** All parameters of a fresh model. */
async function start(seed: number): Promise<Float32Array[]> {
  const device = new ReferenceDevice();
  const sae = build(device, hSae, config(), { seed });
  return Promise.all(sae.parameters.map(({ tensor }) => floats(device, tensor)));
}

onDevices((device) => {
  it('training on clustered data lowers the loss', async () => {
    const sae = build(device(), hSae, config());
    const totals = await train(device(), sae, 60, batchOf(1));
    expect(Math.max(...totals.slice(-5))).toBeLessThan(0.6 * totals[0]);
  });

  it('every step leaves unit rows in both decoders, and Adam sees no gradient along them', async () => {
    const sae = build(device(), hSae, config());
    for (const [name, size] of [
      ['D', D],
      ['expert_decoder', SUBSPACE],
    ] as const) {
      let before = await floats(device(), parameter(sae, name));
      await train(device(), sae, 3, batchOf(2), async (_, optimizer) => {
        const [g, w] = [await floats(device(), optimizer.gradients[name]), before];
        before = await floats(device(), parameter(sae, name));
        for (let at = 0; at < w.length; at += size) {
          const [gradient, row, now] = [g, w, before].map((all) => all.subarray(at, at + size));
          expect(Math.abs(Math.hypot(...now) - 1)).toBeLessThan(1e-6);
          // The very first step starts from a decoder that is not normalised yet.
          const along = gradient.reduce((sum, value, i) => sum + value * row[i], 0) / Math.hypot(...row);
          expect(Math.abs(along)).toBeLessThan(1e-5);
        }
      });
    }
  });

  it('L0 is at most 2 k, and an active child has an active parent', async () => {
    const sae = build(device(), hSae, config());
    await train(device(), sae, 5, batchOf(3));
    const x = put(device(), batchOf(3)(9), ROWS, D);
    const { codes } = await passOf(device(), sae, x, 5);
    let children = 0;
    for (const entries of codes) {
      expect(entries.map(({ latent }) => latent)).toEqual(
        entries.map(({ latent }) => latent).toSorted((a, b) => a - b),
      );
      const active = new Set(entries.filter(({ value }) => value !== 0).map(({ latent }) => latent));
      expect(active.size).toBeLessThanOrEqual(2 * K);
      for (const latent of active) {
        if (latent < N) continue;
        children++;
        expect(active).toContain(sae.forest!.parent[latent]);
      }
    }
    expect(children).toBeGreaterThan(0);
    device().beginStep();
    expect(await rowsOf(device(), sae.encode(new Tape(device()), x))).toEqual(codes);
  });

  it('codes and dictionary are the reconstruction; the top view is that of the top latents alone', async () => {
    const sae = build(device(), hSae, config());
    await train(device(), sae, 5, batchOf(4));
    const x = put(device(), batchOf(4)(9), ROWS, D);
    const { codes, reconstruction, losses } = await passOf(device(), sae, x, 5);
    device().beginStep();
    const dictionary = await floats(device(), sae.dictionary(new Tape(device())));
    expect(dictionary.length).toBe(sae.width * D);
    expect(difference(reconstruction, reconstruct(codes, dictionary, D))).toBeLessThan(1e-5);
    const { from, to } = sae.views.find(({ name }) => name === 'top')!;
    const top = reconstruct(
      codes.map((entries) => entries.filter(({ latent }) => latent >= from && latent < to)),
      dictionary,
      D,
    );
    const data = await floats(device(), x);
    const error = top.reduce((sum, value, i) => sum + (value - data[i]) ** 2, 0) / ROWS;
    expect(losses.l2_top).toBeCloseTo(error, 5);
  });

  it('permuting the experts permutes codes and gradients', async () => {
    const [one, two] = [build(device(), hSae, config()), build(device(), hSae, config())];
    for (const [name, size] of Object.entries(SIZES)) {
      const values = await floats(device(), parameter(one, name));
      const moved = values.slice();
      for (let j = 0; j < N; j++) moved.set(values.subarray(j * size, j * size + size), to(j) * size);
      device().write(parameter(two, name), moved);
    }
    const x = put(device(), batchOf(5)(0), ROWS, D);
    const [a, b] = [await passOf(device(), one, x, 10), await passOf(device(), two, x, 10)];
    // Rows with fewer than k active latents fill up with the lowest ones: these alone depend on the order.
    const isFull = (pass: typeof a): boolean =>
      pass.codes.every((c) => c.filter(({ latent, value }) => latent < N && value > 0).length === K);
    expect(difference(a.reconstruction, b.reconstruction)).toBeLessThan(1e-5);
    for (const name of ['l2', 'l2_top', 'l1_top', 'ortho']) expect(b.losses[name]).toBeCloseTo(a.losses[name], 5);
    for (const [name, size] of Object.entries(SIZES)) {
      if (!isFull(a) && !['D', 'E', 'W_up', 'expert_decoder'].includes(name)) continue;
      for (let j = 0; j < N; j++) {
        const own = a.gradients[name].subarray(j * size, j * size + size);
        const other = b.gradients[name].subarray(to(j) * size, to(j) * size + size);
        expect(difference(own, other)).toBeLessThan(1e-5);
      }
    }
  });

  it('where nothing reaches θ, the first k experts reconstruct nothing but get gradient through the L1 term', async () => {
    const sae = build(device(), hSae, config({ l1: 0.5, ortho: 0 }));
    await silence(device(), sae);
    const x = put(device(), batchOf(6)(0), ROWS, D);
    const { codes, reconstruction, gradients, losses } = await passOf(device(), sae, x, 10);
    expect(codes.flat().every(({ value }) => value === 0)).toBe(true);
    expect(codes[0].slice(0, K).map(({ latent }) => latent)).toEqual([0, 1, 2, 3]);
    expect(reconstruction.every((value) => value === 0)).toBe(true);
    expect(losses.l1_top).toBe(0);
    expect(losses.l1_sub).toBeGreaterThan(0);
    for (const name of ['W_down', 'expert_encoder']) {
      for (let j = 0; j < N; j++) {
        const own = gradients[name].subarray(j * SIZES[name], j * SIZES[name] + SIZES[name]);
        expect(own.some((value) => value !== 0)).toBe(j < K);
      }
    }
    for (const name of ['E', 'D', 'W_up', 'expert_decoder'])
      expect(gradients[name].every((value) => value === 0)).toBe(true);
  });

  it('weights of the regularisers rise from 0 over the warm-up; without λ1 there is no penalty', async () => {
    const sae = build(device(), hSae, config({ warmupSteps: 4, l1: 0.1, ortho: 0.2 }));
    const weights: number[][] = [];
    await train(device(), sae, 6, batchOf(7), ({ forward: { losses } }) => {
      weights.push([losses.l1_top.weight, losses.l1_sub.weight, losses.ortho.weight, losses.l2_top.weight]);
    });
    for (const [step, [top, sub, ortho, l2]] of weights.entries()) {
      const warm = Math.min(1, step / 4);
      expect([top, sub, ortho]).toEqual([0.1 * warm, 0.1 * warm, 0.2 * warm]);
      expect(l2).toBe(0.1);
    }
    const x = put(device(), batchOf(7)(0), ROWS, D);
    const { losses } = await passOf(device(), build(device(), hSae, config({ ortho: 0 })), x, 0);
    expect(Object.keys(losses)).toEqual(['l2', 'l2_top', 'l1_top', 'l1_sub']);
  });

  it('counts dead experts and dead atoms: those without a positive value', async () => {
    const sae = build(device(), hSae, config({ deadAfter: ROWS }));
    let codes: { latent: number; value: number }[][] = [];
    await train(device(), sae, 1, batchOf(8), async ({ forward }) => {
      codes = await rowsOf(device(), forward.codes);
    });
    const fired = new Set(codes.flat().flatMap(({ latent, value }) => (value > 0 ? [latent] : [])));
    const counters = await floats(device(), sae.state.since_fired);
    expect([...counters]).toEqual(Array.from({ length: sae.width }, (_, latent) => (fired.has(latent) ? 0 : ROWS)));
    expect(await sae.deadFraction()).toBeCloseTo(1 - fired.size / sae.width, 12);
    const experts = [...fired].filter((latent) => latent < N).length;
    expect(experts).toBeGreaterThan(0);
    const atoms = (fired.size - experts) / (N * ATOMS);
    expect(await sae.deadParts!()).toEqual({
      experts: 1 - experts / N,
      atoms: expect.closeTo(1 - atoms, 12) as number,
    });
  });

  it('where nothing fires, everything counts as dead', async () => {
    const sae = build(device(), hSae, config({ deadAfter: ROWS }));
    await silence(device(), sae);
    await train(device(), sae, 1, batchOf(8));
    expect(await sae.deadFraction()).toBe(1);
  });
});

describe('initialisation', () => {
  it('is a function of the seed', async () => {
    expect(await start(3)).toEqual(await start(3));
    expect((await start(4))[0]).not.toEqual((await start(3))[0]);
  });

  it('the forest hangs the atoms of an expert below its top latent', () => {
    const sae = build(new ReferenceDevice(), hSae, config());
    expect(sae.width).toBe(N + N * ATOMS);
    expect(sae.forest!.roots).toEqual(Int32Array.from({ length: N }, (_, j) => j));
    for (let j = 0; j < N; j++) {
      const children = [...sae.forest!.parent.keys()].filter((i) => sae.forest!.parent[i] === j);
      expect(children).toEqual(Array.from({ length: ATOMS }, (_, m) => N + j * ATOMS + m));
    }
  });
});
