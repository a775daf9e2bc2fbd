import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SynthBench } from '../../../src/activations/synth-bench/synth-bench.ts';
import { codesToDense, type Codes } from '../../../src/core/codes.ts';
import { ConfigError } from '../../../src/core/errors.ts';
import { normalTail } from '../../../src/core/normal-distribution.ts';
import { mean } from '../../../src/core/statistics.ts';
import { temporaryFolder } from '../folders.ts';

/** 120 features, of which 4 · (1 + 3 + 9) = 52 in trees. */
const SMALL = { features: 120, d: 24, roots: 4, branching: 3, depth: 2, heldOutRows: 300, orthogonalizeSteps: 5 };
const INDEPENDENT = { ...SMALL, correlationRank: 0 };

function sample(bench: SynthBench, index: number, rows: number): { x: Float32Array; on: Codes } {
  const x = new Float32Array(rows * bench.d);
  return { x, on: bench.sample(index, x) };
}

const entries = ({ rowPtr, index, value }: Codes, r: number): [feature: number, value: number][] =>
  Array.from(index.subarray(rowPtr[r], rowPtr[r + 1]), (feature, e) => [feature, value[rowPtr[r] + e]]);

/** E relu(μ + σN) */
function meanOfRelu(mu: number, sigma: number): number {
  return mu * normalTail(-mu / sigma) + (sigma * Math.exp(-((mu / sigma) ** 2) / 2)) / Math.sqrt(2 * Math.PI);
}

/** Σ cos² over all pairs of directions. */
function overlap({ directions, d, features }: SynthBench): number {
  let sum = 0;
  for (let i = 0; i < features; i++) {
    for (let j = 0; j < i; j++) {
      let dot = 0;
      for (let k = 0; k < d; k++) dot += directions[i * d + k] * directions[j * d + k];
      sum += dot * dot;
    }
  }
  return sum;
}

function rowsOf(x: Float32Array, d: number): string[] {
  return Array.from({ length: x.length / d }, (_, r) => String(x.subarray(r * d, (r + 1) * d)));
}

describe('the published size', () => {
  it('has the published construction', async () => {
    // Without the steps that take a while: nothing else depends on directions.
    const bench = await SynthBench.open(0, { orthogonalizeSteps: 0 });
    expect([bench.features, bench.d, bench.truth.edgeCount]).toEqual([16_384, 768, 10_752]);
    expect(bench.truth.edgeCount + bench.hierarchy.forest.roots.length).toBe(10_880);
    expect(bench.hierarchy.free).toHaveLength(5504);
    expect(bench.hierarchy.forest.depth.reduce((most, depth) => Math.max(most, depth), 0)).toBe(3);
    expect([bench.mean[0], bench.mean[16_383]]).toEqual([5, 4]);
    expect(bench.firing[0]).toBe(0.4);
    expect(bench.firing[16_383]).toBeCloseTo(5e-4, 12);
    // |N(0.5, 0.5)|: mean 0.5·(1 − 2·tail(1)) + 2·0.5·density(1)
    expect(mean(bench.spread)).toBeCloseTo(0.5 * (1 - 2 * normalTail(1)) + Math.exp(-0.5) / Math.sqrt(2 * Math.PI), 2);
    expect(Math.hypot(...bench.bias)).toBeCloseTo(0.5, 6);
    expect(bench.trueL0).toBeCloseTo(34.5, 1);
    // The measured one is a little above, because features fire together.
    const { on } = sample(bench, 0, 2048);
    expect(on.index.length / 2048).toBeGreaterThan(33.5);
    expect(on.index.length / 2048).toBeLessThan(35.5);
  });
});

describe('a small one', () => {
  let bench: SynthBench;
  beforeAll(async () => void (bench = await SynthBench.open(3, SMALL)));

  it('names its features', () => {
    const names = [0, 3, 4, 6, 7, 16, 18, 51, 52, 119].map((feature) => bench.nameOf(feature));
    expect(names.slice(0, 5)).toEqual(['root 1', 'root 4', 'root 1.1', 'root 1.3', 'root 2.1']);
    expect(names.slice(5)).toEqual(['root 1.1.1', 'root 1.1.3', 'root 4.3.3', 'free 1', 'free 68']);
  });

  it('fires at its exact rates where features are independent', async () => {
    const rows = 60_000;
    const independent = await SynthBench.open(3, INDEPENDENT);
    const { on } = sample(independent, 0, rows);
    const counts = new Float64Array(120);
    for (const feature of on.index) counts[feature]++;
    counts.forEach((count, i) => {
      const p = independent.probability[i];
      expect(Math.abs(count - rows * p)).toBeLessThan(5 * Math.sqrt(rows * p * (1 - p)));
    });
    expect(Math.abs(on.index.length / rows - independent.trueL0)).toBeLessThan(0.05);
    // Compensation is meant to keep the base probabilities, and does so within a third.
    const base = await SynthBench.open(3, { ...INDEPENDENT, roots: 0 });
    independent.probability.forEach((p, i) => expect(Math.abs(p / base.probability[i] - 1)).toBeLessThan(1 / 3));
  });

  it('has magnitudes about their means; those of children follow their parents', async () => {
    const rows = 60_000;
    const { on } = sample(bench, 1, rows);
    const sums = new Float64Array(120);
    const squares = new Float64Array(120);
    const counts = new Float64Array(120);
    /** Σ a_child / (a_parent / μ_parent), whose mean is that of the child alone, whatever the parent's value. */
    const alone = new Float64Array(120);
    for (let r = 0; r < rows; r++) {
      const active = new Map(entries(on, r));
      for (const [i, value] of active) {
        counts[i]++;
        sums[i] += value;
        const parent = bench.truth.parent[i];
        const own = parent === -1 ? value : value / (active.get(parent)! / bench.mean[parent]);
        alone[i] += own;
        squares[i] += own * own;
      }
    }
    let scaledUp = 0;
    for (let i = 0; i < 120; i++) {
      const [mu, sigma] = [bench.mean[i], bench.spread[i]];
      // Where it is on, it is positive.
      const expected = meanOfRelu(mu, sigma) / normalTail(-mu / sigma);
      const deviation = Math.sqrt(squares[i] / counts[i] - (alone[i] / counts[i]) ** 2);
      expect(Math.abs(alone[i] / counts[i] - expected)).toBeLessThan((5 * deviation) / Math.sqrt(counts[i]) + 1e-6);
      if (bench.truth.depth[i] === 2 && Math.abs(sums[i] / alone[i] - 1) > 0.01) scaledUp++;
    }
    expect(scaledUp).toBeGreaterThan(3);
    const unscaled = await SynthBench.open(3, { ...SMALL, scaleChildren: false, spreadMean: 0, spreadSpread: 0 });
    const all = sample(unscaled, 0, 100).on;
    all.index.forEach((feature, e) => expect(all.value[e]).toBeCloseTo(unscaled.mean[feature], 5));
  });

  it('has directions of unit norm that were driven apart', async () => {
    const apart = await SynthBench.open(3, { ...SMALL, orthogonalizeSteps: 100 });
    const random = await SynthBench.open(3, { ...SMALL, orthogonalizeSteps: 0 });
    for (let i = 0; i < 120; i++)
      expect(Math.hypot(...apart.directions.subarray(i * 24, (i + 1) * 24))).toBeCloseTo(1, 5);
    expect(overlap(apart)).toBeLessThan(0.95 * overlap(random));
  });
});

const shape = fc
  .record({
    roots: fc.integer({ min: 0, max: 4 }),
    branching: fc.integer({ min: 1, max: 4 }),
    depth: fc.integer({ min: 0, max: 3 }),
    free: fc.integer({ min: 1, max: 40 }),
    d: fc.integer({ min: 1, max: 30 }),
    exclusive: fc.boolean(),
    compensate: fc.boolean(),
    scaleChildren: fc.boolean(),
    maxProbability: fc.constantFrom(0.1, 0.9, 1),
    minProbability: fc.constantFrom(0, 1e-3, 0.1),
    correlationRank: fc.constantFrom(0, 1, 25),
    biasNorm: fc.constantFrom(0, 2),
  })
  .map(({ free, ...c }) => {
    let features = free;
    for (let l = 0, level = c.roots; l <= c.depth; l++, level *= c.branching) features += level;
    return { ...c, features, orthogonalizeSteps: 2, heldOutRows: 50 };
  });

describe('any of them', () => {
  it('adds what is on; a child needs its parent; exclusive siblings exclude', async () => {
    await fc.assert(
      fc.asyncProperty(shape, fc.nat({ max: 1000 }), async (settings, seed) => {
        const bench = await SynthBench.open(seed, settings);
        const { x, on } = sample(bench, seed, 20);
        for (let r = 0; r < 20; r++) {
          const active = new Map(entries(on, r));
          expect(active.size).toBe(on.rowPtr[r + 1] - on.rowPtr[r]);
          const sum = Float64Array.from(bench.bias);
          for (const [i, value] of active) {
            expect(value).toBeGreaterThan(0);
            for (let k = 0; k < bench.d; k++) sum[k] += value * bench.directions[i * bench.d + k];
            const parent = bench.truth.parent[i];
            if (parent === -1) continue;
            expect(active.has(parent)).toBe(true);
            if (settings.exclusive)
              expect([...bench.truth.children(parent)].filter((sibling) => active.has(sibling))).toEqual([i]);
          }
          for (let k = 0; k < bench.d; k++) expect(Math.abs(x[r * bench.d + k] - sum[k])).toBeLessThan(1e-3);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('is a pure function of seed and index, whatever was drawn before, however many rows', async () => {
    await fc.assert(
      fc.asyncProperty(shape, fc.nat({ max: 100 }), fc.integer({ min: 1, max: 30 }), async (settings, index, rows) => {
        const [one, other] = [await SynthBench.open(9, settings), await SynthBench.open(9, settings)];
        const all = sample(one, index, 30);
        sample(other, index + 1, 3);
        const some = sample(other, index, rows);
        expect(some.x).toEqual(all.x.subarray(0, rows * one.d));
        expect(codesToDense(some.on)).toEqual(codesToDense(all.on).subarray(0, rows * one.features));
      }),
      { numRuns: 30 },
    );
  });

  it('makes the same batch in pieces, also when two are made at once', async () => {
    const bench = await SynthBench.open(1, SMALL);
    const [one, other] = [new Float32Array(200 * 24), new Float32Array(150 * 24)];
    await Promise.all([bench.batch(4, one), bench.batch(5, other)]);
    expect(one).toEqual(sample(bench, 4, 200).x);
    expect(other).toEqual(sample(bench, 5, 150).x);
  });

  it('serves any range of held-out rows with its truth, and stops at the end', async () => {
    const bench = await SynthBench.open(1, SMALL);
    const all = new Float32Array(300 * 24);
    const truth = codesToDense(bench.heldOutSample(0, all));
    for (const [start, rows] of [
      [0, 1],
      [17, 200],
      [290, 30],
      [300, 5],
      [999, 5],
    ]) {
      const count = Math.max(0, Math.min(rows, 300 - start));
      const x = new Float32Array(rows * 24).fill(7);
      expect(await bench.heldOut(start, x)).toBe(count);
      expect(x.subarray(0, count * 24)).toEqual(all.subarray(start * 24, (start + count) * 24));
      expect(x.subarray(count * 24).every((value) => value === 7)).toBe(true);
      const on = bench.heldOutSample(start, x);
      expect(on.rows).toBe(count);
      expect(codesToDense(on)).toEqual(truth.subarray(start * 120, (start + count) * 120));
    }
  });

  it('draws held-out rows from other streams than the batches, and other batches for other seeds', async () => {
    // Rows with nothing on would be equal.
    const LOUD = { ...SMALL, minProbability: 0.2 };
    const bench = await SynthBench.open(1, LOUD);
    const held = new Float32Array(100 * 24);
    bench.heldOutSample(0, held);
    const seen = new Set(rowsOf(held, 24));
    expect(seen.size).toBe(100);
    for (let index = 0; index < 5; index++) {
      for (const row of rowsOf(sample(bench, index, 100).x, 24)) {
        expect(seen.has(row)).toBe(false);
        seen.add(row);
      }
    }
    expect(sample(await SynthBench.open(2, LOUD), 0, 20).on).not.toEqual(sample(bench, 0, 20).on);
  });

  it('identifies itself by seed and parameters', async () => {
    const hash = async (seed: number, more = {}): Promise<string> =>
      (await SynthBench.open(seed, { ...SMALL, ...more })).identity.hash;
    expect(await hash(1)).toBe(await hash(1, { branching: 3 }));
    const hashes = [await hash(1), await hash(2), await hash(1, { exclusive: false }), await hash(1, { biasNorm: 1 })];
    expect(new Set(hashes).size).toBe(4);
    const { identity } = await SynthBench.open(1, SMALL);
    expect(JSON.parse(JSON.stringify(identity))).toEqual(identity);
  });
});

describe('parameters that cannot be', () => {
  it.each([
    [{ features: 100 }, 'features: 128 trees of branching 4 and depth 3 need 10880 features, there are 100'],
    [{ depth: 4 }, 'features: 128 trees of branching 4 and depth 4 need 43648 features, there are 16384'],
    [{ depth: 60 }, 'features: 128 trees of branching 4 and depth 60 need'],
    [{ roots: 20_000 }, 'features: 20000 trees'],
    [{ minProbability: 0.5 }, 'minProbability: more than maxProbability'],
    [{ maxProbability: 1.5 }, 'maxProbability: '],
    [{ minProbability: -0.1 }, 'minProbability: '],
    [{ branching: 2.5 }, 'branching: '],
    [{ branching: 0 }, 'branching: '],
    [{ firstMean: 0 }, 'firstMean: '],
    [{ exponent: -1 }, 'exponent: '],
    [{ d: 0 }, 'd: '],
    [{ d: 10_000 }, 'features: directions of more than 134217728 elements'],
    [{ bransching: 3 }, 'unknown key "bransching"; did you mean "branching"?'],
  ])('%j', async (settings, message) => {
    const opening = SynthBench.open(0, settings as object);
    await expect(opening).rejects.toBeInstanceOf(ConfigError);
    await expect(opening).rejects.toThrow(message);
  });
});

describe('directions that take long to make', () => {
  const LONG = { ...SMALL, features: 1000, d: 128 };
  const before = process.env.SAEFOREST_CACHE;
  afterEach(() => {
    if (before === undefined) delete process.env.SAEFOREST_CACHE;
    else process.env.SAEFOREST_CACHE = before;
  });

  async function open(steps: number): Promise<{ directions: Float32Array; notes: string[] }> {
    const notes: string[] = [];
    const { directions } = await SynthBench.open(4, { ...LONG, orthogonalizeSteps: steps }, (line) => notes.push(line));
    return { directions: Float32Array.from(directions), notes };
  }

  it('are announced, kept, read again, and made again when the file is damaged', async () => {
    const { path, remove } = temporaryFolder();
    process.env.SAEFOREST_CACHE = path;
    try {
      const made = await open(210);
      expect(made.notes.join()).toMatch(
        /driving 1000 directions apart takes about \d+ s, once: kept in .*\.safetensors$/,
      );
      expect(await open(210)).toEqual({ directions: made.directions, notes: [] });
      const [name] = readdirSync(join(path, 'synth-bench'));
      const file = join(path, 'synth-bench', name);
      const bytes = readFileSync(file);
      bytes[bytes.length - 9] ^= 1;
      writeFileSync(file, bytes);
      const again = await open(210);
      expect(again.notes).toHaveLength(1);
      expect(again.directions).toEqual(made.directions);
      expect(await open(210)).toEqual({ directions: made.directions, notes: [] });
    } finally {
      remove();
    }
  });

  it('are made all the same where they cannot be kept', async () => {
    const { path, remove } = temporaryFolder();
    writeFileSync(join(path, 'file'), '');
    process.env.SAEFOREST_CACHE = join(path, 'file');
    try {
      expect((await open(205)).notes).toHaveLength(1);
    } finally {
      remove();
    }
  });
});
