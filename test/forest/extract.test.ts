import { describe, expect, it } from 'vitest';
import { ToyTree } from '../../src/activations/toy-tree.ts';
import { codesFromDense, type Codes } from '../../src/core/codes.ts';
import { Random } from '../../src/core/random.ts';
import { chanceCosine, extractForest, extractParents, firingsFloor, METHODS } from '../../src/forest/extract.ts';
import { Firings } from '../../src/forest/firings.ts';
import { Forest } from '../../src/forest/forest.ts';
import { forestRecovery } from '../../src/forest/recovery.ts';

const DEEP = { roots: 4, branching: 3, depth: 3, childProbability: 0.3, leaves: 20, d: 64 } as const;
const ROWS = 40_000;

function trueCodes(tree: ToyTree, rows: number): Codes {
  const on = new Uint8Array(rows * tree.features);
  tree.sample(0, new Float32Array(rows * tree.d), on);
  return codesFromDense(on, rows, tree.features);
}

function logged(codes: Codes): Firings {
  const firings = new Firings(codes.width);
  firings.add(codes);
  return firings;
}

const sameLatents = (n: number): Int32Array => Int32Array.from({ length: n }, (_, i) => i);

describe('extraction from true activations', () => {
  it.each(
    [{}, DEEP, { ...DEEP, exclusive: false }].flatMap((settings) =>
      METHODS.filter((method) => method !== 'cosine-coverage').map((method) => ({ settings, method })),
    ),
  )('finds exactly the true forest: $method, $settings', ({ settings, method }) => {
    const tree = new ToyTree(7, settings);
    const { parent, score } = extractForest(logged(trueCodes(tree, ROWS)), { method });
    expect(parent).toEqual(tree.truth.parent);
    expect(forestRecovery(tree.truth, new Forest(parent), sameLatents(parent.length)).edge.f1).toBe(1);
    for (let c = 0; c < parent.length; c++) expect(score[c]).toBe(parent[c] === -1 ? NaN : 1);
  });

  it('finds next to nothing when each feature is shuffled over the rows', () => {
    const tree = new ToyTree(7, DEEP);
    const n = tree.features;
    const on = new Uint8Array(ROWS * n);
    tree.sample(0, new Float32Array(ROWS * tree.d), on);
    const random = new Random(1);
    for (let j = 0; j < n; j++) {
      for (let r = ROWS - 1; r > 0; r--) {
        const other = random.below(r + 1);
        [on[r * n + j], on[other * n + j]] = [on[other * n + j], on[r * n + j]];
      }
    }
    const firings = logged(codesFromDense(on, ROWS, n));
    for (const method of METHODS) {
      if (method === 'cosine-coverage') continue;
      expect(new Forest(extractForest(firings, { method, threshold: 0.5 }).parent).edgeCount).toBe(0);
    }
  });
});

/** Codes in which the given sets of latents fire, each `times` times. */
const codesOf = (width: number, rows: readonly (readonly [times: number, ...latents: number[]])[]): Codes => {
  const dense: number[] = [];
  for (const [times, ...latents] of rows) {
    for (let t = 0; t < times; t++) for (let i = 0; i < width; i++) dense.push(latents.includes(i) ? 1 : 0);
  }
  return codesFromDense(dense, dense.length / width, width);
};

describe('the rule', () => {
  it('takes the nearest of several ancestors', () => {
    const firings = logged(codesOf(3, [[20, 0, 1, 2], [20, 0, 1], [20, 0], [200]]));
    expect([...extractForest(firings, { method: 'coverage' }).parent]).toEqual([-1, 0, 1]);
  });

  it('asks for coverage in one direction only: twins stay unlinked', () => {
    const half = logged(codesOf(2, [[12, 0, 1], [13, 1], [20, 0], [100]]));
    expect([...extractForest(half, { method: 'coverage' }).parent]).toEqual([-1, -1]);
    expect([...extractForest(half, { method: 'coverage', threshold: 0.45 }).parent]).toEqual([-1, 0]);
    const twins = logged(codesOf(2, [[100, 0, 1], [4, 0], [500]]));
    expect([...extractForest(twins, { method: 'coverage' }).parent]).toEqual([-1, -1]);
  });

  it('leaves rare and silent latents alone, and counts them', () => {
    const firings = logged(codesOf(4, [[9, 0, 1], [50, 0], [20, 2], [500]]));
    const { parent, rare, silent, minFirings } = extractForest(firings, { method: 'coverage' });
    expect([...parent]).toEqual([-1, -1, -1, -1]);
    expect([minFirings, rare, silent]).toEqual([10, 1, 1]);
    expect([...extractForest(firings, { method: 'coverage', minFirings: 9 }).parent]).toEqual([-1, 0, -1, -1]);
  });

  it('takes out a latent that is above everything', () => {
    const rows = Array.from({ length: 12 }, (_, i): [number, ...number[]] => [20, 12, i]);
    const { parent, hubs } = extractForest(logged(codesOf(13, rows)), { method: 'coverage' });
    expect(hubs).toEqual([12]);
    expect(parent.every((p) => p === -1)).toBe(true);
  });

  it('scales the published floor of densities to the sample', () => {
    expect([1000, 100_000, 250_000, 1_000_000].map(firingsFloor)).toEqual([10, 10, 10, 40]);
  });
});

const stack = (...rows: Float32Array[]): Float32Array => Float32Array.from(rows.flatMap((row) => [...row]));

describe('cosine-coverage', () => {
  const firings = logged(codesOf(3, [[20, 0, 1, 2], [20, 0, 1], [5, 0], [200]]));
  const method = 'cosine-coverage';
  const d = 100;
  const unit = (...values: number[]): Float32Array => Float32Array.from({ length: d }, (_, k) => values[k] ?? 0);

  it('chooses among covering parents by direction, and refuses what chance can do', () => {
    expect(chanceCosine(d)).toBe(0.2);
    const near = stack(unit(1), unit(0, 1), unit(3, 0.5));
    const { parent, score } = extractForest(firings, { method, threshold: 0.8 }, { d, children: near, parents: near });
    // 1 covers 2 as well, but is not near it; 0 covers 1, but is at right angles.
    expect([...parent]).toEqual([-1, -1, 0]);
    expect(score[2]).toBeCloseTo(3 / Math.hypot(3, 0.5), 6);
  });
});

describe('parents in another SAE', () => {
  it('finds the level above', () => {
    const tree = new ToyTree(2, { roots: 5, leaves: 0 });
    const on = new Uint8Array(ROWS * tree.features);
    tree.sample(0, new Float32Array(ROWS * tree.d), on);
    const roots = [...tree.truth.roots];
    const coarse = Uint8Array.from({ length: ROWS * roots.length }, (_, i) => {
      const row = Math.floor(i / roots.length);
      return on[row * tree.features + roots[i % roots.length]];
    });
    const fine = logged(codesFromDense(on, ROWS, tree.features));
    const { parent } = extractParents(fine, logged(codesFromDense(coarse, ROWS, roots.length)), { method: 'coverage' });
    expect([...parent]).toEqual(Array.from(tree.truth.parent, (p) => roots.indexOf(p)));
  });
});
