import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
import { matryoshkaTopK } from '../../src/sae/matryoshka-topk.ts';
import { Reconstructor } from '../../src/sae/reconstructor.ts';
import { build, clustered, difference, floats, onDevices, parameter, passOf, put, rowsOf, train } from './bench.ts';

const [D, WIDTH, K, ROWS] = [16, 40, 4, 32];
const config = (over: Record<string, unknown> = {}): Record<string, unknown> => ({
  width: WIDTH,
  k: K,
  groupFractions: [0.25, 0.25, 0.5],
  ...over,
});
const batchOf = (seed: number) => (step: number) => clustered(new Random(seed, step), ROWS, D);

/** mean((a − x)²) / Var x */
function relative(a: Float32Array, x: Float32Array): number {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (x.length - 1);
  return a.reduce((sum, value, i) => sum + (value - x[i]) ** 2, 0) / x.length / variance;
}

onDevices((device) => {
  it('training on clustered data lowers the loss of every prefix', async () => {
    const sae = build(device(), matryoshkaTopK, config({ lr: 0.03 }));
    const x = put(device(), batchOf(1)(0), ROWS, D);
    const before = await passOf(device(), sae, x, 0);
    await train(device(), sae, 80, batchOf(1));
    const after = await passOf(device(), sae, x, 0);
    for (const name of ['prefix-1', 'prefix-2', 'mse'])
      expect(after.losses[name]).toBeLessThan(0.5 * before.losses[name]);
  });

  it('losses are those of the reconstructions that everybody else sees', async () => {
    const sae = build(device(), matryoshkaTopK, config());
    const rows = batchOf(2)(0).map((value, i) => 3 * value + Math.floor(i / D));
    sae.start(batchOf(3)(0));
    const { losses, reconstruction } = await passOf(device(), sae, put(device(), rows, ROWS, D), 0);
    const reconstructor = await Reconstructor.create(device(), sae);
    const { views } = await reconstructor.run(rows);
    reconstructor.release();
    expect(difference(reconstruction, views[0])).toBeLessThan(1e-4);
    const expected = [1, 2, 0].map((view) => relative(views[view], rows));
    expect(Object.keys(losses)).toEqual(['prefix-1', 'prefix-2', 'mse', 'aux']);
    [losses['prefix-1'], losses['prefix-2'], losses.mse].forEach((loss, i) => expect(loss).toBeCloseTo(expected[i], 5));
  });

  it('tokens are standardised: shift and scale of a token change nothing but its reconstruction', async () => {
    const sae = build(device(), matryoshkaTopK, config());
    const rows = batchOf(4)(0);
    const moved = rows.map((value, i) => (2 + (Math.floor(i / D) % 3)) * value + 5);
    const [a, b] = [
      await passOf(device(), sae, put(device(), rows, ROWS, D), 0),
      await passOf(device(), sae, put(device(), moved, ROWS, D), 0),
    ];
    expect(b.codes.map((row) => row.map(({ latent }) => latent))).toEqual(
      a.codes.map((row) => row.map(({ latent }) => latent)),
    );
    a.reconstruction.forEach((value, i) => {
      expect(Math.abs((2 + (Math.floor(i / D) % 3)) * value + 5 - b.reconstruction[i])).toBeLessThan(1e-3);
    });
  });

  it('with no latent dead the auxiliary loss compares the residual with b_dec; it is not detached', async () => {
    const [sae, without] = [{}, { auxAlpha: 0 }].map((over) => build(device(), matryoshkaTopK, config(over)));
    const rows = batchOf(5)(0);
    const x = put(device(), rows, ROWS, D);
    const { losses, reconstruction, gradients } = await passOf(device(), sae, x, 0);
    const residual = rows.map((value, i) => value - reconstruction[i]);
    const mean = (r: number): number => residual.subarray(r * D, r * D + D).reduce((sum, value) => sum + value / D, 0);
    const spread = residual.reduce((sum, value, i) => sum + (value - mean(Math.floor(i / D))) ** 2, 0);
    // b_dec is 0 before the first batch was seen.
    expect(losses.aux).toBeCloseTo(residual.reduce((sum, value) => sum + value * value, 0) / spread, 5);
    const plain = await passOf(device(), without, x, 0);
    expect(Object.keys(plain.losses)).not.toContain('aux');
    for (const name of ['W_enc', 'W_dec', 'b_dec'])
      expect(difference(gradients[name], plain.gradients[name]), name).toBeGreaterThan(0);
  });

  it('a latent is dead after so many whole steps, of which the one that fires is the first', async () => {
    const steps = 3;
    const sae = build(device(), matryoshkaTopK, config({ k: 1, deadAfter: steps * ROWS + ROWS - 1 }));
    // The source: steps · (1 − fired) + 1, dead at ≥ 3.
    let source = new Float32Array(WIDTH);
    await train(device(), sae, 5, batchOf(6), async ({ forward }) => {
      const codes = (await rowsOf(device(), forward.codes)).flat();
      const fired = new Set(codes.filter(({ value }) => value > 1e-3).map(({ latent }) => latent));
      source = source.map((count, i) => (fired.has(i) ? 0 : count) + 1);
      expect([...(await floats(device(), sae.state.since_fired))]).toEqual([...source].map((count) => count - 1));
      const dead = source.filter((count) => count >= steps).length;
      expect(await sae.deadFraction()).toBeCloseTo(dead / WIDTH, 12);
    });
    expect(await sae.deadFraction()).toBeGreaterThan(0);
  });

  it('the decoder is brought to norm 1 before the update, and Adam gets a gradient across its new rows', async () => {
    const sae = build(device(), matryoshkaTopK, config({ lr: 0.01 }));
    const W = parameter(sae, 'W_dec');
    let before = Float32Array.from(await floats(device(), W), (value) => 2 * value);
    device().write(W, before);
    await train(device(), sae, 3, batchOf(7), async (_, optimizer) => {
      const [gradient, after] = [await floats(device(), optimizer.gradients.W_dec), await floats(device(), W)];
      for (let i = 0; i < WIDTH; i++) {
        const [g, w, now] = [gradient, before, after].map((all) => all.subarray(i * D, i * D + D));
        const along = g.reduce((sum, value, p) => sum + value * w[p], 0) / Math.hypot(...w);
        expect(Math.abs(along)).toBeLessThan(1e-5 * (1 + Math.hypot(...g)));
        // Not renormalised after the step, which moved every element by at most the learning rate.
        expect(Math.abs(Math.hypot(...now) - 1)).toBeLessThan(0.05);
      }
      before = Float32Array.from(after);
    });
    expect(before.some((_, i) => i % D === 0 && Math.abs(Math.hypot(...before.subarray(i, i + D)) - 1) > 1e-5)).toBe(
      true,
    );
  });
});

describe('initialisation and configuration', () => {
  it("torch's Linear: encoder uniform within 1/√d, the decoder its rows at norm 1", async () => {
    const device = new ReferenceDevice();
    const sae = build(device, matryoshkaTopK, config());
    const [W_enc, W_dec, b_dec] = await Promise.all(sae.parameters.map(({ tensor }) => floats(device, tensor)));
    expect(Math.max(...W_enc.map(Math.abs))).toBeLessThanOrEqual(1 / Math.sqrt(D));
    expect(Math.max(...W_enc.map(Math.abs))).toBeGreaterThan(0.95 / Math.sqrt(D));
    for (let i = 0; i < WIDTH; i++) {
      const [e, w] = [W_enc, W_dec].map((all) => all.subarray(i * D, i * D + D));
      expect(Math.hypot(...w)).toBeCloseTo(1, 6);
      expect(
        difference(
          w.map((value) => value * Math.hypot(...e)),
          e,
        ),
      ).toBeLessThan(1e-6);
    }
    expect([...b_dec].every((value) => value === 0)).toBe(true);
    expect([...(await floats(device, sae.state.since_fired))].every((steps) => steps === -1)).toBe(true);
  });

  it.each([
    [{ k: 41 }, /k: 41 active latents of width 40/],
    [{ groupFractions: [0.5] }, /groupFractions: they sum to 0.5/],
  ])('refuses %j', (over, message) => {
    expect(matryoshkaTopK.check!(matryoshkaTopK.schema.parse(config(over)))).toMatch(message);
  });

  it('the defaults are the layers of the 4-level model', () => {
    const defaults = matryoshkaTopK.schema.parse({});
    expect(matryoshkaTopK.check!(defaults)).toBeUndefined();
    const sae = build(new ReferenceDevice(), matryoshkaTopK, {}, { d: 2 });
    expect(sae.views.map(({ to }) => to)).toEqual([24576, 1536, 4608, 13824]);
  });
});
