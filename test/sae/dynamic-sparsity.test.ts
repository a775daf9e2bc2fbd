import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
import { dynamicSparsity, underused } from '../../src/sae/dynamic-sparsity.ts';
import { build, clustered, floats, onDevices, parameter, passOf, put, rowsOf, train } from './bench.ts';

const [D, WIDTH, ROWS] = [16, 40, 32];
const config = (over: Record<string, unknown> = {}): Record<string, unknown> => ({ width: WIDTH, lr: 0.01, ...over });
const batchOf = (seed: number) => (step: number) => clustered(new Random(seed, step), ROWS, D);

/** 0.1 · Σ_d variance of a batch. */
function target(batch: Float32Array): number {
  const mean = new Float64Array(D);
  batch.forEach((value, i) => (mean[i % D] += value / ROWS));
  return (0.1 * batch.reduce((sum, value, i) => sum + (value - mean[i % D]) ** 2, 0)) / ROWS;
}

onDevices((device) => {
  it.each([
    { lossTarget: 'relative', alphaMax: 2 },
    { lossTarget: 'relative', alphaMax: 0.11 },
    { lossTarget: 2.5, alphaMax: 2 },
    { lossTarget: 1e-9, alphaMax: 2 },
  ])('α follows the batch’s error, within bounds: %j', async (over) => {
    const sae = build(device(), dynamicSparsity, config(over));
    await train(device(), sae, 12, batchOf(1), async ({ losses, forward }, _, step) => {
      const alpha = 1 / (await device().read(forward.observed.inverseAlpha))[0];
      const goal = over.lossTarget === 'relative' ? target(batchOf(1)(step)) : (over.lossTarget as number) * D;
      const expected = Math.min(over.alphaMax, Math.max(0.1, goal / losses.l2));
      expect(alpha / expected).toBeCloseTo(1, 4);
      const codes = await rowsOf(device(), forward.codes);
      const absolute = codes.flat().reduce((sum, { value }) => sum + value, 0) / ROWS;
      expect(losses.adaptive_l1 / (alpha * absolute)).toBeCloseTo(1, 4);
    });
  });

  it('α is a constant under differentiation: the gradients are those of a fixed penalty of the same size', async () => {
    const x = put(device(), batchOf(2)(0), ROWS, D);
    const adaptive = build(device(), dynamicSparsity, config({ lambda0: 5, alphaMin: 1e-3 }));
    const { gradients, losses } = await passOf(device(), adaptive, x, 0);
    const sum = (await passOf(device(), build(device(), dynamicSparsity, config({ alphaMin: 1, alphaMax: 1 })), x, 0))
      .losses.adaptive_l1;
    const alpha = losses.adaptive_l1 / sum;
    expect(alpha).toBeGreaterThan(2e-3);
    expect(alpha).toBeLessThan(0.9);
    const fixed = build(device(), dynamicSparsity, config({ lambda0: 5 * alpha, alphaMin: 1, alphaMax: 1 }));
    const expected = (await passOf(device(), fixed, x, 0)).gradients;
    for (const [name, values] of Object.entries(gradients))
      values.forEach((value, i) => expect(Math.abs(value - expected[name][i])).toBeLessThan(2e-5));
  });

  it('at the end of a window it merges duplicates and restarts them and what was silent', async () => {
    const sae = build(device(), dynamicSparsity, config({ window: 4, lr: 1e-4 }));
    const names = ['W_enc', 'b_enc', 'W_dec'] as const;
    const read = (): Promise<Float32Array[]> =>
      Promise.all(names.map((name) => floats(device(), parameter(sae, name))));
    const [silent, first, second] = [7, 10, 31];
    const [W_enc, b_enc, W_dec] = await read();
    b_enc[silent] = -1000;
    W_dec.copyWithin(second * D, first * D, first * D + D);
    names.forEach((name, i) => device().write(parameter(sae, name), [W_enc, b_enc, W_dec][i]));
    let before: Float32Array[] = [];
    await train(device(), sae, 5, batchOf(3), async (_, optimizer, step) => {
      const steps = await floats(device(), sae.state.silent_steps);
      if (step < 3) expect(steps[silent]).toBe(step + 1);
      if (step === 2) before = await read();
      if (step !== 3) return;
      expect([...steps].every((count) => count === 0)).toBe(true);
      const after = await read();
      const batch = batchOf(3)(3);
      const restarted = (latent: number): boolean =>
        Array.from({ length: ROWS }, (_unused, r) => batch.subarray(r * D, r * D + D)).some((row) => {
          const decoder = after[2].subarray(latent * D, latent * D + D);
          return Math.abs(row.reduce((sum, v, p) => sum + v * decoder[p], 0) / Math.hypot(...row) - 1) < 1e-6;
        });
      expect([silent, first, second].map(restarted)).toEqual([true, false, true]);
      expect(after[1][silent]).toBe(0);
      // Up to one more small step the kept latent has the mean of both encoder rows.
      for (let p = 0; p < D; p++) {
        const mean = (before[0][first * D + p] + before[0][second * D + p]) / 2;
        expect(Math.abs(after[0][first * D + p] - mean)).toBeLessThan(1e-3);
      }
      const moments = await floats(device(), optimizer.state['adam_v.W_dec']);
      for (const latent of [silent, first, second])
        expect([...moments.subarray(latent * D, latent * D + D)].every((v) => v === 0)).toBe(true);
    });
  });
});

it('usage is a share of steps, and the bound itself is enough', () => {
  expect(underused([100, 99, 98, 0], 100, 0.01)).toEqual([0]);
  expect(underused([100, 99, 98, 0], 100, 0.02)).toEqual([0, 1]);
  expect(underused([4, 3, 0], 4, 0)).toEqual([]);
});

/** λ_t of ten steps. */
async function lambdas(over: Record<string, unknown>): Promise<number[]> {
  const device = new ReferenceDevice();
  const sae = build(device, dynamicSparsity, config(over), { steps: 10 });
  const seen: number[] = [];
  await train(device, sae, 10, batchOf(4), ({ forward }) => void seen.push(forward.losses.adaptive_l1.weight));
  return seen;
}

it('λ falls linearly from λ_0 to its final value', async () => {
  const [paper, given] = [await lambdas({}), await lambdas({ lambda0: 1, lambdaFinal: 3 })];
  paper.forEach((weight, t) => expect(weight).toBeCloseTo((1 - t / 10) / Math.sqrt(WIDTH), 12));
  given.forEach((weight, t) => expect(weight).toBeCloseTo(1 + (2 * t) / 10, 12));
});

it('nothing starts anew after the last step', async () => {
  const device = new ReferenceDevice();
  const sae = build(device, dynamicSparsity, config({ window: 4, minUsage: 1 }), { steps: 4 });
  await train(device, sae, 4, batchOf(5));
  expect(Math.max(...(await floats(device, sae.state.silent_steps)))).toBeGreaterThan(0);
});

describe('configuration', () => {
  it('names what is wrong between keys', () => {
    const parsed = dynamicSparsity.schema.parse(config({ alphaMin: 3 }));
    expect(dynamicSparsity.check!(parsed)).toBe('alphaMin: 3 is above alphaMax 2');
    expect(dynamicSparsity.check!(dynamicSparsity.schema.parse({}))).toBeUndefined();
  });

  it.each([{ lossTarget: 'absolute' }, { lossTarget: 0 }, { mergeAbove: 1.5 }, { window: 0 }, { minUsage: -1 }])(
    'refuses %j',
    (over) => {
      const result = dynamicSparsity.schema.safeParse(config(over));
      expect(result.error?.issues[0].path).toEqual(Object.keys(over));
    },
  );
});
