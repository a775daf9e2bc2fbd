import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ToyTree } from '../../src/activations/toy-tree.ts';
import { codesFromDense, sliceRows, type Codes } from '../../src/core/codes.ts';
import { Random } from '../../src/core/random.ts';
import { CoActivation, extractForest } from '../../src/forest/extract.ts';
import { forestRecovery } from '../../src/forest/recovery.ts';

const DEEP = { roots: 4, branching: 3, depth: 3, childProbability: 0.3, leaves: 20, d: 4 } as const;
const ROWS = 40_000;

function trueCodes(tree: ToyTree, rows: number): Codes {
  const on = new Uint8Array(rows * tree.features);
  tree.sample(0, new Float32Array(rows * tree.d), on);
  return codesFromDense(on, rows, tree.features);
}

function counted(codes: Codes, maxPairs?: number): CoActivation {
  const counts = new CoActivation(codes.width, maxPairs);
  counts.add(codes);
  return counts;
}

const pairsOf = (counts: CoActivation): Map<string, number> => {
  const pairs = new Map<string, number>();
  counts.pairs.forEach((low, high, count) => pairs.set(`${low} ${high}`, count));
  return pairs;
};

const sameLatents = (n: number): Int32Array => Int32Array.from({ length: n }, (_, i) => i);

describe('extraction from true activations', () => {
  it.each([{}, DEEP, { ...DEEP, exclusive: false }])('finds exactly the true forest: %o', (settings) => {
    const tree = new ToyTree(7, settings);
    const { forest, coverage, lift, coverageError } = extractForest(counted(trueCodes(tree, ROWS)));
    expect(forest.parent).toEqual(tree.truth.parent);
    expect(forestRecovery(tree.truth, forest, sameLatents(forest.size)).edge.f1).toBe(1);
    for (let c = 0; c < forest.size; c++) {
      if (forest.parent[c] === -1) expect([coverage[c], lift[c]]).toEqual([NaN, NaN]);
      else expect([coverage[c], Math.abs(lift[c] * tree.probability[forest.parent[c]] - 1) < 0.1]).toEqual([1, true]);
    }
    expect(coverageError.every((error) => error === 0)).toBe(true);
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
    expect(extractForest(counted(codesFromDense(on, ROWS, n))).forest.edgeCount).toBe(0);
  });

  it('does not depend on how the rows are batched', () => {
    const codes = trueCodes(new ToyTree(3, DEEP), 2000);
    const inParts = new CoActivation(codes.width);
    for (let r = 0; r < 2000; r += 300) inParts.add(sliceRows(codes, r, Math.min(2000, r + 300)));
    expect(pairsOf(inParts)).toEqual(pairsOf(counted(codes)));
    expect(extractForest(inParts)).toEqual(extractForest(counted(codes)));
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

const parents = (codes: Codes, rule?: Parameters<typeof extractForest>[1]): number[] => [
  ...extractForest(counted(codes), rule).forest.parent,
];

describe('the rule', () => {
  it('takes the least frequent of several ancestors', () => {
    expect(parents(codesOf(3, [[20, 0, 1, 2], [20, 0, 1], [20, 0], [200]]))).toEqual([-1, 0, 1]);
  });

  it('asks for coverage', () => {
    const codes = codesOf(2, [[12, 0, 1], [13, 1], [20, 0], [100]]);
    expect(parents(codes)).toEqual([-1, -1]);
    expect(parents(codes, { coverage: 0.48 })).toEqual([-1, 0]);
  });

  it('asks for lift: a latent that always fires is nobody’s parent', () => {
    const codes = codesOf(2, [
      [20, 0, 1],
      [80, 0],
    ]);
    expect(parents(codes)).toEqual([-1, -1]);
    expect(parents(codes, { lift: 1 })).toEqual([-1, 0]);
  });

  it('asks for a parent that is more frequent: twins stay unlinked', () => {
    expect(parents(codesOf(2, [[100, 0, 1], [4, 0], [500]]))).toEqual([-1, -1]);
    expect(parents(codesOf(2, [[100, 0, 1], [6, 0], [500]]))).toEqual([-1, 0]);
  });

  it('leaves rare and dead latents alone', () => {
    const codes = codesOf(3, [[9, 0, 1], [50, 0], [500]]);
    expect(parents(codes)).toEqual([-1, -1, -1]);
    expect(parents(codes, { minFirings: 9 })).toEqual([-1, 0, -1]);
  });

  it('prefers the larger coverage among equally frequent parents', () => {
    expect(parents(codesOf(3, [[12, 0, 1, 2], [4, 0, 2], [30, 1], [26, 0], [500]]))).toEqual([-1, -1, 0]);
  });

  it('refuses a ratio that could make cycles', () => {
    expect(() => extractForest(new CoActivation(2), { frequencyRatio: 0.9 })).toThrow(RangeError);
  });

  it('ignores stored zeros and refuses another width', () => {
    const codes = {
      rows: 1,
      width: 2,
      rowPtr: Int32Array.of(0, 2),
      index: Int32Array.of(0, 1),
      value: Float32Array.of(1, 0),
    };
    expect([...counted(codes).firings]).toEqual([1, 0]);
    expect(() => new CoActivation(3).add(codes)).toThrow('codes of width 2, expected 3');
  });
});

describe('bounded memory', () => {
  it('counts exactly while there is room', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const codes = trueCodes(new ToyTree(seed, DEEP), 300);
        expect([...pairsOf(counted(codes, 10_000))].sort()).toEqual([...pairsOf(counted(codes))].sort());
      }),
      { numRuns: 10 },
    );
  });

  it('grows its table without losing pairs', () => {
    const width = 120;
    const codes = codesFromDense(new Uint8Array(width).fill(1), 1, width);
    expect(pairsOf(counted(codes, 100_000)).size).toBe((width * (width - 1)) / 2);
  });

  it('loses no more than it says when pairs are dropped', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 40, max: 400 }), (seed, maxPairs) => {
        const codes = trueCodes(new ToyTree(seed, DEEP), 4000);
        const bounded = counted(codes, maxPairs);
        const found = pairsOf(bounded);
        expect(found.size).toBeLessThanOrEqual(maxPairs);
        counted(codes).pairs.forEach((low, high, count) => {
          const got = found.get(`${low} ${high}`) ?? 0;
          expect(got).toBeLessThanOrEqual(count);
          expect(count - got).toBeLessThanOrEqual(
            Math.min(bounded.pairs.missedAtMost(low), bounded.pairs.missedAtMost(high)),
          );
        });
      }),
      { numRuns: 20 },
    );
  });

  it('still finds the tree with room for a fifth of the pairs', () => {
    const tree = new ToyTree(5, { ...DEEP, roots: 8, leaves: 100 });
    const codes = trueCodes(tree, ROWS);
    const all = pairsOf(counted(codes)).size;
    const { forest, coverageError } = extractForest(counted(codes, Math.floor(all / 5)));
    expect(forestRecovery(tree.truth, forest, sameLatents(forest.size)).edge.f1).toBe(1);
    expect(Math.max(...coverageError)).toBeGreaterThan(0);
  });
});
