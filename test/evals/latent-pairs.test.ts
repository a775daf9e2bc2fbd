import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stratifiedLatents } from '../../src/evals/context-sample.ts';
import { latentPairs } from '../../src/evals/latent-pairs.ts';
import { Forest } from '../../src/forest/forest.ts';

const forests = fc
  .integer({ min: 2, max: 60 })
  .chain((size) =>
    fc
      .tuple(...Array.from({ length: size }, (_, i) => fc.integer({ min: -1, max: i - 1 })))
      .map((parent) => new Forest(parent)),
  );

describe('pairs of latents', () => {
  it('are edges, and strangers with the ends of these edges', () => {
    fc.assert(
      fc.property(forests, fc.integer({ min: 0, max: 80 }), fc.integer(), (forest, wanted, seed) => {
        const eligible = new Set(Array.from({ length: forest.size }, (_, i) => i).filter((i) => i % 5 !== 4));
        const pairs = latentPairs(forest, eligible, wanted, seed);
        const edges = pairs.filter(({ origin }) => origin === 'forest');
        const strangers = pairs.filter(({ origin }) => origin === 'random');
        const all = [...forest.edges()].filter((edge) => edge.every((latent) => eligible.has(latent)));
        expect(edges).toHaveLength(Math.min(wanted, all.length));
        expect(new Set(edges.map(({ child }) => child)).size).toBe(edges.length);
        for (const { parent, child } of edges) expect(forest.parent[child]).toBe(parent);
        expect(strangers.length).toBeLessThanOrEqual(edges.length);
        for (const { parent, child } of strangers) {
          expect(parent === child || forest.isAncestor(parent, child) || forest.isAncestor(child, parent)).toBe(false);
        }
        const children = strangers.map(({ child }) => child);
        expect(new Set(children).size).toBe(children.length);
        expect(children.every((child) => edges.some((edge) => edge.child === child))).toBe(true);
        expect(latentPairs(forest, eligible, wanted, seed)).toEqual(pairs);
      }),
    );
  });

  it('find as many strangers as edges where there are many families', () => {
    const forest = new Forest(Array.from({ length: 60 }, (_, i) => (i < 10 ? -1 : i % 10)));
    const eligible = new Set(Array.from({ length: 60 }, (_, i) => i));
    const pairs = latentPairs(forest, eligible, 40, 1);
    expect(pairs.filter(({ origin }) => origin === 'random')).toHaveLength(40);
  });
});

describe('stratified latents', () => {
  it('come from every class of frequency in equal numbers', () => {
    const eligible = Array.from({ length: 1000 }, (_, i) => 5000 - i);
    const drawn = stratifiedLatents(eligible, 50, 3);
    const classes = drawn.map((latent) => Math.floor(eligible.indexOf(latent) / 100));
    expect(Array.from({ length: 10 }, (_, s) => classes.filter((one) => one === s).length)).toEqual(Array(10).fill(5));
    expect(drawn).toEqual([...drawn].sort((a, b) => a - b));
    expect(stratifiedLatents(eligible, 50, 4)).not.toEqual(drawn);
  });

  it('are as many as asked for, or all', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 60 }), (size, wanted) => {
        const eligible = Array.from({ length: size }, (_, i) => i);
        const drawn = stratifiedLatents(eligible, wanted, 1);
        expect(new Set(drawn).size).toBe(Math.min(size, wanted));
      }),
    );
  });
});
