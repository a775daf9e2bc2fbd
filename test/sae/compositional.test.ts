import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import type { Device } from '../../src/engine/device.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
import { Tape } from '../../src/engine/tape.ts';
import { Optimizer } from '../../src/engine/optim.ts';
import type { TrainableSae } from '../../src/sae/architecture.ts';
import { compositional } from '../../src/sae/compositional.ts';
import { trainStep } from '../../src/training/step.ts';
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

const [D, ROWS] = [16, 32];
const WIDTHS = [8, 12, 20];
const [FIRST, SECOND] = [WIDTHS[0], WIDTHS[0] + WIDTHS[1]];
const config = (over: Record<string, unknown> = {}): Record<string, unknown> => ({
  width: WIDTHS,
  k: [2, 3, 4],
  warmupSteps: 0,
  lr: 0.01,
  ...over,
});
const batchOf = (seed: number) => (step: number) => clustered(new Random(seed, step), ROWS, D);

/** Parameters of the beginning, the encoder (first in the list) as start() has scaled it. */
function scaled(before: number[][], now: number[][]): number[][] {
  const factor = now[0][0] / before[0][0];
  expect(
    difference(
      now[0].map((value) => value / factor),
      before[0],
    ),
  ).toBeLessThan(1e-6);
  return [now[0], ...before.slice(1)];
}

/** Latents of the tiers. */
function widthsOf(given: Record<string, unknown>): number[] {
  const ends = build(new ReferenceDevice(), compositional, given).views.map(({ to }) => to);
  return ends.toSorted((a, b) => a - b).map((end, i, all) => end - (all[i - 1] ?? 0));
}

const squared = (values: readonly number[]): number => values.reduce((sum, value) => sum + value * value, 0);

async function numbersOf(device: Device, sae: TrainableSae, tier: number): Promise<number[][]> {
  const own = sae.parameters.filter(({ name }) => name.startsWith(`tier${tier}.`));
  return Promise.all(own.map(async ({ tensor }) => [...(await floats(device, tensor))]));
}

/** V does not start at 0 in a model that has been trained a little. */
async function trained(device: Device, over: Record<string, unknown> = {}): Promise<TrainableSae> {
  const sae = build(device, compositional, config({ curriculum: false, ...over }));
  await train(device, sae, 10, batchOf(1));
  return sae;
}

onDevices((device) => {
  it.each(['topk', 'relu'])('training on clustered data lowers the loss of every prefix (%s)', async (activation) => {
    const sae = build(device(), compositional, config({ activation }));
    const l2: number[][] = [];
    await train(device(), sae, 100, batchOf(1), ({ losses }) => {
      l2.push([1, 2, 3].map((tier) => losses[`l2_${tier}`]));
    });
    const first = [l2[0][0], l2[25][1], l2[50][2]];
    for (const [i, loss] of l2.at(-1)!.entries()) expect(loss).toBeLessThan(0.5 * first[i] + 0.5);
    expect(l2.at(-1)![2]).toBeLessThan(0.3 * l2[0][0]);
  });

  it('curriculum: a tier that is not in yet neither encodes nor moves, to the last bit', async () => {
    const sae = build(device(), compositional, config());
    const start = await Promise.all([1, 2, 3].map((tier) => numbersOf(device(), sae, tier)));
    const x = put(device(), batchOf(2)(99), ROWS, D);
    expect(sae.hostState.tiers).toBe(1);
    await train(device(), sae, 52, batchOf(2), async ({ losses, observed, forward }, _, step) => {
      const entered = step < 25 ? 1 : step < 50 ? 2 : 3;
      expect(Object.keys(losses)).toEqual([1, 2, 3].slice(0, entered).map((tier) => `l2_${tier}`));
      expect(Object.keys(observed).filter((name) => name.startsWith('coverage'))).toHaveLength(entered - 1);
      if (![0, 24, 25, 49, 50].includes(step)) return;
      expect(sae.hostState.tiers).toBe(entered);
      const end = [FIRST, SECOND, sae.width][entered - 1];
      const perRow = [2, 5, 9][entered - 1];
      const codes = await rowsOf(device(), forward.codes);
      for (const entries of codes) {
        expect(entries).toHaveLength(perRow);
        expect(entries.every(({ latent }) => latent < end)).toBe(true);
      }
      for (const tier of [1, 2, 3]) {
        const now = await numbersOf(device(), sae, tier);
        if (tier > entered) expect(now).toEqual(scaled(start[tier - 1], now));
        else expect(now).not.toEqual(start[tier - 1]);
      }
      device().beginStep();
      // What is not in yet is not used by inference either.
      const encoded = await rowsOf(device(), sae.encode(new Tape(device()), x));
      expect(Math.max(...encoded.flat().map(({ latent }) => latent))).toBeLessThan(end);
    });
  });

  it('every prefix of the codes is the reconstruction whose error is in the loss', async () => {
    const sae = await trained(device());
    const values = batchOf(3)(0);
    const { codes, losses, reconstruction } = await passOf(device(), sae, put(device(), values, ROWS, D), 60);
    device().beginStep();
    const dictionary = await floats(device(), sae.dictionary(new Tape(device())));
    const bias = await floats(device(), sae.outputBias!);
    expect(sae.views.map(({ name, to }) => [name, to])).toEqual([
      ['full', 40],
      ['tier-1', FIRST],
      ['tier-2', SECOND],
    ]);
    for (const [i, end] of [FIRST, SECOND, sae.width].entries()) {
      const prefix = codes.map((entries) => entries.filter(({ latent }) => latent < end));
      const output = reconstruct(prefix, dictionary, D, bias);
      expect(losses[`l2_${i + 1}`]).toBeCloseTo(squared(output.map((v, e) => v - values[e])) / ROWS, 3);
      if (i === 2) expect(difference(reconstruction, output)).toBeLessThan(1e-4);
    }
  });

  it('a tier is what the formula says: W (x − b) + V h + b_enc, the k largest positive', async () => {
    const sae = await trained(device());
    const values = batchOf(4)(0);
    const { codes } = await passOf(device(), sae, put(device(), values, ROWS, D), 60);
    const [W, V, b, center] = await Promise.all(
      ['tier2.W_enc', 'tier2.V', 'tier2.b_enc', 'b_dec'].map((name) => floats(device(), parameter(sae, name))),
    );
    expect(Math.max(...V.map(Math.abs))).toBeGreaterThan(1e-3);
    for (const [r, entries] of codes.entries()) {
      const scores = Array.from({ length: WIDTHS[1] }, (_, i) => {
        let z = b[i];
        for (let p = 0; p < D; p++) z += W[i * D + p] * (values[r * D + p] - center[p]);
        for (const { latent, value } of entries) if (latent < FIRST) z += value * V[latent * WIDTHS[1] + i];
        return z;
      });
      const own = entries.filter(({ latent }) => latent >= FIRST && latent < SECOND);
      const best = scores
        .toSorted((p, q) => q - p)
        .slice(0, 3)
        .filter((z) => z > 0);
      expect(own.map(({ value }) => value).filter((v) => v > 0)).toHaveLength(best.length);
      for (const { latent, value } of own) if (value > 0) expect(value).toBeCloseTo(scores[latent - FIRST], 3);
      expect(Math.min(Infinity, ...own.map(({ value }) => value).filter((v) => v > 0))).toBeCloseTo(
        best.at(-1) ?? Infinity,
        3,
      );
    }
  });

  it('the auxiliary loss of a tier moves its dead latents only', async () => {
    const deadAfter = 1000;
    const sae = await trained(device(), { deadAfter });
    const without = await trained(device(), { deadAfter, auxAlpha: 0 });
    // Two inputs away from the clusters: few latents fire, and others have positive scores too.
    const random = new Random(5);
    const two = Array.from({ length: 2 * D }, () => random.normal());
    const x = put(
      device(),
      Float32Array.from({ length: ROWS * D }, (_, i) => two[i % two.length]),
      ROWS,
      D,
    );
    const counters = Float32Array.from({ length: WIDTHS[1] }, (_, i) => (i % 2 === 0 ? deadAfter : 0));
    for (const model of [sae, without]) {
      device().write(model.state['tier2.since_fired'], counters);
      model.hostState = { ...model.hostState, oldest2: deadAfter };
    }
    const plain = await passOf(device(), without, x, 60);
    const { losses, gradients, codes } = await passOf(device(), sae, x, 60);
    expect(Object.keys(losses)).toEqual(['l2_1', 'l2_2', 'aux_2', 'l2_3']);
    expect(losses.aux_2).toBeGreaterThan(0);
    const fired = new Set(codes.flat().flatMap(({ latent, value }) => (value > 0 ? [latent - FIRST] : [])));
    const dead = (i: number): boolean => counters[i] >= deadAfter && !fired.has(i);
    let moved = 0;
    for (const name of Object.keys(gradients)) {
      if (name === 'b_dec') continue;
      const [own, other] = [gradients[name], plain.gradients[name]];
      for (const [e, value] of own.entries()) {
        // V is [n_1, n_2]: a latent of tier 2 is a column.
        const latent = name === 'tier2.V' ? e % WIDTHS[1] : Math.floor((e * WIDTHS[1]) / own.length);
        if (name.startsWith('tier2.') && dead(latent)) moved += Number(value !== other[e]);
        else expect(Math.abs(value - other[e])).toBeLessThan(1e-5);
      }
    }
    expect(moved).toBeGreaterThan(0);
  });

  it('dead latents are counted per tier: rows since a positive value', async () => {
    const sae = build(device(), compositional, config({ curriculum: false }));
    const expected = WIDTHS.map((n) => new Float32Array(n));
    await train(device(), sae, 3, batchOf(6), async ({ forward }) => {
      const codes = (await rowsOf(device(), forward.codes)).flat();
      const fired = new Set(codes.flatMap(({ latent, value }) => (value > 0 ? [latent] : [])));
      for (const [i, counters] of expected.entries()) {
        const from = [0, FIRST, SECOND][i];
        counters.forEach((rows, j) => (counters[j] = fired.has(from + j) ? 0 : rows + ROWS));
        expect(await floats(device(), sae.state[`tier${i + 1}.since_fired`])).toEqual(counters);
        expect(sae.hostState[`oldest${i + 1}`]).toBe(Math.max(...counters));
      }
    });
  });

  it('starts at the median of the first batch, with reconstructions as long as the inputs', async () => {
    const sae = build(device(), compositional, config({ curriculum: false }));
    const values = batchOf(7)(0).map((v) => 50 * v + 3);
    sae.start(values);
    const x = put(device(), values, ROWS, D);
    const { reconstruction } = await passOf(device(), sae, x, 60);
    const bias = await floats(device(), sae.outputBias!);
    const norms = [values, reconstruction].map((rows) => {
      let sum = 0;
      for (let r = 0; r < ROWS; r++) sum += Math.hypot(...bias.map((b, i) => rows[r * D + i] - b));
      return sum;
    });
    expect(norms[1] / norms[0]).toBeCloseTo(1, 4);
  });

  it('relu: every positive score, and a penalty by decoder norms that comes in slowly', async () => {
    const sae = build(device(), compositional, config({ activation: 'relu', curriculum: false }));
    device().beginStep();
    const x = put(device(), batchOf(8)(0), ROWS, D);
    const weights = async (step: number): Promise<number[]> => {
      device().beginStep();
      const { losses } = sae.forward(new Tape(device()), x, step);
      await device().flush();
      return [1, 2, 3].map((tier) => losses[`l1_${tier}`].weight);
    };
    expect(await weights(0)).toEqual([0, 0, 0]);
    expect(await weights(10)).toEqual([0.1, 0.3, 0.6].map((w) => 0.04 * w * 0.5));
    expect(await weights(20)).toEqual([0.1, 0.3, 0.6].map((w) => 0.04 * w));
    const { codes, losses } = await passOf(device(), sae, x, 20);
    expect(codes.flat().every(({ value }) => value > 0)).toBe(true);
    // Decoder rows are units.
    const first = codes.flat().filter(({ latent }) => latent < FIRST);
    expect(losses.l1_1).toBeCloseTo(first.reduce((sum, { value }) => sum + value, 0) / ROWS, 4);
  });

  it('coverage is 0 while V is, and a share afterwards', async () => {
    const sae = build(device(), compositional, config({ curriculum: false }));
    const seen: number[] = [];
    await train(
      device(),
      sae,
      40,
      batchOf(9),
      ({ observed }) => void seen.push(observed.coverage2, observed.coverage3),
    );
    expect(seen.slice(0, 2)).toEqual([0, 0]);
    expect(seen.every((share) => share >= 0 && share <= 1)).toBe(true);
    expect(Math.max(...seen)).toBeGreaterThan(0);
  });
});

describe('configuration', () => {
  it('shares width and k 1 : 2 : 3, at least one each, or takes them as they are given', () => {
    expect(widthsOf({ width: 4608, k: 48 })).toEqual([768, 1536, 2304]);
    expect(widthsOf({ width: 25, k: 3 })).toEqual([4, 8, 13]);
    expect(widthsOf({ width: [5, 4, 3], k: [1, 1, 1] })).toEqual([5, 4, 3]);
  });

  it.each([
    [{ width: 12, k: 24 }, 'k: 4 active latents in tier 1 of width 2; k can be at most the width'],
    [{ width: [4, 9, 9], k: [3, 10, 3] }, 'k: 10 active latents in tier 2 of width 9; k can be at most the width'],
  ])('refuses %o', (given, problem) => {
    expect(compositional.check!(compositional.schema.parse(given))).toBe(problem);
  });

  it.each([{ width: [4, 4] }, { width: 1.5 }, { k: [1, 2.5, 3] }])('says what %o should be', (given) => {
    expect(() => compositional.schema.parse(given)).toThrow(/a list of three|expected int/);
  });

  it('learning rate: the cube of the warm-up', () => {
    const { learningRate } = build(new ReferenceDevice(), compositional, { width: 12, k: 3 }).update;
    expect([0, 5, 10, 99].map(learningRate)).toEqual([0, 3e-4 / 8, 3e-4, 3e-4]);
  });

  it('counts parameters and the work per token', () => {
    const parsed = compositional.schema.parse({ width: [2, 3, 4], k: [1, 2, 3] });
    const sae = build(new ReferenceDevice(), compositional, parsed, { d: 5 });
    const parameters = sae.parameters.reduce((sum, { tensor }) => sum + tensor.shape.reduce((a, b) => a * b), 0);
    expect(compositional.cost(parsed, 5)).toEqual({
      parameters,
      encodeFlops: 2 * (9 * 5 + 1 * 3 + 2 * 4),
      decodeFlops: 2 * 6 * 5,
    });
  });
});

it('goes on after a checkpoint with the same bits', async () => {
  const device = new ReferenceDevice();
  const make = batchOf(10);
  const models = [0, 1].map(() => build(device, compositional, config()));
  const x = put(device, make(0), ROWS, D);
  const ends: number[][] = [];
  for (const [m, sae] of models.entries()) {
    let optimizer = new Optimizer(device, sae.parameters, sae.update);
    let model = sae;
    for (let step = 0; step < 30; step++) {
      device.beginStep();
      device.write(x, make(step));
      if (step === 0) model.start(make(0));
      if (m === 1 && step === 27) [model, optimizer] = await copy(model, optimizer);
      await trainStep(device, model, optimizer, x, step);
    }
    ends.push((await Promise.all([1, 2].map((tier) => numbersOf(device, model, tier)))).flat(2));
  }
  expect(ends[1]).toEqual(ends[0]);

  async function copy(sae: TrainableSae, optimizer: Optimizer): Promise<[TrainableSae, Optimizer]> {
    const other = build(device, compositional, config(), { seed: 99 });
    const second = new Optimizer(device, other.parameters, other.update);
    for (const [i, { tensor }] of sae.parameters.entries())
      device.write(other.parameters[i].tensor, await floats(device, tensor));
    for (const [name, tensor] of Object.entries({ ...optimizer.state, ...sae.state }))
      device.write({ ...second.state, ...other.state }[name], await floats(device, tensor));
    second.taken = optimizer.taken;
    other.hostState = { ...sae.hostState };
    device.beginStep();
    device.write(x, make(27));
    return [other, second];
  }
});
