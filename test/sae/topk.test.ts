import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { Tape } from '../../src/engine/tape.ts';
import { geometricMedian } from '../../src/sae/parts/geometric-median.ts';
import { topk } from '../../src/sae/topk.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
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

const [D, WIDTH, K, ROWS] = [16, 40, 4, 32];
const config = (over: Record<string, unknown> = {}): Record<string, unknown> => ({ width: WIDTH, k: K, ...over });
const batchOf = (seed: number) => (step: number) => clustered(new Random(seed, step), ROWS, D);

/** A permutation of the latents. */
const to = (i: number): number => (7 * i + 3) % WIDTH;

/** All parameters of a fresh model. */
async function start(seed: number): Promise<Float32Array[]> {
  const device = new ReferenceDevice();
  const sae = build(device, topk, config(), { seed });
  return Promise.all(sae.parameters.map(({ tensor }) => floats(device, tensor)));
}

onDevices((device) => {
  it('training on clustered data lowers the loss', async () => {
    const sae = build(device(), topk, config({ lr: 0.01 }));
    const totals = await train(device(), sae, 60, batchOf(1));
    const [early, late] = [totals[0], Math.max(...totals.slice(-5))];
    expect(late).toBeLessThan(0.3 * early);
  });

  it('every step leaves a unit decoder, and Adam sees no gradient along it', async () => {
    const sae = build(device(), topk, config({ lr: 0.01, warmupSteps: 0 }));
    const W = parameter(sae, 'W_dec');
    let before = await floats(device(), W);
    await train(device(), sae, 4, batchOf(2), async (_, optimizer) => {
      const [gradient, after] = [await floats(device(), optimizer.gradients.W_dec), await floats(device(), W)];
      for (let i = 0; i < WIDTH; i++) {
        const [g, w, now] = [gradient, before, after].map((all) => all.subarray(i * D, i * D + D));
        expect(Math.abs(Math.hypot(...now) - 1)).toBeLessThan(1e-6);
        expect(Math.abs(g.reduce((sum, value, p) => sum + value * w[p], 0))).toBeLessThan(
          1e-5 * (1 + Math.hypot(...g)),
        );
      }
      before = after;
    });
  });

  it('selects at most k latents; codes, dictionary and bias are the reconstruction', async () => {
    const sae = build(device(), topk, config());
    device().write(
      parameter(sae, 'b_dec'),
      Float32Array.from({ length: D }, (_, i) => i / 10),
    );
    const x = put(device(), batchOf(3)(0), ROWS, D);
    const { codes, reconstruction } = await passOf(device(), sae, x, 5);
    for (const entries of codes) expect(entries.filter(({ value }) => value > 0).length).toBeLessThanOrEqual(K);
    device().beginStep();
    const dictionary = await floats(device(), sae.dictionary(new Tape(device())));
    const bias = await floats(device(), sae.outputBias!);
    expect(difference(reconstruction, reconstruct(codes, dictionary, D, bias))).toBeLessThan(1e-5);
    const encoded = await rowsOf(device(), sae.encode(new Tape(device()), x));
    expect(encoded).toEqual(codes);
  });

  it('permuting the latents permutes codes and gradients, and nothing else', async () => {
    const [one, two] = [build(device(), topk, config()), build(device(), topk, config())];
    for (const name of ['W_enc', 'W_dec', 'b_enc']) {
      const values = await floats(device(), parameter(one, name));
      const size = values.length / WIDTH;
      const moved = values.slice();
      for (let i = 0; i < WIDTH; i++) moved.set(values.subarray(i * size, i * size + size), to(i) * size);
      device().write(parameter(two, name), moved);
    }
    const x = put(device(), batchOf(4)(0), ROWS, D);
    const [a, b] = [await passOf(device(), one, x, 0), await passOf(device(), two, x, 0)];
    expect(b.losses.l2).toBeCloseTo(a.losses.l2, 4);
    const moved = a.codes.map((entries) =>
      entries.map(({ latent, value }) => ({ latent: to(latent), value })).sort((p, q) => p.latent - q.latent),
    );
    expect(b.codes.map((entries) => entries.map(({ latent }) => latent))).toEqual(
      moved.map((entries) => entries.map(({ latent }) => latent)),
    );
    for (const name of ['W_enc', 'W_dec', 'b_enc']) {
      const size = a.gradients[name].length / WIDTH;
      for (let i = 0; i < WIDTH; i++) {
        const [own, other] = [a, b].map(({ gradients }, m) => {
          const at = (m === 0 ? i : to(i)) * size;
          return gradients[name].subarray(at, at + size);
        });
        expect(difference(own, other)).toBeLessThan(1e-5);
      }
    }
    expect(difference(a.gradients.b_dec, b.gradients.b_dec)).toBeLessThan(1e-5);
  });

  it('the auxiliary loss exists only while latents can be dead, and moves only those', async () => {
    const deadAfter = 1000;
    const [sae, without] = [1 / 32, 0].map((auxAlpha) => build(device(), topk, config({ auxAlpha, deadAfter })));
    const x = put(device(), batchOf(5)(0), ROWS, D);
    const plain = await passOf(device(), without, x, 0);
    expect(Object.keys((await passOf(device(), sae, x, 0)).losses)).toEqual(['l2']);

    const counters = Float32Array.from({ length: WIDTH }, (_, i) => (i % 3 === 0 ? deadAfter : 0));
    for (const model of [sae, without]) {
      device().write(model.state.since_selected, counters);
      model.hostState = { ...model.hostState, oldest: deadAfter };
    }
    const { losses, gradients, codes } = await passOf(device(), sae, x, 0);
    expect(Object.keys(losses)).toEqual(['l2', 'aux']);
    expect(losses.aux).toBeGreaterThan(0);
    const fired = new Set(codes.flat().map(({ latent }) => latent));
    for (const [name, size] of [
      ['W_enc', D],
      ['b_enc', 1],
      ['W_dec', D],
    ] as const) {
      let moved = 0;
      for (let i = 0; i < WIDTH; i++) {
        const dead = counters[i] >= deadAfter && !fired.has(i);
        const [own, other] = [gradients, plain.gradients].map((all) => all[name].subarray(i * size, i * size + size));
        if (dead) moved += Number(difference(own, other) > 0);
        else expect(difference(own, other)).toBeLessThan(1e-6);
      }
      expect(moved).toBeGreaterThan(0);
    }
    expect(Object.keys((await passOf(device(), without, x, 0)).losses)).toEqual(['l2']);
  });

  it('counters of dead latents grow by the batch and fall to 0 on selection', async () => {
    const sae = build(device(), topk, config({ deadAfter: 2 * ROWS }));
    let expected = new Float32Array(WIDTH);
    await train(device(), sae, 3, batchOf(6), async ({ forward }) => {
      const codes = await rowsOf(device(), forward.codes);
      const selected = new Set(codes.flat().map(({ latent }) => latent));
      expected = expected.map((rows, i) => (selected.has(i) ? 0 : rows + ROWS));
      expect([...(await floats(device(), sae.state.since_selected))]).toEqual([...expected]);
      expect(sae.hostState.oldest).toBe(Math.max(...expected));
      const dead = expected.filter((rows) => rows >= 2 * ROWS).length;
      expect(await sae.deadFraction()).toBeCloseTo(dead / WIDTH, 12);
    });
  });

  it('tracks the threshold, and keeps what is strictly above it at inference', async () => {
    const over = { thresholdFrom: 1, thresholdBeta: 0.5, inference: 'threshold', lr: 0.01 };
    const sae = build(device(), topk, config(over));
    let tracked = -1;
    await train(device(), sae, 5, batchOf(7), async ({ forward }, _, step) => {
      const codes = await rowsOf(device(), forward.codes);
      const smallest = codes.map((entries) => Math.min(...entries.map(({ value }) => value).filter((v) => v > 0)));
      const mean = smallest.reduce((sum, value) => sum + value, 0) / ROWS;
      if (step > 1) tracked = tracked < 0 ? mean : 0.5 * tracked + 0.5 * mean;
      expect(sae.hostState.threshold).toBeCloseTo(tracked, 5);
    });
    device().beginStep();
    const x = put(device(), batchOf(7)(9), ROWS, D);
    const all = (await rowsOf(device(), sae.encode(new Tape(device()), x))).flat();
    expect(all.length).toBeGreaterThan(0);
    // Exactly at the threshold is not above it.
    const at = all[0].value;
    sae.hostState = { ...sae.hostState, threshold: at };
    const above = (await rowsOf(device(), sae.encode(new Tape(device()), x))).flat();
    expect(above.every(({ value }) => value > at)).toBe(true);
    expect(above.length).toBe(all.filter(({ value }) => value > at).length);
  });

  it('k falls from d to its value after the first step', async () => {
    const sae = build(device(), topk, config({ kAnnealSteps: 3 }));
    const seen: number[] = [];
    await train(device(), sae, 6, batchOf(8), ({ forward }) => void seen.push(forward.codes.perRow!));
    expect(seen).toEqual([K, D, 12, 8, K, K]);
  });

  it('Multi-TopK adds an eighth of the loss of the 4k largest latents', async () => {
    const [sae, four] = [build(device(), topk, config({ multi: true })), build(device(), topk, config({ k: 4 * K }))];
    const [plain, x] = [build(device(), topk, config()), put(device(), batchOf(11)(0), ROWS, D)];
    const [ours, more, few] = [
      await passOf(device(), sae, x, 0),
      await passOf(device(), four, x, 0),
      await passOf(device(), plain, x, 0),
    ];
    expect(ours.codes).toEqual(few.codes);
    expect(ours.losses).toEqual({ l2: few.losses.l2, multi: more.losses.l2 });
    for (const name of ['W_enc', 'b_enc', 'W_dec', 'b_dec']) {
      const expected = few.gradients[name].map((value, i) => value + more.gradients[name][i] / 8);
      expect(difference(ours.gradients[name], expected), name).toBeLessThan(2e-5);
    }
  });

  it('Multi-TopK of a narrow model takes all latents', async () => {
    const sae = build(device(), topk, config({ multi: true, k: WIDTH - 1 }));
    const { losses } = await passOf(device(), sae, put(device(), batchOf(12)(0), ROWS, D), 0);
    expect(losses.multi).toBeGreaterThan(0);
  });

  it.each(['openai', 'saelens'])('revives dead latents by the loss of %s, too', async (aux) => {
    const sae = build(device(), topk, config({ aux, deadAfter: 1, k: 1, lr: 0.01 }));
    const seen: string[][] = [];
    await train(device(), sae, 3, batchOf(13), ({ forward }) => void seen.push(Object.keys(forward.losses)));
    // SAELens asks who was dead before the batch.
    expect(seen).toEqual([aux === 'saelens' ? ['l2'] : ['l2', 'aux'], ['l2', 'aux'], ['l2', 'aux']]);
    const dead = Math.round((await sae.deadFraction()) * WIDTH);
    expect(dead).toBeGreaterThan(0);
    if (aux === 'saelens') expect(sae.hostState.dead).toBe(dead);
  });
});

describe('initialisation', () => {
  it('scaleEncoder changes the length of the encoder, not its direction', async () => {
    const device = new ReferenceDevice();
    const [plain, scaled] = [build(device, topk, config()), build(device, topk, config({ scaleEncoder: true }))];
    expect(await floats(device, parameter(scaled, 'W_dec'))).toEqual(await floats(device, parameter(plain, 'W_dec')));
    const [before, after] = [
      await floats(device, parameter(plain, 'W_enc')),
      await floats(device, parameter(scaled, 'W_enc')),
    ];
    const scale = after[0] / before[0];
    expect(Math.abs(scale - 1)).toBeGreaterThan(0.01);
    expect(
      difference(
        after,
        before.map((value) => scale * value),
      ),
    ).toBeLessThan(1e-6);
  });

  it('is a function of the seed: unit decoder, tied encoder, biases 0', async () => {
    const [W_enc, b_enc, W_dec, b_dec] = await start(3);
    expect(await start(3)).toEqual([W_enc, b_enc, W_dec, b_dec]);
    expect((await start(4))[0]).not.toEqual(W_enc);
    expect(W_enc).toEqual(W_dec);
    for (let i = 0; i < WIDTH; i++) expect(Math.hypot(...W_dec.subarray(i * D, i * D + D))).toBeCloseTo(1, 6);
    expect([...b_enc, ...b_dec].every((value) => value === 0)).toBe(true);
  });

  it('b_dec starts at the geometric median of the first batch', async () => {
    const device = new ReferenceDevice();
    const sae = build(device, topk, config());
    const batch = batchOf(9)(0);
    sae.start(batch);
    expect(await floats(device, sae.outputBias!)).toEqual(Float32Array.from(geometricMedian(batch, D)));
  });

  it('learning rate: 2e-4 / √(F / 2^14) at its peak, a default warm-up of a tenth of the run, 0 at the end', () => {
    const { learningRate } = build(new ReferenceDevice(), topk, config({ width: 1024 })).update;
    expect(learningRate(0)).toBe(0);
    expect(learningRate(10)).toBeCloseTo(8e-4, 12);
    expect(learningRate(80)).toBeCloseTo(8e-4, 12);
    expect(learningRate(90)).toBeCloseTo(4e-4, 12);
    expect(learningRate(100)).toBe(0);
    const given = build(new ReferenceDevice(), topk, config({ lr: 1, warmupSteps: 50, decayFrom: 1 })).update;
    expect([25, 50, 99].map(given.learningRate)).toEqual([0.5, 1, 1]);
  });
});
