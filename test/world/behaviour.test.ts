import { describe, expect, it } from 'vitest';
import { World } from '../../src/world/world.ts';

const world = new World();
const { taxonomy, behaviour } = world;
const concept = (name: string): number => taxonomy.find(name)!;
const named = (concepts: readonly number[]): string[] => concepts.map((c) => taxonomy.names[c]);
const does = (name: string): Map<string, string[]> =>
  new Map(
    behaviour
      .abilities(concept(name))
      .map(({ verb, rule }) => [taxonomy.names[verb], named(rule.objects?.concepts ?? [])]),
  );

const acts = (leaf: number): boolean => behaviour.abilities(leaf).length > 0;

describe('behaviour', () => {
  it('is inherited from every level', () => {
    const dog = does('dog');
    for (const verb of ['barks', 'chases', 'walks', 'sleeps', 'moves']) expect([...dog.keys()]).toContain(verb);
    expect(named(behaviour.inherited(concept('dog'), 'has'))).toEqual(['leg', 'tail', 'head']);
  });

  it('is overridden by the nearest kind', () => {
    expect(does('squirrel').get('eats')).toEqual(['acorn', 'berry']);
    expect(does('mouse').get('eats')).toEqual(['acorn', 'crop']);
    expect(named(behaviour.nearest(concept('crown'), 'of'))).toEqual(['gold', 'silver']);
    expect(named(behaviour.nearest(concept('helmet'), 'of'))).toEqual(['iron']);
  });

  it('holds for the kinds of an action, unless it is meant alone', () => {
    expect(does('cow').get('chews')).toEqual(['fodder', 'crop']);
    expect(does('oak').has('falls')).toBe(true);
    expect(does('being').has('moves')).toBe(true);
    expect(does('being').has('runs')).toBe(false);
  });

  it('is not inherited where the kind says never', () => {
    expect(does('sparrow').has('flies')).toBe(true);
    for (const verb of ['flies', 'glides', 'flutters']) expect(does('hen').has(verb)).toBe(false);
  });

  it('gives every leaf being something to do, and every thing a part in some action', () => {
    const used = new Set(
      taxonomy.names.flatMap((_, c) =>
        behaviour
          .abilities(c)
          .flatMap(({ rule }) => (rule.objects?.concepts ?? []).flatMap((o) => [...taxonomy.leaves(o)])),
      ),
    );
    expect(named([...taxonomy.leaves(concept('being'))].filter((leaf) => !acts(leaf)))).toEqual([]);
    expect(named([...taxonomy.leaves(concept('thing'))].filter((leaf) => !acts(leaf) && !used.has(leaf)))).toEqual([]);
  });

  it('uses every action', () => {
    const used = new Set(taxonomy.names.flatMap((_, c) => behaviour.abilities(c).map(({ verb }) => verb)));
    const idle = [...taxonomy.leaves(concept('action'))].filter((verb) => !used.has(verb));
    expect(named(idle)).toEqual([]);
  });
});

describe('held-out pairs', () => {
  it('leave every subject an action and every action a subject', () => {
    const actors = new Set<number>();
    for (const [subject, verbs] of world.pairs.heldOut) {
      const all = behaviour.abilities(subject).map(({ verb }) => verb);
      for (const verb of verbs) expect(all).toContain(verb);
      expect(verbs.size).toBeLessThan(all.length);
    }
    for (const leaf of [
      ...taxonomy.leaves(concept('being')),
      ...taxonomy.leaves(concept('thing')),
      ...taxonomy.leaves(concept('place')),
    ]) {
      for (const { verb } of behaviour.abilities(leaf)) if (!world.pairs.isHeldOut(leaf, verb)) actors.add(verb);
    }
    for (const verb of taxonomy.leaves(concept('action'))) expect(actors.has(verb), taxonomy.names[verb]).toBe(true);
  });

  it('are about the share that was asked for', () => {
    let [pairs, heldOut] = [0, 0];
    for (let leaf = 0; leaf < taxonomy.size; leaf++) {
      if (taxonomy.isLeaf(leaf)) pairs += behaviour.abilities(leaf).length;
      heldOut += world.pairs.heldOut.get(leaf)?.size ?? 0;
    }
    expect(Math.abs(heldOut / pairs - world.config.heldOutPairs)).toBeLessThan(0.03);
    expect(new World({ heldOutPairs: 0 }).pairs.heldOut.size).toBe(0);
  });

  it('read like no pair of training, homonyms included', () => {
    const { same } = world.lexicon;
    const key = (subject: number, verb: number): string => `${same[subject]} ${same[verb]}`;
    const train = new Set<string>();
    const heldOut = new Set<string>();
    for (let leaf = 0; leaf < taxonomy.size; leaf++) {
      if (!taxonomy.isLeaf(leaf)) continue;
      for (const { verb } of behaviour.abilities(leaf)) {
        (world.pairs.isHeldOut(leaf, verb) ? heldOut : train).add(key(leaf, verb));
      }
    }
    expect([...heldOut].filter((pair) => train.has(pair))).toEqual([]);
  });
});
