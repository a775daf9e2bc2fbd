import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Candidates } from '../../src/forest/candidates.ts';
import { forestOfCandidates, parentsInAnother, type DagFilters } from '../../src/forest/dag.ts';
import { Forest } from '../../src/forest/forest.ts';

type Edge = readonly [parent: number, child: number, score?: number];

function candidatesOf(width: number, edges: readonly Edge[]): Candidates {
  const sorted = edges.toSorted((a, b) => a[1] - b[1] || a[0] - b[0]);
  return {
    ptr: Uint32Array.from({ length: width + 1 }, (_, c) => sorted.filter(([, child]) => child < c).length),
    parent: Int32Array.from(sorted, ([parent]) => parent),
    score: Float64Array.from(sorted, ([, , score = 1]) => score),
  };
}

/** Latent 0 is the most frequent. */
const filters = (width: number, more: Partial<DagFilters> = {}): DagFilters => ({
  frequency: Array.from({ length: width }, (_, i) => 100 - i),
  maxChildren: Infinity,
  minDescendants: 1,
  ...more,
});

const none = { uphill: 0, transitive: 0, hubs: 0, otherParents: 0, smallFamilies: 0 };

describe('the choice of parents', () => {
  it('keeps the highest score, among equal ones the lowest latent', () => {
    const { parent, score, dropped } = forestOfCandidates(
      candidatesOf(5, [
        [0, 3, 0.9],
        [1, 3, 0.95],
        [2, 3, 0.95],
        [0, 4, 0.92],
      ]),
      filters(5),
    );
    expect([...parent]).toEqual([-1, -1, -1, 1, 0]);
    expect([...score]).toEqual([NaN, NaN, NaN, 0.95, 0.92]);
    expect(dropped).toEqual({ ...none, otherParents: 2 });
  });

  it('drops edges that are implied by a path before it compares scores', () => {
    const edges: Edge[] = [
      [0, 1, 0.91],
      [1, 2, 0.92],
      [0, 2, 0.99],
      [2, 3, 0.93],
      [0, 3, 0.99],
      [1, 3, 0.99],
    ];
    const { parent, dropped } = forestOfCandidates(candidatesOf(4, edges), filters(4));
    expect([...parent]).toEqual([-1, 0, 1, 2]);
    expect(dropped).toEqual({ ...none, transitive: 3 });
  });

  it('breaks cycles of a weighted measure where an edge leads to the more frequent', () => {
    const edges: Edge[] = [
      [0, 1],
      [1, 2],
      [2, 0],
    ];
    const { parent, dropped } = forestOfCandidates(candidatesOf(3, edges), filters(3));
    expect([...parent]).toEqual([-1, 0, 1]);
    expect(dropped).toEqual({ ...none, uphill: 1 });
    const twins = forestOfCandidates(candidatesOf(2, [[0, 1]]), filters(2, { frequency: [7, 7] }));
    expect([...twins.parent]).toEqual([-1, -1]);
  });

  it('takes hubs out, as parents and as children', () => {
    const edges: Edge[] = [
      [0, 1],
      [1, 2],
      [1, 3],
      [1, 4],
      [5, 6],
    ];
    const { parent, hubs, dropped } = forestOfCandidates(candidatesOf(7, edges), filters(7, { maxChildren: 2 }));
    expect([...parent]).toEqual([-1, -1, -1, -1, -1, -1, 5]);
    expect(hubs).toEqual([1]);
    expect(dropped).toEqual({ ...none, hubs: 4 });
  });

  it('dissolves small families, whole trees at a time', () => {
    const edges: Edge[] = [
      [0, 1],
      [1, 2],
      [3, 4],
    ];
    const { parent, score, dropped } = forestOfCandidates(candidatesOf(5, edges), filters(5, { minDescendants: 2 }));
    expect([...parent]).toEqual([-1, 0, 1, -1, -1]);
    expect(score[4]).toBeNaN();
    expect(dropped).toEqual({ ...none, smallFamilies: 1 });
  });

  it('leaves every reachability as it was, with the fewest edges', () => {
    const dag = fc
      .integer({ min: 2, max: 12 })
      .chain((width) =>
        fc
          .uniqueArray(fc.tuple(fc.nat(width - 1), fc.nat(width - 1)), { selector: String, maxLength: 40 })
          .map((edges) => ({ width, edges: edges.filter(([p, c]) => p < c) })),
      );
    fc.assert(
      fc.property(dag, ({ width, edges }) => {
        const reaches = (from: number, to: number, without: string): boolean =>
          edges.some(([p, c]) => p === from && `${p} ${c}` !== without && (c === to || reaches(c, to, without)));
        const direct = edges.filter(([p, c]) => !reaches(p, c, `${p} ${c}`));
        const { parent, dropped } = forestOfCandidates(candidatesOf(width, edges), filters(width));
        expect(dropped.transitive).toBe(edges.length - direct.length);
        const kept = new Set(direct.map(String));
        for (const edge of new Forest(parent).edges()) expect(kept.has(String(edge))).toBe(true);
        expect(new Forest(parent).edgeCount).toBe(new Set(direct.map(([, c]) => c)).size);
      }),
    );
  });
});

describe('parents in another SAE', () => {
  it('may have the number of their child, and are not reduced', () => {
    const edges: Edge[] = [
      [0, 0, 0.9],
      [1, 0, 0.8],
      [0, 1, 0.7],
      [2, 3, 0.7],
      [2, 4, 0.7],
      [2, 5, 0.7],
    ];
    const { parent, hubs, dropped } = parentsInAnother(candidatesOf(6, edges), 2);
    expect([...parent]).toEqual([0, 0, -1, -1, -1, -1]);
    expect(hubs).toEqual([2]);
    expect(dropped).toEqual({ ...none, hubs: 3, otherParents: 1 });
  });
});
