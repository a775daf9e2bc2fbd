import { expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
import { gated } from '../../src/sae/gated.ts';
import { build, clustered, floats, onDevices, parameter, passOf, put, train } from './bench.ts';

const [D, WIDTH, ROWS] = [16, 40, 32];
const config = (over: Record<string, unknown> = {}): Record<string, unknown> => ({ width: WIDTH, lr: 0.01, ...over });
const batchOf = (seed: number) => (step: number) => clustered(new Random(seed, step), ROWS, D);

onDevices((device) => {
  it('training on clustered data lowers both errors and closes gates', async () => {
    const sae = build(device(), gated, config({ l1: 0.5 }));
    const seen: { l2: number; aux: number; open: number }[] = [];
    await train(device(), sae, 60, batchOf(1), async ({ losses: { l2, aux }, forward }) => {
      const rowPtr = await device().read(forward.codes.rowPtr as typeof forward.codes.rowPtr & { dtype: 'u32' });
      seen.push({ l2, aux, open: rowPtr[ROWS] / ROWS });
    });
    expect(seen[59].l2).toBeLessThan(0.2 * seen[0].l2);
    expect(seen[59].aux).toBeLessThan(0.3 * seen[0].aux);
    expect(seen[59].open).toBeLessThan(0.75 * seen[0].open);
  });

  it('a gate that is shut lets nothing through; behind an open one the magnitude may still be 0', async () => {
    const sae = build(device(), gated, config());
    const [shut, zero] = [3, 5];
    const gateBias = new Float32Array(WIDTH);
    const magnitudeBias = new Float32Array(WIDTH);
    gateBias[shut] = -1000;
    magnitudeBias[shut] = 1000;
    gateBias[zero] = 1000;
    magnitudeBias[zero] = -1000;
    device().write(parameter(sae, 'b_gate'), gateBias);
    device().write(parameter(sae, 'b_mag'), magnitudeBias);
    const { codes, gradients } = await passOf(device(), sae, put(device(), batchOf(2)(0), ROWS, D), 50);
    for (const entries of codes) {
      expect(entries.some(({ latent }) => latent === shut)).toBe(false);
      expect(entries.find(({ latent }) => latent === zero)).toEqual({ latent: zero, value: 0 });
    }
    // Without magnitude only the gate's own losses train it.
    expect(gradients.b_gate[zero]).not.toBe(0);
    for (const name of ['r_mag', 'b_mag']) for (const i of [shut, zero]) expect(gradients[name][i]).toBe(0);
    expect([...gradients.W_enc.subarray(shut * D, shut * D + D)].every((g) => g === 0)).toBe(true);
  });

  it('every step leaves a unit decoder; a latent without positive magnitude is not active', async () => {
    const sae = build(device(), gated, config({ warmupSteps: 0, deadAfter: 2 * ROWS }));
    const magnitudeBias = new Float32Array(WIDTH);
    magnitudeBias[7] = -1000;
    device().write(parameter(sae, 'b_mag'), magnitudeBias);
    await train(device(), sae, 3, batchOf(3));
    const W = await floats(device(), parameter(sae, 'W_dec'));
    for (let i = 0; i < WIDTH; i++) expect(Math.hypot(...W.subarray(i * D, i * D + D))).toBeCloseTo(1, 6);
    expect((await floats(device(), sae.state.since_active))[7]).toBe(3 * ROWS);
    expect(await sae.deadFraction()).toBeGreaterThanOrEqual(1 / WIDTH);
  });
});

it('λ and the learning rate start at 0 and warm up, the rate decays', async () => {
  const device = new ReferenceDevice();
  const sae = build(device, gated, config({ l1: 0.4, lr: 0.02 }));
  expect([0, 5, 10, 79, 90, 100].map(sae.update.learningRate)).toEqual([0, 0.01, 0.02, 0.02, 0.01, 0]);
  const weights: number[] = [];
  await train(device, sae, 30, batchOf(4), ({ forward }) => void weights.push(forward.losses.l1.weight));
  expect([0, 5, 10, 20, 29].map((step) => weights[step])).toEqual([0, 0.1, 0.2, 0.4, 0.4]);
});
