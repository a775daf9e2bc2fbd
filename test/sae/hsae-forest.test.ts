import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import type { Device } from '../../src/engine/device.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
import { NO_PARENT } from '../../src/forest/assignment.ts';
import { hsaeForest, type HsaeForest } from '../../src/sae/hsae-forest.ts';
import { jumprelu } from '../../src/sae/jumprelu.ts';
import { build, clustered, difference, floats, onDevices, parameter, passOf, put, rowsOf, train } from './bench.ts';

const [D, ROWS] = [16, 32];
const WIDTHS = [6, 12, 20];
const ENDS = [0, 6, 18, 38];
const WIDTH = 38;
const NAMES = ['W_enc', 'W_dec', 'log_threshold'] as const;

const batchOf = (seed: number) => (step: number) => clustered(new Random(seed, step), ROWS, D);

function forest(device: Device, over: Record<string, unknown> = {}, steps = 100): HsaeForest {
  return build(device, hsaeForest, { widths: WIDTHS, targetL0: [3], ...over }, { steps }) as HsaeForest;
}

/** A model that has started, with links. */
async function linked(device: Device, over: Record<string, unknown> = {}): Promise<HsaeForest> {
  const sae = forest(device, over);
  sae.start(batchOf(1)(0));
  device.beginStep();
  await sae.assign();
  return sae;
}

onDevices((device) => {
  it('training on clustered data lowers every reconstruction error', async () => {
    const sae = forest(device(), { lr: 0.01, deadAfter: 500 }, 60);
    const errors: number[][] = [];
    await train(
      device(),
      sae,
      60,
      batchOf(1),
      ({ losses }) => void errors.push([1, 2, 3].map((l) => losses[`l2_${l}`])),
    );
    for (const l of [0, 1, 2]) expect(errors.at(-1)![l]).toBeLessThan(0.5 * errors[0][l]);
  });

  it('starts every level near its target L0', async () => {
    const sae = forest(device(), { widths: [100, 200], targetL0: [5, 9] });
    const x = batchOf(2)(0);
    sae.start(x);
    const { losses } = await passOf(device(), sae, put(device(), x, ROWS, D), 0);
    expect(losses.l0_1).toBeGreaterThan(3);
    expect(losses.l0_1).toBeLessThan(8);
    expect(losses.l0_2).toBeGreaterThan(5);
    expect(losses.l0_2).toBeLessThan(14);
  });

  it('ρ = 0 and r = 0: independent JumpReLU SAEs, level by level', async () => {
    const over = { rho: 0, perturbation: 0, bandwidth: 0.3, ghosts: false };
    const sae = await linked(device(), over);
    const x = put(device(), batchOf(3)(0), ROWS, D);
    const together = await passOf(device(), sae, x, 1);
    expect(sae.forest.edgeCount).toBeGreaterThan(0);
    for (const [l, width] of WIDTHS.entries()) {
      const alone = build(device(), jumprelu, {
        width,
        dialect: 'saelens',
        bandwidth: 0.3,
        centerInput: false,
        sparsityWeight: sae.hostState[`lambda_${l + 1}`],
      });
      for (const name of NAMES) {
        const all = await floats(device(), parameter(sae, name));
        const size = all.length / WIDTH;
        device().write(parameter(alone, name), all.subarray(ENDS[l] * size, ENDS[l + 1] * size));
      }
      const single = await passOf(device(), alone, x, 1);
      expect(together.losses[`l2_${l + 1}`]).toBeCloseTo(single.losses.l2, 4);
      expect(together.losses[`l0_${l + 1}`]).toBe(single.losses.sparsity);
      const own = together.codes.map((row) =>
        row.flatMap(({ latent }) => (latent >= ENDS[l] && latent < ENDS[l + 1] ? [latent - ENDS[l]] : [])),
      );
      expect(own).toEqual(single.codes.map((row) => row.map(({ latent }) => latent)));
      for (const name of NAMES) {
        const all = together.gradients[name];
        const size = all.length / WIDTH;
        const part = all.subarray(ENDS[l] * size, ENDS[l + 1] * size);
        expect(difference(part, single.gradients[name]), name).toBeLessThan(1e-4);
      }
    }
  });

  it('permuting the latents of levels permutes codes, gradients and links, and nothing else', async () => {
    const over = { bandwidth: 0.3, rho: 0.1, perturbation: 0.4 };
    const one = await linked(device(), over);
    // Within each level, latents turn by one place.
    const to = Array.from({ length: WIDTH }, (_, i) => {
      const l = ENDS.findIndex((end) => end > i) - 1;
      return ENDS[l] + ((i - ENDS[l] + 1) % WIDTHS[l]);
    });
    const two = forest(device(), over);
    two.hostState = { ...one.hostState };
    const moved = (values: Float32Array): Float32Array => {
      const size = values.length / WIDTH;
      const out = values.slice();
      to.forEach((place, i) => out.set(values.subarray(i * size, i * size + size), place * size));
      return out;
    };
    for (const name of NAMES) device().write(parameter(two, name), moved(await floats(device(), parameter(one, name))));
    await two.assign();
    one.forest.parent.forEach((parent, i) => expect(two.forest.parent[to[i]]).toBe(parent < 0 ? -1 : to[parent]));
    const swaps = one.swapsOf(4);
    const turned = new Uint8Array(WIDTH);
    to.forEach((place, i) => (turned[place] = swaps[i]));
    two.swapsOf = () => turned;
    const x = put(device(), batchOf(4)(0), ROWS, D);
    const [a, b] = [await passOf(device(), one, x, 4), await passOf(device(), two, x, 4)];
    for (const name of Object.keys(a.losses)) expect(b.losses[name], name).toBeCloseTo(a.losses[name], 3);
    for (const name of NAMES) expect(difference(b.gradients[name], moved(a.gradients[name])), name).toBeLessThan(2e-4);
    const codes = a.codes.map((row) => row.map(({ latent }) => to[latent]).toSorted((p, q) => p - q));
    expect(b.codes.map((row) => row.map(({ latent }) => latent))).toEqual(codes);
  });

  it('swaps are those of the seed and the step; latents without children and the last level never', async () => {
    const sae = await linked(device(), { perturbation: 0.3 });
    expect(Array.from(sae.swapsOf(3))).toEqual(Array.from(sae.swapsOf(3)));
    expect(Array.from(sae.swapsOf(3))).not.toEqual(Array.from(sae.swapsOf(4)));
    const x = put(device(), batchOf(5)(0), ROWS, D);
    sae.swapsOf = () => new Uint8Array(WIDTH);
    const plain = await passOf(device(), sae, x, 0);
    sae.swapsOf = () => Uint8Array.from({ length: WIDTH }, (_, i) => Number(sae.forest.children(i).length === 0));
    const childless = await passOf(device(), sae, x, 0);
    expect(childless.losses).toEqual(plain.losses);
    sae.swapsOf = () => new Uint8Array(WIDTH).fill(1);
    const swapped = await passOf(device(), sae, x, 0);
    expect(swapped.losses.l2_1).not.toBeCloseTo(plain.losses.l2_1, 3);
    expect(swapped.losses.l2_3).toBe(plain.losses.l2_3);
    expect(swapped.losses.l0_1).toBe(plain.losses.l0_1);
    expect(swapped.losses.family_1).toBe(plain.losses.family_1);
  });

  it('links go from level to level and are renewed as configured', async () => {
    const sae = forest(device(), { assignEvery: 3, lr: 0.05 }, 9);
    const seen: string[] = [];
    await train(device(), sae, 7, batchOf(6), async () => {
      seen.push([...sae.forest.parent].join());
      const stored = await device().read(sae.state.parents as typeof sae.state.parents & { dtype: 'u32' });
      expect([...stored]).toEqual([...sae.forest.parent].map((parent) => (parent < 0 ? NO_PARENT : parent)));
    });
    sae.forest.parent.forEach((parent, i) => {
      if (i < ENDS[1]) expect(parent).toBe(-1);
      else if (parent >= 0) expect(sae.forest.level[parent]).toBe(sae.forest.level[i] - 1);
    });
    for (const l of [1, 2]) {
      const roots = [...sae.forest.parent.subarray(ENDS[l], ENDS[l + 1])].filter((parent) => parent < 0).length;
      expect(roots).toBe(Math.ceil(0.2 * (WIDTHS[l] - 1)));
    }
    // Links follow step 0 and the steps before every third.
    expect(seen[1]).toBe(seen[0]);
    expect(seen[3]).toBe(seen[2]);
    expect(seen[4]).toBe(seen[2]);
    expect(new Set(seen).size).toBeGreaterThan(1);
  });

  it('topologies: all have parents, the first links stay, two children at most', async () => {
    const linksOf = async (topology: string): Promise<string[]> => {
      const sae = forest(device(), { topology, assignEvery: 3, lr: 0.05 }, 20);
      const seen: string[] = [];
      await train(device(), sae, 9, batchOf(6), async () => void seen.push([...sae.forest.parent].join()));
      const families = Array.from({ length: WIDTH }, (_, p) => sae.forest.children(p).length);
      if (topology === 'full') expect(sae.forest.edgeCount).toBe(WIDTH - WIDTHS[0]);
      if (topology === 'binary') expect(Math.max(...families)).toBe(2);
      return seen;
    };
    await linksOf('full');
    await linksOf('binary');
    const fixed = await linksOf('fixed');
    // Nothing is linked in the first tenth of the run; the callback comes after the step.
    expect(new Set(fixed.slice(0, 1))).toEqual(new Set([Array.from({ length: WIDTH }, () => -1).join()]));
    expect(new Set(fixed.slice(1)).size).toBe(1);
    expect(fixed[1]).not.toBe(fixed[0]);
    expect(new Set(await linksOf('partial')).size).toBeGreaterThan(2);
  });

  it.each(['decoder', 'coactivation'])('similarity %s decides the links', async (similarity) => {
    const sae = forest(device(), { similarity, assignEvery: 100, lr: 1e-9, unassigned: 0, thresholdInit: 0.5 }, 100);
    const active: Set<number>[] = [];
    await train(device(), sae, 3, batchOf(10), async ({ forward }) => {
      for (const row of await rowsOf(device(), forward.codes))
        active.push(new Set(row.flatMap(({ latent, value }) => (value === 0 ? [] : [latent]))));
    });
    device().beginStep();
    const nearest = await sae.nearest();
    await sae.assign();
    expect(sae.forest.edgeCount).toBe(WIDTH - WIDTHS[0]);
    const W = await floats(device(), parameter(sae, 'W_dec'));
    for (let c = ENDS[1]; c < WIDTH; c++) {
      const level = sae.forest.level[c];
      const scores = Array.from({ length: WIDTHS[level - 1] }, (_, i) => {
        const p = ENDS[level - 1] + i;
        if (similarity === 'decoder')
          return W.subarray(c * D, c * D + D).reduce((sum, w, j) => sum + w * W[p * D + j], 0);
        const own = active.filter((on) => on.has(c));
        return own.length === 0 ? 0 : own.filter((on) => on.has(p)).length / own.length;
      });
      expect(nearest[level - 1].similarity[c - ENDS[level]]).toBeCloseTo(Math.max(...scores), 2);
      expect(scores[sae.forest.parent[c] - ENDS[level - 1]]).toBeCloseTo(Math.max(...scores), 2);
    }
  });

  it('joint: false trains without links, and links after the last step', async () => {
    const sae = forest(device(), { joint: false }, 4);
    const edges: number[] = [];
    await train(device(), sae, 4, batchOf(7), ({ losses }) => {
      edges.push(sae.forest.edgeCount);
      expect(Object.keys(losses).filter((name) => name.startsWith('family'))).toEqual([]);
    });
    expect(edges.slice(0, 3)).toEqual([0, 0, 0]);
    expect(edges[3]).toBeGreaterThan(0);
  });

  it('takes links over from a checkpoint, and goes on with the same numbers', async () => {
    const make = (): HsaeForest => forest(device(), { perturbation: 0.4, assignEvery: 3, lr: 0.01 }, 20);
    const one = make();
    await train(device(), one, 4, batchOf(8));
    const two = make();
    for (const name of NAMES) device().write(parameter(two, name), await floats(device(), parameter(one, name)));
    const loaded: Record<string, Float32Array | Uint32Array> = {};
    for (const [name, tensor] of Object.entries(one.state)) {
      loaded[name] = (await device().read(tensor)) as Float32Array | Uint32Array;
      device().write(two.state[name], loaded[name]);
    }
    two.hostState = { ...one.hostState };
    two.restore(loaded);
    expect([...two.forest.parent]).toEqual([...one.forest.parent]);
    const x = put(device(), batchOf(8)(4), ROWS, D);
    const [a, b] = [await passOf(device(), one, x, 4), await passOf(device(), two, x, 4)];
    expect(b.losses).toEqual(a.losses);
    for (const name of NAMES) expect(b.gradients[name]).toEqual(a.gradients[name]);
  });

  it('ghosts move dead latents, and only those', async () => {
    const over = { deadAfter: 100, perturbation: 0 };
    const [sae, without] = [await linked(device(), over), await linked(device(), { ...over, ghosts: false })];
    const counters = Float32Array.from({ length: WIDTH }, (_, i) => (i % 4 === 0 ? 100 : 0));
    for (const model of [sae, without]) {
      // Thresholds that nothing reaches: dead for good.
      const logs = await floats(device(), parameter(model, 'log_threshold'));
      device().write(
        parameter(model, 'log_threshold'),
        logs.map((log, i) => (i % 4 === 0 ? 5 : log)),
      );
      device().write(model.state.since_fired, counters);
      model.hostState = { ...model.hostState, oldest: 100 };
    }
    const x = put(device(), batchOf(9)(0), ROWS, D);
    const [a, b] = [await passOf(device(), sae, x, 0), await passOf(device(), without, x, 0)];
    expect(Object.keys(a.losses).filter((name) => name.startsWith('ghost'))).toEqual(['ghost_1', 'ghost_2', 'ghost_3']);
    for (let i = 0; i < WIDTH; i++) {
      const moved = difference(
        a.gradients.W_enc.subarray(i * D, i * D + D),
        b.gradients.W_enc.subarray(i * D, i * D + D),
      );
      if (counters[i] > 0) expect(moved).toBeGreaterThan(0);
      else expect(moved).toBeLessThan(1e-6);
    }
  });

  it.each([
    ['trajectory', (l0: number) => l0 > 3],
    ['autotune', (l0: number) => l0 > 3],
    ['fixed', undefined],
  ] as const)('controller %s steers λ of each level', (controller, grows) => {
    const sae = forest(device(), { controller, lambdaInit: 0.5 });
    const observed = { l0_1: 10, l0_2: 1, l0_3: 4, oldest: 7 };
    for (const step of [0, 1]) sae.afterStep(step, observed);
    for (const l of [1, 2, 3]) {
      const lambda = sae.hostState[`lambda_${l}`];
      if (!grows) expect(lambda).toBe(0.5);
      else expect(lambda > 0.5).toBe(grows(observed[`l0_${l}` as keyof typeof observed]));
    }
    expect(sae.hostState.oldest).toBe(7);
  });
});

/** What is wrong with a configuration. */
const problem = (over: Record<string, unknown>): string | undefined =>
  hsaeForest.check!(hsaeForest.schema.parse({ widths: WIDTHS, targetL0: [3], ...over }));

describe('configuration', () => {
  it('names what does not fit', () => {
    expect(problem({})).toBeUndefined();
    expect(problem({ targetL0: [1, 2] })).toMatch(/targetL0: 2 numbers for 3 levels/);
    expect(problem({ targetL0: [7, 8, 9] })).toMatch(/the 6 of level 1/);
    expect(hsaeForest.schema.safeParse({ widths: [] }).success).toBe(false);
    expect(hsaeForest.schema.safeParse({ perturbation: 1.5 }).success).toBe(false);
  });

  it('views are the levels; full is the deepest', () => {
    const sae = forest(new ReferenceDevice());
    expect(sae.views).toEqual([
      { name: 'full', from: 18, to: 38 },
      { name: 'level-1', from: 0, to: 6 },
      { name: 'level-2', from: 6, to: 18 },
    ]);
  });
});
