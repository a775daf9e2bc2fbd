import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { Forest, ForestError } from '../../src/forest/forest.ts';
import { shuffledForest } from '../../src/forest/null.ts';
import { anyForest } from './arbitrary.ts';

describe('forest', () => {
  it('knows families, chains and sizes', () => {
    //  3 ─ 0 ─ 4      1      2 ─ 5
    //    └ 6
    const forest = new Forest([3, -1, -1, -1, 0, 2, 3]);
    expect([...forest.roots]).toEqual([1, 2, 3]);
    expect([...forest.children(3)]).toEqual([0, 6]);
    expect([...forest.children(4)]).toEqual([]);
    expect(forest.ancestors(4)).toEqual([0, 3]);
    expect([forest.isAncestor(3, 4), forest.isAncestor(4, 3), forest.isAncestor(4, 4)]).toEqual([true, false, false]);
    expect([...forest.depth]).toEqual([1, 0, 0, 0, 2, 1, 1]);
    expect([...forest.level]).toEqual([...forest.depth]);
    expect([...forest.subtreeSizes()]).toEqual([2, 1, 2, 4, 1, 1, 1]);
    expect([...forest.order]).toEqual([1, 2, 3, 5, 0, 6, 4]);
    expect(forest.edgeCount).toBe(4);
    expect([...forest.edges()]).toEqual([
      [3, 0],
      [0, 4],
      [2, 5],
      [3, 6],
    ]);
  });

  it('is consistent with its parents, whatever the shape', () => {
    fc.assert(
      fc.property(anyForest(), (forest) => {
        expect(Forest.fromEdges(forest.size, forest.edges()).parent).toEqual(forest.parent);
        expect([...forest.order].sort((a, b) => a - b)).toEqual(Array.from({ length: forest.size }, (_, i) => i));
        const sizes = forest.subtreeSizes();
        for (let i = 0; i < forest.size; i++) {
          expect(forest.depth[i]).toBe(forest.ancestors(i).length);
          expect(sizes[i]).toBe(1 + [...forest.children(i)].reduce((sum, c) => sum + sizes[c], 0));
          for (const child of forest.children(i)) expect(forest.parent[child]).toBe(i);
        }
        expect([...forest.roots].reduce((sum, r) => sum + sizes[r], 0)).toBe(forest.size);
      }),
    );
  });

  it('copies its input', () => {
    const parent = Int32Array.of(-1, 0);
    const forest = new Forest(parent);
    parent[1] = 1;
    expect(forest.parent[1]).toBe(0);
  });

  it('keeps levels that skip some, and roots on any level', () => {
    expect([...new Forest([-1, 0, -1], [0, 2, 1]).level]).toEqual([0, 2, 1]);
  });

  it('takes a million nodes', () => {
    const parent = Int32Array.from({ length: 1_000_000 }, (_, i) => (i < 1000 ? -1 : Math.floor(i / 10)));
    expect(
      new Forest(parent)
        .subtreeSizes()
        .slice(0, 1000)
        .every((size) => size >= 1),
    ).toBe(true);
  });
});

const failure = (build: () => unknown): string => {
  try {
    build();
  } catch (error) {
    if (error instanceof ForestError) return error.message;
    throw error;
  }
  return 'no failure';
};

describe('what is not a forest', () => {
  it.each([
    ['missing: node 1 has no entry', () => new Forest([-1, NaN])],
    ['missing: 1 levels for 2 nodes', () => new Forest([-1, 0], [0])],
    ['out of range: node 1 names parent 2 in a forest of 2 nodes', () => new Forest([-1, 2])],
    ['out of range: node 0 names parent -2 in a forest of 1 nodes', () => new Forest([-2])],
    ['out of range: node 1 names parent 0.5 in a forest of 2 nodes', () => new Forest([-1, 0.5])],
    ['out of range: node 0 is on level -1', () => new Forest([-1], [-1])],
    ['out of range: edge 0 → 3 in a forest of 3 nodes: there is no child 3', () => Forest.fromEdges(3, [[0, 3]])],
    ['out of range: edge 7 → 1 in a forest of 3 nodes: there is no parent 7', () => Forest.fromEdges(3, [[7, 1]])],
    [
      'cycle: each node is the child of the next: 0 → 1 → 2 → 0',
      () =>
        Forest.fromEdges(3, [
          [1, 0],
          [2, 1],
          [0, 2],
        ]),
    ],
    ['cycle: each node is the child of the next: 0 → 0', () => new Forest([0])],
    ['cycle: each node is the child of the next: 1 → 2 → 3 → 1', () => new Forest([1, 2, 3, 1, -1])],
    [
      'cycle: each node is the child of the next: 0 → 1 → 2 → 3 → 4 → 5 → 6 → 7 → 8 → 9 → 10 → 11 → 12 → 13 → 14 → 15 → … (20 nodes)',
      () => new Forest(Array.from({ length: 20 }, (_, i) => (i + 1) % 20)),
    ],
    [
      'ambiguous: node 2 has two parents, 0 and 1',
      () =>
        Forest.fromEdges(3, [
          [0, 2],
          [1, 2],
        ]),
    ],
    ['orphan: node 1 on level 1 has its parent 0 on level 1, not on an earlier one', () => new Forest([-1, 0], [1, 1])],
  ])('%s', (message, build) => {
    expect(failure(build)).toBe(message);
  });

  it('says which kind it is, and what to do', () => {
    expect(() => new Forest([0])).toThrow(
      expect.objectContaining({ kind: 'cycle', exitCode: 2, hint: 'make one of these nodes a root' }),
    );
  });
});

const shape = (f: Forest): string[] =>
  Array.from(f.level, (level, i) => `${level}:${f.children(i).length}:${f.subtreeSizes()[i]}`).sort();

describe('the shuffled forest', () => {
  it('keeps the shape and the levels', () => {
    fc.assert(
      fc.property(anyForest(), fc.nat(), (forest, seed) => {
        const shuffled = shuffledForest(forest, new Random(seed));
        expect(shape(shuffled)).toEqual(shape(forest));
        expect(shuffled.level).toEqual(forest.level);
      }),
    );
  });
});
