import { expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
import { reluL1 } from '../../src/sae/relu-l1.ts';
import { reluL1April } from '../../src/sae/relu-l1-april.ts';
import { build, clustered, floats, onDevices, parameter, passOf, put, train } from './bench.ts';

const [D, WIDTH, ROWS] = [16, 40, 32];
const config = (over: Record<string, unknown> = {}): Record<string, unknown> => ({ width: WIDTH, lr: 0.01, ...over });
const batchOf = (seed: number) => (step: number) => clustered(new Random(seed, step), ROWS, D);
const normsOf = (W: Float32Array): number[] =>
  Array.from({ length: WIDTH }, (_, i) => Math.hypot(...W.subarray(i * D, i * D + D)));

onDevices((device) => {
  it.each([reluL1, reluL1April])(
    '$name: lowers the error, and more so the weaker the penalty',
    async (architecture) => {
      const late: { l2: number; l1: number }[] = [];
      for (const l1 of [0.01, 3]) {
        const sae = build(device(), architecture, config({ l1 }));
        let first = 0;
        await train(device(), sae, 60, batchOf(1), ({ losses }, _, step) => {
          if (step === 0) first = losses.l2;
          if (step === 59) late.push({ l2: losses.l2, l1: losses.l1 });
        });
        expect(late.at(-1)!.l2).toBeLessThan(0.5 * first);
      }
      expect(late[0].l2).toBeLessThan(late[1].l2);
      expect(late[0].l1).toBeGreaterThan(late[1].l1);
    },
  );

  it('relu-l1 keeps a unit decoder, April leaves it free', async () => {
    const [constrained, free] = [reluL1, reluL1April].map((architecture) => build(device(), architecture, config()));
    for (const sae of [constrained, free]) await train(device(), sae, 20, batchOf(2));
    const [unit, other] = await Promise.all(
      [constrained, free].map(async (sae) => normsOf(await floats(device(), parameter(sae, 'W_dec')))),
    );
    for (const norm of unit) expect(Math.abs(norm - 1)).toBeLessThan(1e-6);
    expect(Math.max(...other) - Math.min(...other)).toBeGreaterThan(0.05);
  });

  it('active are exactly the positive pre-activations', async () => {
    const sae = build(device(), reluL1, config());
    const bias = Float32Array.from({ length: WIDTH }, (_, i) => (i % 2 ? 1000 : -1000));
    device().write(parameter(sae, 'b_enc'), bias);
    const { codes } = await passOf(device(), sae, put(device(), batchOf(3)(0), ROWS, D), 5);
    for (const entries of codes)
      expect(entries.map(({ latent }) => latent)).toEqual([...bias.keys()].filter((i) => bias[i] > 0));
  });

  it('resamples what was silent for half of the interval, and nothing else', async () => {
    const sae = build(device(), reluL1, config({ resampleEvery: 8, warmupSteps: 2 }), { seed: 5 });
    const silent = [4, 11, 30];
    const bias = new Float32Array(WIDTH);
    for (const latent of silent) bias[latent] = -1000;
    device().write(parameter(sae, 'b_enc'), bias);
    const counters: number[][] = [];
    const rates: number[] = [];
    await train(device(), sae, 10, batchOf(4), async ({ learningRate }, optimizer, step) => {
      rates.push(learningRate);
      counters.push([...(await floats(device(), sae.state.since_active))]);
      if (step !== 8) return;
      const dead = counters[8].flatMap((rows, latent) => (rows > 4 * ROWS ? [latent] : []));
      for (const latent of silent) expect(dead).toContain(latent);
      expect(dead.length).toBeLessThan(WIDTH);
      const [W_enc, W_dec, b_enc, m] = await Promise.all(
        [...['W_enc', 'W_dec', 'b_enc'].map((name) => parameter(sae, name)), optimizer.state['adam_m.W_enc']].map(
          (tensor) => floats(device(), tensor),
        ),
      );
      const batch = batchOf(4)(8);
      for (let i = 0; i < WIDTH; i++) {
        const [e, d, moments] = [W_enc, W_dec, m].map((all) => all.subarray(i * D, i * D + D));
        // A restarted decoder row is the direction of a row of this batch, and so is the encoder row.
        const matches = Array.from({ length: ROWS }, (_, r) => batch.subarray(r * D, r * D + D)).some(
          (row) => Math.abs(row.reduce((sum, v, p) => sum + v * d[p], 0) / Math.hypot(...row) - 1) < 1e-6,
        );
        expect(matches && b_enc[i] === 0 && moments.every((v) => v === 0)).toBe(dead.includes(i));
        if (dead.includes(i)) expect(e.reduce((sum, v, p) => sum + v * d[p], 0) / Math.hypot(...e)).toBeCloseTo(1, 5);
      }
    });
    expect(rates.map((rate) => rate / 0.01)).toEqual([0, 0.5, 1, 1, 1, 1, 1, 1, 0, 0.5]);
    // Awake again.
    for (const latent of silent) expect(counters[9][latent]).toBeLessThan(10 * ROWS);
  });
});

/** The decoder after two resamplings, of a model that lets most latents die. */
async function resampled(seed: number): Promise<Float32Array> {
  const device = new ReferenceDevice();
  const sae = build(device, reluL1, config({ resampleEvery: 4, warmupSteps: 0, l1: 20, l1WarmupSteps: 0 }), { seed });
  await train(device, sae, 9, batchOf(1));
  return floats(device, parameter(sae, 'W_dec'));
}

it('resampling is a function of the seed and the step', async () => {
  expect(await resampled(5)).toEqual(await resampled(5));
  expect(await resampled(6)).not.toEqual(await resampled(5));
});

it.each([
  [{ resampleEvery: 1 }, /resampleEvery|>=2/],
  [{ resampling: 'openai' }, /release/],
  [{ l1: -1 }, />=0/],
])('refuses %j', (over, message) => {
  const result = reluL1.schema.safeParse(config(over));
  expect(result.error?.message).toMatch(message);
});
