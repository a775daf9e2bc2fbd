import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import { parseWorldConfig } from '../../src/world/config.ts';
import { Taxonomy } from '../../src/world/taxonomy.ts';

const taxonomyOf = (settings: Parameters<typeof parseWorldConfig>[0] = {}): Taxonomy =>
  new Taxonomy(parseWorldConfig(settings));
const leavesOf = (taxonomy: Taxonomy): number[] => taxonomy.names.flatMap((_, c) => (taxonomy.isLeaf(c) ? [c] : []));

describe('the written taxonomy', () => {
  const taxonomy = taxonomyOf();

  it('has more than 300 leaves, most of them four levels below a root', () => {
    const leaves = leavesOf(taxonomy);
    expect(leaves.length).toBeGreaterThanOrEqual(300);
    expect(leaves.filter((leaf) => taxonomy.forest.depth[leaf] >= 4).length).toBeGreaterThan(leaves.length / 2);
    expect(Array.from(taxonomy.forest.roots, (root) => taxonomy.names[root])).toEqual(
      ['being', 'thing', 'place', 'action', 'property', 'time'],
    ); // prettier-ignore
  });

  it('has unique names, and chains from leaf to root', () => {
    expect(new Set(taxonomy.names).size).toBe(taxonomy.size);
    const chain = taxonomy.chainOf(taxonomy.find('dog')!).map((c) => taxonomy.names[c]);
    expect(chain).toEqual(['dog', 'pet', 'mammal', 'animal', 'being']);
    expect(taxonomy.chainOf(-1)).toEqual([]);
  });

  it('has homonyms and synonyms in the first language', () => {
    const [club, bat, dog] = ['club', 'bat', 'dog'].map((name) => taxonomy.words[taxonomy.find(name)!]);
    expect(club).toEqual(bat);
    expect(dog).toEqual(['dog', 'hound']);
  });
});

describe('depth and branching', () => {
  it('cut the taxonomy', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 6 }), (depth, branching) => {
        const { forest, names } = taxonomyOf({ depth, branching });
        for (let c = 0; c < names.length; c++) {
          expect(forest.depth[c]).toBeLessThanOrEqual(depth);
          expect(forest.children(c).length).toBeLessThanOrEqual(branching);
        }
      }),
      { numRuns: 12 },
    );
  });

  it('understand what is cut away as the concept above it', () => {
    const taxonomy = taxonomyOf({ depth: 2 });
    expect(taxonomy.names[taxonomy.find('dog')!]).toBe('mammal');
    expect(taxonomyOf({ branching: 1 }).find('cat')).toBeUndefined();
  });

  it('extend it by sub-kinds that are named after their kind', () => {
    const taxonomy = taxonomyOf({ depth: 6 });
    const dog = taxonomy.find('dog')!;
    expect(taxonomy.leaves(dog)).toHaveLength(4);
    for (const leaf of taxonomy.leaves(dog)) expect(taxonomy.names[leaf]).toMatch(/^[a-z]+-dog$/);
    expect(new Set(taxonomy.names).size).toBe(taxonomy.size);
    expect(taxonomy.isLeaf(taxonomy.find('red')!)).toBe(true);
  });

  it('refuse more concepts than tokens can name', () => {
    expect(() => taxonomyOf({ depth: 8, branching: 32 })).toThrow(ConfigError);
  });
});

describe('frequencySkew', () => {
  it('makes later siblings rarer, and 0 makes them alike', () => {
    const skewed = taxonomyOf({ frequencySkew: 1 });
    const [dog, cat, rabbit] = ['dog', 'cat', 'rabbit'].map((name) => skewed.usual[skewed.find(name)!]);
    expect(cat / dog).toBeCloseTo(1 / 2);
    expect(rabbit / dog).toBeCloseTo(1 / 3);
    expect(new Set(taxonomyOf({ frequencySkew: 0 }).usual)).toEqual(new Set([1]));
  });
});
