import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
import { Tape } from '../../src/engine/tape.ts';
import { matchingPursuit } from '../../src/sae/matching-pursuit.ts';
import { build, clustered, floats, onDevices, parameter, passOf, put, train } from './bench.ts';

const [D, WIDTH, K, ROWS] = [16, 24, 4, 32];
const config = (over: Record<string, unknown> = {}): Record<string, unknown> => ({ width: WIDTH, k: K, ...over });
const batchOf = (seed: number) => (step: number) => clustered(new Random(seed, step), ROWS, D);
const free = { residualThreshold: 0, stopOnRepeat: false };

onDevices((device) => {
  it('training on clustered data lowers the loss', async () => {
    const sae = build(device(), matchingPursuit, config({ lr: 0.01 }));
    const totals = await train(device(), sae, 60, batchOf(1));
    expect(Math.max(...totals.slice(-5))).toBeLessThan(0.3 * totals[0]);
  });

  it('every step leaves unit rows', async () => {
    const sae = build(device(), matchingPursuit, config({ lr: 0.01, warmupSteps: 0 }));
    await train(device(), sae, 3, batchOf(2), async () => {
      const W = await floats(device(), parameter(sae, 'W_dec'));
      for (let i = 0; i < WIDTH; i++) expect(Math.hypot(...W.subarray(i * D, i * D + D))).toBeCloseTo(1, 6);
    });
  });

  it('more steps leave less over, and each takes exactly v² of the squared norm', async () => {
    const x = put(device(), batchOf(3)(0), ROWS, D);
    let before = Infinity;
    for (const k of [1, 2, 4, 12]) {
      const sae = build(device(), matchingPursuit, config({ k, ...free }));
      const { losses, codes } = await passOf(device(), sae, x, 0);
      expect(losses.l2).toBeLessThan(before);
      if (k === 1) {
        const squares = batchOf(3)(0).reduce((sum, v) => sum + v * v, 0) / ROWS;
        const taken = codes.flat().reduce((sum, { value }) => sum + value * value, 0) / ROWS;
        expect(losses.l2).toBeCloseTo(squares - taken, 3);
      }
      before = losses.l2;
    }
  });

  it('with an orthonormal dictionary it is a top-k of positive scores', async () => {
    const sae = build(device(), matchingPursuit, { width: D, k: 3 });
    const identity = Float32Array.from({ length: D * D }, (_, e) => Number(Math.floor(e / D) === e % D));
    device().write(parameter(sae, 'W_dec'), identity);
    const values = batchOf(4)(0);
    const { codes } = await passOf(device(), sae, put(device(), values, ROWS, D), 0);
    for (const [r, entries] of codes.entries()) {
      const row = [...values.subarray(r * D, r * D + D)];
      const largest = row
        .toSorted((a, b) => b - a)
        .slice(0, 3)
        .filter((v) => v > 0);
      expect(
        entries
          .map(({ value }) => value)
          .filter((v) => v > 0)
          .toSorted((a, b) => b - a),
      ).toEqual(largest);
      for (const { latent, value } of entries) if (value > 0) expect(value).toBe(row[latent]);
    }
  });

  it('stops where little is left, or when a latent comes again', async () => {
    const values = batchOf(5)(0);
    const x = put(device(), values, ROWS, D);
    const active = async (over: Record<string, unknown>): Promise<number> => {
      const { codes } = await passOf(device(), build(device(), matchingPursuit, config({ k: 16, ...over })), x, 0);
      return codes.flat().filter(({ value }) => value > 0).length;
    };
    const all = await active(free);
    expect(await active({ ...free, stopOnRepeat: true })).toBeLessThan(all);
    expect(await active({ ...free, residualThreshold: 2.5 })).toBeLessThan(all);
    expect(await active({ ...free, residualThreshold: 1e9 })).toBe(ROWS);
  });

  it('the revival turns silent latents, and only those, towards the mean residual', async () => {
    const x = put(device(), batchOf(6)(0), ROWS, D);
    const [plain, revived] = [0, 0.01].map((revive) => build(device(), matchingPursuit, config({ revive })));
    const [one, two] = [await passOf(device(), plain, x, 0), await passOf(device(), revived, x, 0)];
    expect(two.losses.l2).toBe(one.losses.l2);
    const residual = Array.from({ length: D }, () => 0);
    batchOf(6)(0).forEach((v, e) => (residual[e % D] += (v - two.reconstruction[e]) / ROWS));
    const fired = new Set(two.codes.flat().flatMap(({ latent, value }) => (value >= 0.01 ? [latent] : [])));
    expect(fired.size).toBeLessThan(WIDTH);
    const silent = WIDTH - fired.size;
    for (let i = 0; i < WIDTH; i++) {
      if (fired.has(i)) continue;
      const own = two.gradients.W_dec.subarray(i * D, i * D + D);
      own.forEach((g, p) => expect(g).toBeCloseTo((-0.01 * D * residual[p]) / silent, 5));
      expect(one.gradients.W_dec.subarray(i * D, i * D + D).every((g) => g === 0)).toBe(true);
    }
  });

  it('counts rows since a latent fired', async () => {
    const sae = build(device(), matchingPursuit, config({ deadAfter: 2 * ROWS }));
    let expected = new Float32Array(WIDTH);
    await train(device(), sae, 3, batchOf(7), async ({ forward }) => {
      const values = await floats(device(), forward.codes.value);
      const latents = await device().read(forward.codes.index as typeof forward.codes.index & { dtype: 'u32' });
      const fired = new Set([...latents].filter((_, e) => values[e] > 0));
      expected = expected.map((rows, i) => (fired.has(i) ? 0 : rows + ROWS));
      expect(await floats(device(), sae.state.since_fired)).toEqual(expected);
    });
    expect(await sae.deadFraction()).toBeCloseTo(expected.filter((rows) => rows >= 2 * ROWS).length / WIDTH, 12);
  });
});

describe('configuration', () => {
  it.each([
    [{ width: 8193 }, /inner products of its dictionary; it can be at most 8192$/],
    [{ width: 8, k: 9 }, /^k: 9 steps over 8 latents/],
  ])('refuses %o', (given, problem) => {
    expect(matchingPursuit.check!(matchingPursuit.schema.parse(given))).toMatch(problem);
  });

  it('starts as unit rows, b_dec at the median of the first batch', async () => {
    const device = new ReferenceDevice();
    const sae = build(device, matchingPursuit, config());
    sae.start(new Float32Array(3 * D).fill(2));
    expect([...(await floats(device, sae.outputBias!))]).toEqual(Array.from({ length: D }, () => 2));
    expect(await floats(device, parameter(sae, 'W_dec'))).toEqual(
      await floats(device, sae.dictionary(new Tape(device))),
    );
  });
});
