import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ToyTree } from '../../src/activations/toy-tree.ts';
import { ConfigError } from '../../src/core/errors.ts';

function sample(tree: ToyTree, index: number, rows: number): { x: Float32Array; on: Uint8Array } {
  const x = new Float32Array(rows * tree.d);
  const on = new Uint8Array(rows * tree.features);
  tree.sample(index, x, on);
  return { x, on };
}

const shape = fc.record({
  roots: fc.integer({ min: 0, max: 4 }),
  branching: fc.integer({ min: 0, max: 4 }),
  depth: fc.integer({ min: 1, max: 4 }),
  leaves: fc.integer({ min: 1, max: 6 }),
  rootProbability: fc.constantFrom(0, 0.3, 1),
  childProbability: fc.constantFrom(0, 0.2, 0.25),
  leafProbability: fc.constantFrom(0, 0.05, 1),
  exclusive: fc.boolean(),
  d: fc.integer({ min: 1, max: 30 }),
});

describe('the default toy tree', () => {
  const tree = new ToyTree(1);

  it('is the paper’s', () => {
    expect(tree.features).toBe(20);
    expect(tree.d).toBe(20);
    expect([...tree.truth.parent]).toEqual([-1, 0, 0, 0, -1, 4, 4, 4, -1, 8, 8, 8, ...Array<number>(8).fill(-1)]);
    const family = [0.15, 0.03, 0.03, 0.03];
    [...family, ...family, ...family, ...Array<number>(8).fill(0.05)].forEach((p, i) =>
      expect(tree.probability[i]).toBeCloseTo(p, 12),
    );
    expect(tree.trueL0).toBeCloseTo(1.12, 12);
    expect(tree.names.slice(0, 5)).toEqual(['root 1', 'root 1.1', 'root 1.2', 'root 1.3', 'root 2']);
    expect(tree.names[19]).toBe('leaf 8');
  });

  it('fires at its rates, independently between trees', () => {
    const rows = 200_000;
    const { on } = sample(tree, 0, rows);
    const fired = new Float64Array(20);
    let both = 0;
    for (let r = 0; r < rows; r++) {
      for (let j = 0; j < 20; j++) fired[j] += on[r * 20 + j];
      both += on[r * 20] & on[r * 20 + 4];
    }
    const expectRate = (count: number, p: number): void =>
      expect(Math.abs(count - rows * p)).toBeLessThan(4.5 * Math.sqrt(rows * p * (1 - p)));
    fired.forEach((count, j) => expectRate(count, tree.probability[j]));
    expectRate(both, 0.15 ** 2);
    expect(fired.reduce((a, b) => a + b, 0) / rows).toBeCloseTo(1.12, 2);
  });

  it('has orthogonal directions of length near 1', () => {
    const spread: number[] = [];
    for (let i = 0; i < 20; i++) {
      for (let j = 0; j <= i; j++) {
        let dot = 0;
        for (let k = 0; k < 20; k++) dot += tree.directions[i * 20 + k] * tree.directions[j * 20 + k];
        if (i === j) spread.push(Math.sqrt(dot) - 1);
        else expect(Math.abs(dot)).toBeLessThan(1e-6);
      }
    }
    const deviation = Math.sqrt(spread.reduce((sum, s) => sum + s * s, 0) / 20);
    expect(deviation).toBeGreaterThan(0.02);
    expect(deviation).toBeLessThan(0.09);
  });
});

describe('any toy tree', () => {
  it('adds the directions of active features; a child needs its parent; exclusive siblings exclude', () => {
    fc.assert(
      fc.property(shape, fc.nat(), (settings, seed) => {
        const tree = new ToyTree(seed, settings);
        const rows = 20;
        const { x, on } = sample(tree, seed % 5, rows);
        for (let r = 0; r < rows; r++) {
          const isOn = (j: number): boolean => on[r * tree.features + j] === 1;
          const sum = new Float64Array(tree.d);
          for (let j = 0; j < tree.features; j++) {
            if (!isOn(j)) continue;
            for (let k = 0; k < tree.d; k++) sum[k] += tree.directions[j * tree.d + k];
            if (tree.truth.parent[j] !== -1) expect(isOn(tree.truth.parent[j])).toBe(true);
            if (settings.exclusive) expect([...tree.truth.children(j)].filter(isOn).length).toBeLessThanOrEqual(1);
          }
          for (let k = 0; k < tree.d; k++) expect(x[r * tree.d + k]).toBeCloseTo(sum[k], 4);
        }
      }),
    );
  });

  it('honours certain and impossible features', () => {
    const tree = new ToyTree(1, {
      roots: 1,
      rootProbability: 1,
      childProbability: 1,
      branching: 1,
      leafProbability: 0,
    });
    const { on } = sample(tree, 0, 3);
    expect([...on]).toEqual([1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it('lets independent siblings fire together at their rates', () => {
    const tree = new ToyTree(1, { exclusive: false, childProbability: 0.5, rootProbability: 1, roots: 1, leaves: 0 });
    const { on } = sample(tree, 0, 20_000);
    let all = 0;
    for (let r = 0; r < 20_000; r++) all += on[r * 4 + 1] & on[r * 4 + 2] & on[r * 4 + 3];
    expect(all / 20_000).toBeCloseTo(1 / 8, 1);
  });

  it('has unit directions when there are more features than dimensions', () => {
    const tree = new ToyTree(1, { d: 5, scaleSpread: 0 });
    for (let i = 0; i < 20; i++) expect(Math.hypot(...tree.directions.subarray(i * 5, i * 5 + 5))).toBeCloseTo(1, 6);
  });

  it('refuses what cannot be', () => {
    expect(() => new ToyTree(1, { childProbability: 0.4 })).toThrow('exclusive children need');
    expect(() => new ToyTree(1, { roots: 0, leaves: 0 })).toThrow('the tree has no features');
    expect(() => new ToyTree(1, { depth: 14, branching: 14, childProbability: 0 })).toThrow('direction elements');
    expect(() => new ToyTree(1, { rootProbability: 1.5 })).toThrow(ConfigError);
  });
});

const batch = async (seed: number, index: number): Promise<number[]> => {
  const out = new Float32Array(50 * 20);
  await new ToyTree(seed).batch(index, out);
  return [...out];
};

const hash = (...args: ConstructorParameters<typeof ToyTree>): string => new ToyTree(...args).identity.hash;

describe('the toy tree as a source', () => {
  it('gives the same batch for the same seed and index, another for others', async () => {
    // Directions differ between seeds too, so compare seeds by which features are on.
    expect(await batch(1, 3)).toEqual(await batch(1, 3));
    expect(await batch(1, 3)).not.toEqual(await batch(1, 4));
    expect(sample(new ToyTree(1), 3, 50).on).not.toEqual(sample(new ToyTree(2), 3, 50).on);
  });

  it('does not depend on what was in the buffers or drawn before', () => {
    const tree = new ToyTree(1);
    const dirty = { x: new Float32Array(40).fill(9), on: new Uint8Array(40).fill(1) };
    tree.sample(8, dirty.x, dirty.on);
    expect(dirty).toEqual(sample(new ToyTree(1), 8, 2));
  });

  it('serves any range of held-out rows, with its truth, and stops at the end', async () => {
    const tree = new ToyTree(1, { heldOutRows: 2500 });
    const all = new Float32Array(2500 * 20);
    expect(await tree.heldOut(0, all)).toBe(2500);
    const truth = tree.heldOutTruth(0, 2500);
    for (const [start, rows] of [
      [0, 1],
      [1000, 1100],
      [2400, 300],
      [2500, 10],
      [9999, 10],
    ]) {
      const out = new Float32Array(rows * 20);
      const filled = await tree.heldOut(start, out);
      expect(filled).toBe(Math.max(0, Math.min(rows, 2500 - start)));
      expect(out.subarray(0, filled * 20)).toEqual(all.subarray(start * 20, (start + filled) * 20));
      expect(tree.heldOutTruth(start, rows)).toEqual(truth.subarray(start * 20, (start + filled) * 20));
    }
    const row = all.subarray(0, 2500 * 20);
    for (let r = 0; r < 2500; r++) {
      const silent = truth.subarray(r * 20, (r + 1) * 20).every((v) => v === 0);
      expect(row.subarray(r * 20, (r + 1) * 20).every((v) => v === 0)).toBe(silent);
    }
  });

  it('draws held-out rows from another stream than the batches', async () => {
    const tree = new ToyTree(1);
    const heldOut = tree.heldOutTruth(0, 1024);
    for (let index = 0; index < 5; index++) expect(sample(tree, index, 1024).on).not.toEqual(heldOut);
  });

  it('identifies itself by seed and configuration', () => {
    expect(hash(1)).toBe(hash(1, {}));
    expect(new Set([hash(1), hash(2), hash(1, { leaves: 9 })]).size).toBe(3);
    expect(JSON.parse(JSON.stringify(new ToyTree(1).identity))).toEqual(new ToyTree(1).identity);
    expect(new ToyTree(1).trainRows).toBe(Infinity);
  });
});
