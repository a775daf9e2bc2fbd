import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import type { Device, Tensor } from '../../src/engine/device.ts';
import { Tape } from '../../src/engine/tape.ts';
import { encodeTop, RELU } from '../../src/engine/ops/encode.ts';
import { standardize } from '../../src/engine/ops/standardize.ts';
import type { TrainableSae } from '../../src/sae/architecture.ts';
import { treeSae } from '../../src/sae/tree-sae.ts';
import { Optimizer } from '../../src/engine/optim.ts';
import { trainStep } from '../../src/training/step.ts';
import { build, clustered, difference, floats, onDevices, parameter, passOf, put, rowsOf, train } from './bench.ts';

const [D, ROWS] = [16, 32];
const LAYERS = [8, 10, 12];
const K = [3, 2, 2];
const ROOT = 2 ** 32 - 1;
const config = (over: Record<string, unknown> = {}): Record<string, unknown> => ({
  layers: LAYERS,
  k: K,
  lr: 0.01,
  deadAfter: 4,
  eligibleWithin: 3,
  reallocateAfter: 3,
  reallocateAtMost: 5,
  rootReset: 'never',
  ...over,
});
const batchOf = (seed: number) => (step: number) => clustered(new Random(seed, step), ROWS, D, 6);

const parentsOf = async (device: Device, sae: TrainableSae): Promise<Uint32Array> =>
  device.read(sae.state.parent as Tensor & { dtype: 'u32' });

/** Gives the model other parents, as a checkpoint would. */
async function setParents(device: Device, sae: TrainableSae, parents: Uint32Array): Promise<void> {
  const state: Record<string, Float32Array | Uint32Array> = {};
  for (const [name, tensor] of Object.entries(sae.state)) state[name] = await floats(device, tensor);
  device.write(sae.state.parent, parents);
  sae.restore!({ ...state, parent: parents });
}

onDevices((device) => {
  it('training lowers the loss', async () => {
    const sae = build(device(), treeSae, config());
    const totals = await train(device(), sae, 60, batchOf(1));
    expect(Math.max(...totals.slice(-5))).toBeLessThan(0.7 * totals[0]);
  });

  it('every active child has an active parent on the same token, and every layer its own k', async () => {
    const sae = build(device(), treeSae, config());
    await train(device(), sae, 8, batchOf(2));
    const parents = await parentsOf(device(), sae);
    const { codes } = await passOf(device(), sae, put(device(), batchOf(3)(0), ROWS, D), 8);
    let gated = 0;
    for (const row of codes) {
      expect(row).toHaveLength(7);
      let from = 0;
      for (const [l, size] of LAYERS.entries()) {
        expect(row.filter(({ latent }) => latent >= from && latent < from + size)).toHaveLength(K[l]);
        from += size;
      }
      for (const { latent, value } of row) {
        if (value === 0 || parents[latent] === ROOT) continue;
        gated++;
        expect(row.find((entry) => entry.latent === parents[latent])!.value).toBeGreaterThan(1e-3);
      }
    }
    expect(gated).toBeGreaterThan(20);
  });

  it('without cumulative losses only the whole reconstruction counts', async () => {
    const x = put(device(), batchOf(4)(0), ROWS, D);
    const [all, last] = [{}, { cumulative: false }].map((over) => build(device(), treeSae, config(over)));
    const [both, one] = [await passOf(device(), all, x, 0), await passOf(device(), last, x, 0)];
    expect(Object.keys(both.losses)).toEqual(expect.arrayContaining(['mse_0', 'mse_1', 'mse_2']));
    expect(Object.keys(one.losses).filter((name) => name.startsWith('mse'))).toEqual(['mse_2']);
    expect(one.losses.mse_2).toBe(both.losses.mse_2);
  });

  it('one layer selects as TopK does', async () => {
    const sae = build(device(), treeSae, { layers: [20], k: [4], auxLayers: [0] });
    expect(sae.views.map(({ name }) => name)).toEqual(['full']);
    await train(device(), sae, 4, batchOf(4));
    const x = put(device(), batchOf(5)(0), ROWS, D);
    device().beginStep();
    const tape = new Tape(device());
    const encoder = { W: parameter(sae, 'W_enc'), bias: null, center: parameter(sae, 'b_dec'), floor: RELU };
    const top = await rowsOf(device(), encodeTop(tape, standardize(tape, x).rows, encoder, 4));
    expect(await rowsOf(device(), sae.encode(tape, x))).toEqual(top);
  });

  it('with the root as only parent every layer is a TopK of its own', async () => {
    const sae = build(device(), treeSae, config({ rootInitFrac: 1 }));
    expect([...(await parentsOf(device(), sae))]).toEqual(LAYERS.flatMap((n) => Array.from({ length: n }, () => ROOT)));
    const x = put(device(), batchOf(6)(0), ROWS, D);
    const codes = await rowsOf(device(), sae.encode(new Tape(device()), x));
    const W = await floats(device(), parameter(sae, 'W_enc'));
    let from = 0;
    for (const [l, size] of LAYERS.entries()) {
      device().beginStep();
      const part = put(device(), W.slice(from * D, (from + size) * D), size, D);
      const tape = new Tape(device());
      const encoder = { W: part, bias: null, center: null, floor: RELU };
      const top = await rowsOf(device(), encodeTop(tape, standardize(tape, x).rows, encoder, K[l]));
      codes.forEach((row, r) => {
        const own = row.filter(({ latent, value }) => latent >= from && latent < from + size && value > 0);
        const wanted = top[r].filter(({ value }) => value > 0);
        expect(own.map(({ latent }) => latent - from)).toEqual(wanted.map(({ latent }) => latent));
        expect(
          difference(
            own.map(({ value }) => value),
            wanted.map(({ value }) => value),
          ),
        ).toBeLessThan(1e-5);
      });
      from += size;
    }
  });

  it('reallocates at growing intervals, clears capacities, and the forest follows', async () => {
    const sae = build(device(), treeSae, config());
    let before = await parentsOf(device(), sae);
    const moved: number[] = [];
    await train(device(), sae, 13, batchOf(7), async (_result, _optimizer, step) => {
      const parents = await parentsOf(device(), sae);
      const levels = [0, 8, 18, 30];
      parents.forEach((p, i) => expect(sae.forest!.parent[i]).toBe(p === ROOT ? -1 : p));
      if (difference(parents, before) > 0) moved.push(step + 1);
      const capacity = await floats(device(), sae.state.capacity_1);
      expect(capacity).toHaveLength(levels[1] + 1);
      if ([3, 8, 13].includes(step + 1)) expect(Math.max(...capacity)).toBe(0);
      else expect(capacity[levels[1]]).toBeGreaterThan(0);
      before = parents;
    });
    // Nothing is dead yet at step 3.
    expect(moved.length).toBeGreaterThan(0);
    expect([8, 13]).toEqual(expect.arrayContaining(moved));
    expect(sae.hostState).toEqual({ interval: 5, sinceReallocation: 0, resetDone: 0 });
  });

  it('a root reset leaves no dead child under a non-root, and ends reallocation', async () => {
    const sae = build(device(), treeSae, config({ rootReset: 6 }));
    let after = new Uint32Array();
    await train(device(), sae, 12, batchOf(8), async (_result, _optimizer, step) => {
      if (step !== 5) return;
      after = Uint32Array.from(await parentsOf(device(), sae));
      const since = await floats(device(), sae.state.steps_since_fired);
      // A latent that just fired counts 0 here and 1 in the source.
      const dead = [...since.keys()].filter((i) => since[i] + 1 >= 4);
      expect(dead.filter((i) => i >= LAYERS[0]).length).toBeGreaterThan(0);
      for (const i of dead) expect(after[i]).toBe(ROOT);
    });
    expect(await parentsOf(device(), sae)).toEqual(after);
    expect(sae.hostState.resetDone).toBe(1);
  });

  it('resumed from its state it goes on with the same bits', async () => {
    const whole = build(device(), treeSae, config({ rootInitFrac: 0.3, legacyAllocationOrder: true }));
    const parts = build(device(), treeSae, config({ rootInitFrac: 0.3, legacyAllocationOrder: true }), { seed: 1 });
    const optimizers = [whole, parts].map((sae) => new Optimizer(device(), sae.parameters, sae.update));
    const x = device().persistent('f32', ROWS, D);
    for (let step = 0; step < 10; step++) {
      for (const [i, sae] of [whole, parts].entries()) {
        device().write(x, batchOf(9)(step));
        await trainStep(device(), sae, optimizers[i], x, step);
      }
      // The second one loses everything that the host knows.
      const parents = await parentsOf(device(), parts);
      await setParents(device(), parts, parents);
    }
    for (const name of Object.keys(whole.state))
      expect(await floats(device(), parts.state[name]), name).toEqual(await floats(device(), whole.state[name]));
    for (const { name, tensor } of whole.parameters)
      expect(await floats(device(), parameter(parts, name)), name).toEqual(await floats(device(), tensor));
  });

  it('auxiliary losses of gated layers reach dead latents only where their parents are active', async () => {
    const sae = build(device(), treeSae, config({ auxLayers: [1, 2], deadAfter: 1, auxK: 3 }));
    const { losses, gradients } = await passOf(device(), sae, put(device(), batchOf(10)(0), ROWS, D), 0);
    expect(Object.keys(losses)).toEqual(['mse_0', 'mse_1', 'aux_1', 'mse_2', 'aux_2']);
    expect(losses.aux_1).toBeGreaterThan(0);
    expect(gradients.W_enc.every((value) => Number.isFinite(value))).toBe(true);
    const without = build(device(), treeSae, config({ auxLayers: [] }));
    expect(Object.keys((await passOf(device(), without, put(device(), batchOf(10)(0), ROWS, D), 0)).losses)).toEqual([
      'mse_0',
      'mse_1',
      'mse_2',
    ]);
  });

  it('views are the cumulative layers; without standardising the model works on x itself', () => {
    const sae = build(device(), treeSae, config({ standardize: false }));
    expect(sae.standardizes).toBe(false);
    expect(sae.views).toEqual([
      { name: 'full', from: 0, to: 30 },
      { name: 'prefix-1', from: 0, to: 8 },
      { name: 'prefix-2', from: 0, to: 18 },
    ]);
    expect([...sae.forest!.level].filter((level) => level === 2)).toHaveLength(12);
  });
});

describe('configuration', () => {
  it.each([
    [{ layers: [4, 4], k: [2] }, 'k: 1 numbers for 2 layers'],
    [{ layers: [4, 4], k: [2, 5] }, 'k: 5 active latents in layer 1 of 4'],
    [{ layers: [4, 4], k: [2, 2], auxLayers: [2] }, 'auxLayers: there is no layer 2'],
  ])('%j is refused', (given, message) => {
    expect(treeSae.check!(treeSae.schema.parse(given))).toContain(message);
  });

  it.each([
    { layers: [] },
    { k: [0] },
    { rootInitFrac: 2 },
    { rootReset: 0 },
    { reallocateGrowth: 0.5 },
    { auxLayers: [-1] },
  ])('%j is refused by the schema', (given) => {
    expect(treeSae.schema.safeParse(given).success).toBe(false);
  });

  it('the published models pass, and cost what a token opens', () => {
    for (const given of [{}, { layers: [1536, 3072, 9216, 10752], k: [21, 5, 4, 2] }]) {
      const parsed = treeSae.schema.parse(given);
      expect(treeSae.check!(parsed)).toBeUndefined();
      const { parameters, encodeFlops } = treeSae.cost(parsed, 768);
      expect(parameters).toBe(2 * 24576 * 768 + 768);
      expect(encodeFlops).toBeLessThan((2 * 24576 * 768) / 2.5);
    }
    expect(treeSae.cost(treeSae.schema.parse({ layers: [10], k: [2] }), 4)).toEqual({
      parameters: 84,
      encodeFlops: 80,
      decodeFlops: 16,
    });
  });
});
