import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { familiesOf } from '../../src/forest/families.ts';
import { Forest } from '../../src/forest/forest.ts';
import { FrequencyMatched, SAME_FREQUENCY, shuffledForest } from '../../src/forest/null.ts';
import { anyForest } from './arbitrary.ts';

const sizes = (forest: Forest): string =>
  Array.from(forest.parent.keys(), (node) => `${forest.level[node]}:${forest.children(node).length}`)
    .toSorted()
    .join(' ');

describe('a shuffled forest', () => {
  it('keeps levels and family sizes', () => {
    fc.assert(
      fc.property(anyForest(), fc.nat(), (forest, seed) => {
        const shuffled = shuffledForest(forest, new Random(seed));
        expect([...shuffled.level]).toEqual([...forest.level]);
        expect(sizes(shuffled)).toBe(sizes(forest));
      }),
    );
  });
});

/** 300 roots of frequencies 1 … 300, the first ten of which have three children each. */
function wide(): { forest: Forest; frequency: Float64Array } {
  const parent = Int32Array.from({ length: 330 }, (_, i) => (i < 300 ? -1 : Math.floor((i - 300) / 3) * 30));
  return { forest: new Forest(parent), frequency: Float64Array.from({ length: 330 }, (_, i) => (i % 300) + 1) };
}

describe('frequency-matched latents', () => {
  it('are others of the level that fire as often', () => {
    const { forest, frequency } = wide();
    const matched = new FrequencyMatched(forest, frequency);
    const random = new Random(1);
    for (let i = 0; i < 500; i++) {
      const node = 60 + random.below(240);
      const other = matched.draw(node, random, []);
      expect(other).not.toBe(node);
      expect(forest.level[other]).toBe(0);
      expect(frequency[other] / frequency[node]).toBeLessThanOrEqual(SAME_FREQUENCY);
      expect(frequency[node] / frequency[other]).toBeLessThanOrEqual(SAME_FREQUENCY);
    }
  });

  it('are the nearest where few fire as often', () => {
    const { forest, frequency } = wide();
    const matched = new FrequencyMatched(forest, frequency);
    const drawn = new Set(Array.from({ length: 400 }, (_, i) => matched.draw(0, new Random(i), [])));
    expect([...drawn].toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it('give every family another parent, or other children that differ from each other', () => {
    const { forest, frequency } = wide();
    const matched = new FrequencyMatched(forest, frequency);
    const families = familiesOf(forest);
    const parents = matched.parents(families, new Random(2));
    expect([...parents.child]).toEqual([...families.child]);
    parents.parent.forEach((p, f) => expect(p).not.toBe(families.parent[f]));
    const children = matched.children(families, new Random(2));
    expect([...children.parent]).toEqual([...families.parent]);
    expect([...children.ptr]).toEqual([...families.ptr]);
    children.parent.forEach((_, f) => {
      const list = children.child.subarray(children.ptr[f], children.ptr[f + 1]);
      expect(new Set(list).size).toBe(3);
      for (const c of list) expect(forest.level[c]).toBe(1);
    });
  });

  it('are drawn from those that are not ruled out, each as often as if these were listed', () => {
    const { forest, frequency } = wide();
    const matched = new FrequencyMatched(forest, frequency);
    const near = Array.from({ length: 300 }, (_, i) => i).filter((i) => {
      const ratio = frequency[i] / frequency[100];
      return ratio <= SAME_FREQUENCY && ratio * SAME_FREQUENCY >= 1;
    });
    // Some of them, one that is too rare, one of another level, and the latent itself.
    const ruledOut = [...near.filter((i) => i % 3 !== 0), 5, 329, 100];
    const choices = near.filter((i) => !ruledOut.includes(i));
    for (let seed = 0; seed < 100; seed++) {
      const expected = choices[new Random(seed).below(choices.length)];
      expect(matched.draw(100, new Random(seed), ruledOut)).toBe(expected);
    }
    expect(matched.draw(100, new Random(0), near)).toBe(100);
  });

  it('are the latent itself where there is no other', () => {
    const matched = new FrequencyMatched(new Forest([-1, 0]), [5, 5]);
    expect(matched.draw(1, new Random(0), [])).toBe(1);
  });
});
