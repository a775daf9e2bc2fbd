import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
import { Tape } from '../../src/engine/tape.ts';
import { batchtopk } from '../../src/sae/batchtopk.ts';
import { topk } from '../../src/sae/topk.ts';
import { build, clustered, difference, floats, onDevices, parameter, passOf, put, rowsOf, train } from './bench.ts';

const [D, WIDTH, K, ROWS] = [16, 40, 4, 32];
const config = (over: Record<string, unknown> = {}): Record<string, unknown> => ({ width: WIDTH, k: K, ...over });
const batchOf = (seed: number) => (step: number) => clustered(new Random(seed, step), ROWS, D);

onDevices((device) => {
  it('training on clustered data lowers the loss', async () => {
    const sae = build(device(), batchtopk, config({ lr: 0.01 }));
    const totals = await train(device(), sae, 60, batchOf(1));
    expect(Math.max(...totals.slice(-5))).toBeLessThan(0.3 * totals[0]);
  });

  it('selects k latents per row on average: all that are larger than those left out', async () => {
    const sae = build(device(), batchtopk, config());
    // Rows of different size get different numbers of latents.
    const rows = batchOf(2)(0).map((value, i) => value * (1 + (Math.floor(i / D) % 4)));
    const x = put(device(), rows, ROWS, D);
    const { codes } = await passOf(device(), sae, x, 5);
    expect(codes.flat().length).toBe(K * ROWS);
    expect(new Set(codes.map(({ length }) => length)).size).toBeGreaterThan(1);
    const least = Math.min(...codes.flat().map(({ value }) => value));
    sae.hostState = { ...sae.hostState, threshold: least };
    device().beginStep();
    const above = (await rowsOf(device(), sae.encode(new Tape(device()), x))).flat();
    expect(above.length).toBe(K * ROWS - 1);
    expect(above.every(({ value }) => value > least)).toBe(true);
  });

  it('is topk where every row has the same number of latents', async () => {
    const [a, b] = [build(device(), batchtopk, config({ k: WIDTH })), build(device(), topk, config({ k: WIDTH }))];
    const x = put(device(), batchOf(3)(0), ROWS, D);
    const [ours, theirs] = [await passOf(device(), a, x, 0), await passOf(device(), b, x, 0)];
    // topk fills up with latents of value 0.
    const active = theirs.codes.map((row) => row.filter(({ value }) => value > 0));
    expect(ours.codes).toEqual(active);
    expect(ours.losses.l2).toBeCloseTo(theirs.losses.l2, 5);
    for (const name of ['W_enc', 'W_dec', 'b_enc', 'b_dec'])
      expect(difference(ours.gradients[name], theirs.gradients[name]), name).toBeLessThan(1e-4);
  });

  it('the threshold follows the smallest activation of the batch', async () => {
    const sae = build(device(), batchtopk, config({ thresholdFrom: 1, thresholdBeta: 0.5, lr: 0.01 }));
    let tracked = -1;
    await train(device(), sae, 5, batchOf(4), async ({ forward }, _, step) => {
      const smallest = Math.min(...(await rowsOf(device(), forward.codes)).flat().map(({ value }) => value));
      if (step > 1) tracked = tracked < 0 ? smallest : 0.5 * tracked + 0.5 * smallest;
      expect(sae.hostState.threshold).toBeCloseTo(tracked, 6);
    });
    expect(tracked).toBeGreaterThan(0);
  });

  it('without a single positive latent it reconstructs by b_dec, and every latent ages', async () => {
    const sae = build(device(), batchtopk, config({ thresholdFrom: 0, deadAfter: ROWS }));
    device().write(parameter(sae, 'b_enc'), new Float32Array(WIDTH).fill(-100));
    await train(device(), sae, 2, batchOf(5), async ({ forward, taken }) => {
      expect(taken).toBe(true);
      expect((await rowsOf(device(), forward.codes)).flat()).toEqual([]);
    });
    expect([...(await floats(device(), sae.state.since_selected))]).toEqual(
      Array.from({ length: WIDTH }, () => 2 * ROWS),
    );
    expect(sae.hostState.threshold).toBe(0);
    expect(await sae.deadFraction()).toBe(1);
  });

  it('an inactive latent ages although topk would select it', async () => {
    const sae = build(device(), batchtopk, config({ k: WIDTH, lr: 1e-3 }));
    device().write(
      parameter(sae, 'b_enc'),
      Float32Array.from({ length: WIDTH }, (_, i) => (i < 3 ? -100 : 0)),
    );
    await train(device(), sae, 1, batchOf(6));
    expect([...(await floats(device(), sae.state.since_selected)).subarray(0, 3)]).toEqual([ROWS, ROWS, ROWS]);
  });

  it('k falls from d to its value after the first step', async () => {
    const sae = build(device(), batchtopk, config({ kAnnealSteps: 3 }));
    const seen: number[] = [];
    await train(device(), sae, 6, batchOf(8), async ({ forward }) => {
      seen.push((await rowsOf(device(), forward.codes)).flat().length / ROWS);
    });
    expect([seen[0], ...seen.slice(2)]).toEqual([K, 12, 8, K, K]);
    // About half of the latents are positive: k = d = 16 takes most of them.
    expect(seen[1]).toBeGreaterThan(12);
  });
});

describe('configuration', () => {
  it('k can be at most the width', () => {
    expect(batchtopk.check!(batchtopk.schema.parse(config({ k: WIDTH })))).toBeUndefined();
    expect(batchtopk.check!(batchtopk.schema.parse(config({ k: WIDTH + 1 })))).toMatch(
      /k: 41 active latents of width 40/,
    );
  });

  it('starts like topk', async () => {
    const device = new ReferenceDevice();
    const [a, b] = [batchtopk, topk].map((architecture) => build(device, architecture, config()));
    for (const [i, { name, tensor }] of a.parameters.entries()) {
      expect(b.parameters[i].name).toBe(name);
      expect(await floats(device, tensor)).toEqual(await floats(device, b.parameters[i].tensor));
    }
  });
});
