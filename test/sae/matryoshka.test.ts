import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
import type { TrainableSae } from '../../src/sae/architecture.ts';
import { batchtopk } from '../../src/sae/batchtopk.ts';
import { matryoshka } from '../../src/sae/matryoshka.ts';
import { fixedEnds, randomEnds } from '../../src/sae/parts/prefixes.ts';
import { build, clustered, difference, floats, onDevices, parameter, passOf, put, train, type Pass } from './bench.ts';

const [D, WIDTH, K, ROWS, SEED] = [16, 40, 4, 32, 1];
const THIRDS = [0.25, 0.25, 0.5];
const config = (over: Record<string, unknown> = {}): Record<string, unknown> => ({
  width: WIDTH,
  k: K,
  groupFractions: THIRDS,
  ...over,
});
const batchOf = (seed: number) => (step: number) => clustered(new Random(seed, step), ROWS, D);
const NAMES = ['W_enc', 'b_enc', 'W_dec', 'b_dec'];

/** What the prefixes [0, end) make of the codes of a pass: their losses, and the gradients of Σ weight · loss by W_dec. */
function expected(
  { codes }: Pass,
  x: Float32Array,
  W: Float32Array,
  b: Float32Array,
  prefixes: readonly { end: number; weight: number }[],
): { losses: number[]; W_dec: Float64Array } {
  const W_dec = new Float64Array(W.length);
  const losses = prefixes.map(({ end, weight }) => {
    let loss = 0;
    codes.forEach((row, r) => {
      const entries = row.filter(({ latent }) => latent < end);
      for (let i = 0; i < D; i++) {
        const out = entries.reduce((sum, { latent, value }) => sum + value * W[latent * D + i], b[i]);
        const error = out - x[r * D + i];
        loss += error ** 2 / ROWS;
        for (const { latent, value } of entries) W_dec[latent * D + i] += (2 * weight * error * value) / ROWS;
      }
    });
    return loss;
  });
  return { losses, W_dec };
}

/** A pass of a model whose b_dec is not 0, and what it should be. */
async function check(
  device: Parameters<typeof put>[0],
  sae: TrainableSae,
  prefixes: readonly { end: number; weight: number }[],
  step = 0,
): Promise<Pass> {
  const rows = batchOf(2)(0);
  sae.start(rows);
  const pass = await passOf(device, sae, put(device, rows, ROWS, D), step);
  const [W, b] = [await floats(device, parameter(sae, 'W_dec')), await floats(device, parameter(sae, 'b_dec'))];
  const wanted = expected(pass, rows, W, b, prefixes);
  expect(difference(Object.values(pass.losses), wanted.losses)).toBeLessThan(1e-4);
  expect(difference(pass.gradients.W_dec, wanted.W_dec)).toBeLessThan(1e-5);
  return pass;
}

onDevices((device) => {
  it('training on clustered data lowers the loss of every prefix', async () => {
    const sae = build(device(), matryoshka, config({ lr: 0.03 }));
    const before = await passOf(device(), sae, put(device(), batchOf(1)(0), ROWS, D), 0);
    await train(device(), sae, 80, batchOf(1));
    const after = await passOf(device(), sae, put(device(), batchOf(1)(0), ROWS, D), 0);
    for (const name of ['prefix-1', 'prefix-2', 'l2'])
      expect(after.losses[name]).toBeLessThan(0.5 * before.losses[name]);
  });

  it('a single group is batchtopk: losses, codes and gradients to the bit', async () => {
    const one = build(device(), matryoshka, config({ groupFractions: [1], deadAfter: 1 }));
    const { groupFractions: _, ...flat } = config({ deadAfter: 1 });
    const other = build(device(), batchtopk, flat);
    const x = put(device(), batchOf(3)(0), ROWS, D);
    const [a, b] = [await passOf(device(), one, x, 0), await passOf(device(), other, x, 0)];
    expect(Object.keys(a.losses)).toEqual(['l2', 'aux']);
    expect(a.losses).toEqual(b.losses);
    expect(a.codes).toEqual(b.codes);
    expect(a.reconstruction).toEqual(b.reconstruction);
    for (const name of NAMES) expect(a.gradients[name], name).toEqual(b.gradients[name]);
  });

  it('released weights: Σ_g loss / G²', () =>
    check(device(), build(device(), matryoshka, config()), [
      { end: 10, weight: 1 / 9 },
      { end: 20, weight: 1 / 9 },
      { end: 40, weight: 1 / 9 },
    ]));

  it('weights of the groups are taken in the mean over groups', () =>
    check(device(), build(device(), matryoshka, config({ groupWeights: [3, 0, 1.5] })), [
      { end: 10, weight: 1 },
      { end: 20, weight: 0 },
      { end: 40, weight: 0.5 },
    ]));

  it('the empty prefix is b_dec alone, and one term of the mean', async () => {
    const { losses, gradients } = await check(device(), build(device(), matryoshka, config({ emptyPrefix: true })), [
      { end: 0, weight: 1 / 4 },
      { end: 10, weight: 1 / 4 },
      { end: 20, weight: 1 / 4 },
      { end: 40, weight: 1 / 4 },
    ]);
    expect(Object.keys(losses)).toEqual(['prefix-0', 'prefix-1', 'prefix-2', 'l2']);
    expect(gradients.b_dec.some((value) => value !== 0)).toBe(true);
  });

  it('random prefixes are those of (seed, step), and count equally', async () => {
    const sae = build(device(), matryoshka, config({ prefixes: 'random', randomPrefixes: 4 }), { seed: SEED });
    const seen = new Set<string>();
    for (const step of [0, 7, 7, 8]) {
      const ends = randomEnds(4, WIDTH, new Random(SEED, 'prefixes', step));
      const prefixes = ends.map((end) => ({ end, weight: 1 / 4 }));
      seen.add(String(Object.values((await check(device(), sae, prefixes, step)).losses)));
    }
    expect(seen.size).toBe(3);
    expect(sae.views.map(({ to }) => to)).toEqual([40, 10, 20]);
  });

  it('the auxiliary loss is that of the full reconstruction', async () => {
    const [three, one] = [THIRDS, [1]].map((groupFractions) =>
      build(device(), matryoshka, config({ groupFractions, deadAfter: 1 })),
    );
    const x = put(device(), batchOf(4)(0), ROWS, D);
    const [a, b] = [await passOf(device(), three, x, 0), await passOf(device(), one, x, 0)];
    expect(a.losses.aux).toBeCloseTo(b.losses.aux, 5);
  });
});

describe('prefixes', () => {
  it('the remainder belongs to the last group', () => {
    const sae = build(new ReferenceDevice(), matryoshka, config({ width: 33 }));
    expect(sae.views).toEqual([
      { name: 'full', from: 0, to: 33 },
      { name: 'prefix-1', from: 0, to: 8 },
      { name: 'prefix-2', from: 0, to: 16 },
    ]);
  });

  it('a group has one latent at least', () => {
    expect(fixedEnds([0.01, 0.01, 0.98], 40)).toEqual([1, 2, 40]);
    expect(fixedEnds([1], 3)).toEqual([3]);
  });

  it('random ends: different, ascending, the last one the width; lengths as likely as √L − √(L − 1)', () => {
    const width = 9;
    const counts = new Float64Array(width + 1);
    const draws = 20_000;
    for (let i = 0; i < draws; i++) counts[randomEnds(2, width, new Random(3, i))[0]]++;
    expect(counts[0] + counts[width]).toBe(0);
    for (let length = 1; length < width; length++) {
      const share = (Math.sqrt(length) - Math.sqrt(length - 1)) / Math.sqrt(width - 1);
      expect(Math.abs(counts[length] / draws - share)).toBeLessThan(0.012);
    }
    expect(randomEnds(width, width, new Random(4))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(randomEnds(1, width, new Random(4))).toEqual([width]);
  });

  it.each([
    [{ k: 41 }, /k: 41 active latents of width 40/],
    [{ groupFractions: [0.5, 0.4] }, /groupFractions: they sum to 0.9/],
    [{ width: 2, k: 1 }, /groupFractions: 3 groups of width 2 leave no latent/],
    [{ groupWeights: [1, 1] }, /groupWeights: 2 weights for 3 groups/],
    [{ groupWeights: [1, 1, 1], prefixes: 'random' }, /groupWeights: random prefixes have no groups/],
    [{ prefixes: 'random', randomPrefixes: 41 }, /randomPrefixes: 41 different prefixes of width 40/],
  ])('refuses %j', (over, message) => {
    expect(matryoshka.check!(matryoshka.schema.parse(config(over)))).toMatch(message);
  });

  it('accepts the defaults', () => {
    expect(matryoshka.check!(matryoshka.schema.parse({}))).toBeUndefined();
    expect(matryoshka.check!(matryoshka.schema.parse(config({ prefixes: 'random' })))).toBeUndefined();
  });
});
