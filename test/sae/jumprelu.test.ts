import { expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import type { Device } from '../../src/engine/device.ts';
import { Tape } from '../../src/engine/tape.ts';
import { jumprelu } from '../../src/sae/jumprelu.ts';
import { build, clustered, difference, floats, onDevices, parameter, passOf, put, rowsOf, train } from './bench.ts';

const [D, WIDTH, ROWS] = [16, 40, 32];
const DIALECTS = ['dictionary_learning', 'saelens'] as const;
const config = (over: Record<string, unknown> = {}): Record<string, unknown> => ({ width: WIDTH, ...over });
const batchOf = (seed: number) => (step: number) => clustered(new Random(seed, step), ROWS, D);

/** Whether each parameter is kept at unit rows. */
function unitRowsOf(device: Device, over: Record<string, unknown>): Record<string, boolean> {
  const { parameters } = build(device, jumprelu, config(over));
  return Object.fromEntries(parameters.map(({ name, unitRows }) => [name, unitRows]));
}

onDevices((device) => {
  it.each(DIALECTS)('%s: training on clustered data lowers the loss', async (dialect) => {
    const over = { dialect, lr: 0.01, targetL0: 4, sparsityWeight: 0.1, warmupSteps: 0, bandwidth: 0.1 };
    const sae = build(device(), jumprelu, config(over));
    const totals = await train(device(), sae, 60, batchOf(1));
    expect(Math.max(...totals.slice(-5))).toBeLessThan(0.5 * totals[0]);
  });

  it('the target loss brings L0 to its target', async () => {
    const over = { lr: 0.01, targetL0: 5, sparsityWeight: 30, warmupSteps: 0, sparsityWarmupSteps: 0, bandwidth: 0.3 };
    const sae = build(device(), jumprelu, config({ ...over, thresholdInit: 0.2, decayFrom: 1 }));
    const l0: number[] = [];
    await train(device(), sae, 120, batchOf(2), ({ observed }) => void l0.push(observed.l0));
    expect(l0[0]).toBeGreaterThan(8);
    expect(Math.abs(l0.slice(-10).reduce((sum, value) => sum + value, 0) / 10 - 5)).toBeLessThan(1.5);
  });

  it.each(DIALECTS)('%s: codes of inference are the active ones of training', async (dialect) => {
    const sae = build(device(), jumprelu, config({ dialect, thresholdInit: 0.1, bandwidth: 0.3 }));
    const x = put(device(), batchOf(3)(0), ROWS, D);
    const { codes } = await passOf(device(), sae, x, 0);
    // Training keeps what is in the window but not active.
    expect(codes.flat().some(({ value }) => value === 0)).toBe(true);
    device().beginStep();
    const encoded = await rowsOf(device(), sae.encode(new Tape(device()), x));
    const active = codes.map((row) => row.filter(({ value }) => value !== 0));
    expect(encoded.map((row) => row.map(({ latent }) => latent))).toEqual(
      active.map((row) => row.map(({ latent }) => latent)),
    );
    const values = (rows: typeof encoded): number[] => rows.flat().map(({ value }) => value);
    expect(difference(values(encoded), values(active))).toBeLessThan(1e-5);
  });

  it('negative codes under negative thresholds are not active at inference', async () => {
    const sae = build(device(), jumprelu, config());
    device().write(parameter(sae, 'threshold'), new Float32Array(WIDTH).fill(-0.5));
    const x = put(device(), batchOf(4)(0), ROWS, D);
    expect((await passOf(device(), sae, x, 0)).codes.flat().some(({ value }) => value < 0)).toBe(true);
    device().beginStep();
    const encoded = await rowsOf(device(), sae.encode(new Tape(device()), x));
    expect(encoded.flat().every(({ value }) => value > 0)).toBe(true);
  });

  it('the loss of dead latents exists only while there are some, and moves only those', async () => {
    const over = { dialect: 'saelens', thresholdInit: 0.5, deadAfter: 3 };
    const [sae, without] = [0.1, 0].map((preActWeight) => build(device(), jumprelu, config({ ...over, preActWeight })));
    const x = put(device(), batchOf(5)(0), ROWS, D);
    expect(Object.keys((await passOf(device(), sae, x, 0)).losses)).toEqual(['l2', 'sparsity']);
    const counters = Float32Array.from({ length: WIDTH }, (_, i) => (i % 3 === 0 ? 4 : 3));
    for (const model of [sae, without]) {
      device().write(model.state.since_fired, counters);
      model.hostState = { oldest: 4 };
    }
    const plain = await passOf(device(), without, x, 0);
    const { losses, gradients } = await passOf(device(), sae, x, 0);
    expect(losses.pre_act).toBeGreaterThan(0);
    expect(Object.keys(plain.losses)).toEqual(['l2', 'sparsity']);
    for (const name of ['W_enc', 'log_threshold']) {
      const size = gradients[name].length / WIDTH;
      for (let i = 0; i < WIDTH; i++) {
        const [own, other] = [gradients, plain.gradients].map((all) => all[name].subarray(i * size, i * size + size));
        if (counters[i] <= 3) expect(difference(own, other)).toBeLessThan(1e-6);
        else expect(difference(own, other)).toBeGreaterThan(0);
      }
    }
  });

  it.each([
    ['dictionary_learning', ROWS],
    ['saelens', 1],
  ] as const)('%s: counters grow by %d and fall to 0 where a latent fires', async (dialect, increment) => {
    const sae = build(device(), jumprelu, config({ dialect, thresholdInit: 2 }));
    let expected = new Float32Array(WIDTH);
    await train(device(), sae, 3, batchOf(6), async ({ forward }) => {
      const fired = new Set(
        (await rowsOf(device(), forward.codes)).flat().flatMap((e) => (e.value > 0 ? [e.latent] : [])),
      );
      expected = expected.map((count, i) => (fired.has(i) ? 0 : count + increment));
      expect([...(await floats(device(), sae.state.since_fired))]).toEqual([...expected]);
      expect(sae.hostState.oldest).toBe(Math.max(...expected));
    });
    expect(expected.some((count) => count > 0)).toBe(true);
  });

  it('given keys win over the dialect', () => {
    expect(unitRowsOf(device(), {})).toMatchObject({ threshold: false, W_dec: true });
    expect(unitRowsOf(device(), { thresholdForm: 'log', decoder: 'free' })).toMatchObject({
      log_threshold: false,
      W_dec: false,
    });
    expect(unitRowsOf(device(), { dialect: 'saelens' })).toMatchObject({ log_threshold: false, W_dec: false });
    expect(unitRowsOf(device(), { dialect: 'saelens', decoder: 'unit' })).toMatchObject({ W_dec: true });
  });

  it.each([
    ['dictionary_learning', [0, 0.5, 1]],
    ['saelens', [0.5, 1, 1]],
  ] as const)('%s: warm-up of the rate', (dialect, factors) => {
    const { update } = build(device(), jumprelu, config({ dialect, lr: 2, warmupSteps: 2 }));
    expect([0, 1, 2].map((step) => update.learningRate(step) / 2)).toEqual(factors);
  });
});
