import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Hierarchy, type HierarchyNode } from '../../../src/activations/synth-bench/hierarchy.ts';

/** Any forest of nodes; the features of half of them, the others are organisational. */
const forest = fc
  .array(fc.record({ above: fc.nat(), plain: fc.boolean(), exclusive: fc.boolean(), scales: fc.boolean() }), {
    minLength: 1,
    maxLength: 14,
  })
  .map((nodes) => {
    const made: (HierarchyNode & { children: HierarchyNode[] })[] = [];
    const roots: HierarchyNode[] = [];
    nodes.forEach(({ above, plain, exclusive, scales }, i) => {
      const node = { feature: plain ? i : null, exclusive, scales, children: [] };
      const place = above % (i + 1);
      (place === i ? roots : made[place].children).push(node);
      made.push(node);
    });
    return { features: nodes.length + 2, roots };
  });

/** The published order, literally: level by level over all features, everything drawn beforehand. */
function levelByLevel(roots: readonly HierarchyNode[], before: readonly number[], mean: Float64Array): number[] {
  const values = [...before];
  let level = roots.map((node) => ({ node, above: -1, scaled: false }));
  while (level.length > 0) {
    for (const { node, above, scaled } of level) {
      if (node.feature === null || above === -1) continue;
      const factor = values[above] > 0 ? (scaled ? values[above] / mean[above] : 1) : 0;
      values[node.feature] *= factor;
    }
    for (const { node } of level) {
      if (!node.exclusive || (node.feature !== null && values[node.feature] === 0)) continue;
      const on = node.children.flatMap(({ feature }) => (feature !== null && values[feature] > 0 ? [feature] : []));
      for (const feature of on.slice(1)) values[feature] = 0;
    }
    level = level.flatMap(({ node, above }) =>
      node.children.map((child) => ({ node: child, above: node.feature ?? above, scaled: node.scales })),
    );
  }
  return values;
}

describe('a hierarchy', () => {
  it('does what the levels do one after the other, and asks only where it can matter', () => {
    fc.assert(
      fc.property(
        forest,
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 20, maxLength: 20 }),
        (shape, draws) => {
          const hierarchy = Hierarchy.of(shape.features, shape.roots);
          const before = draws.slice(0, shape.features);
          const mean = Float64Array.from(before, (_, i) => 1 + i / 4);
          const after = Array.from(before, () => 0);
          const asked = new Set<number>();
          const pass = {
            raw: (feature: number) => {
              expect(asked.has(feature)).toBe(false);
              asked.add(feature);
              const above = hierarchy.truth.parent[feature];
              if (above !== -1) expect(after[above]).toBeGreaterThan(0);
              return before[feature];
            },
            choose: (_node: number, features: readonly number[]) => {
              expect(features.length).toBeGreaterThan(1);
              return features[0];
            },
            emit: (feature: number, value: number) => void (after[feature] = value),
          };
          for (const root of hierarchy.forest.roots) hierarchy.activateRoot(root, mean, pass);
          for (const feature of hierarchy.free) after[feature] = before[feature];
          const expected = levelByLevel(shape.roots, before, mean);
          after.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 10));
        },
      ),
      { numRuns: 500 },
    );
  });

  it('numbers complete trees breadth first', () => {
    const flags = { exclusive: true, scaleChildren: false };
    const hierarchy = Hierarchy.complete(20, { roots: 2, branching: 2, depth: 2, ...flags });
    const families = [-1, -1, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5];
    expect([...hierarchy.truth.parent]).toEqual([...families, ...Array<number>(6).fill(-1)]);
    expect(hierarchy.free).toEqual([14, 15, 16, 17, 18, 19]);
    expect([...hierarchy.exclusive]).toEqual(families.map(() => 1));
    expect([...hierarchy.scales]).toEqual(families.map(() => 0));
  });
});
