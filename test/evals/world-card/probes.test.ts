/** Probes on activations that were made up, so that what they hold is known. */
import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/random.ts';
import { probeTaxonomy } from '../../../src/evals/world-card/probes.ts';
import type { TestName } from '../../../src/evals/world-card/probe-trials.ts';
import { withRandomVectors, type WordActivations } from '../../../src/evals/world-card/word-activations.ts';
import type { Split } from '../../../src/world/story.ts';
import { World, type WorldDocument } from '../../../src/world/world.ts';

const world = new World();
const D = 24;

/** A direction for every concept. */
const directions = world.names.map((_, concept) => {
  const random = new Random(1, 'direction', concept);
  return Float64Array.from({ length: D }, () => random.normal());
});

/** Words of some documents whose activations are the sum of the directions of `kinds(concept, language)`. */
function madeUp(split: Split, count: number, kinds: (concept: number, language: number) => number[]): WordActivations {
  const documents = Array.from({ length: count }, (_, i) => world.document(split, i));
  const places = documents.flatMap((document) =>
    [...document.concepts.keys()].filter((i) => document.concepts[i] >= 0).map((i) => [document, i] as const),
  );
  const gather = (of: (document: WorldDocument) => ArrayLike<number>): number[] => places.map(([doc, i]) => of(doc)[i]);
  const noise = new Random(2, split);
  const values = new Float32Array(places.length * D);
  for (const [row, [document, i]] of places.entries()) {
    for (const concept of kinds(document.concepts[i], document.languages[i])) {
      for (let j = 0; j < D; j++) values[row * D + j] += directions[concept][j];
    }
    for (let j = 0; j < D; j++) values[row * D + j] += 0.1 * noise.normal();
  }
  const words = {
    rows: places.length,
    tokens: Int32Array.from(gather(({ tokens }) => tokens)),
    concepts: Int32Array.from(gather(({ concepts }) => concepts)),
    languages: Uint8Array.from(gather(({ languages }) => languages)),
    sites: new Map([['planted', values]]),
  };
  return withRandomVectors(words, D, 0);
}

function scores(
  kinds: (concept: number, language: number) => number[],
): (test: TestName, site: string, level: number) => [number, number] {
  const words = {
    train: madeUp('train', 400, kinds),
    heldOut: madeUp('held-out', 400, kinds),
    combinations: madeUp('new-combinations', 100, kinds),
  };
  const all = probeTaxonomy(world, words, { concepts: 4, examples: 100 }, 0, () => {});
  return (test, site, level) => {
    const found = all.find((score) => score.test === test && score.site === site && score.level === level)!;
    return [found.auc.value, found.exchanged.value];
  };
}

/** The root of a concept, by a direction of its own in every language. */
const ofLanguage = (concept: number, language: number): number[] => {
  const root = world.chainOf(concept).at(-1)!;
  return [(root * 7 + language * 101) % world.names.length];
};

describe('probeTaxonomy', () => {
  it('finds kinds that the activations hold in words that it has not seen, and nothing in random vectors', () => {
    const score = scores((concept) => world.chainOf(concept).filter((kind) => world.concepts.depth[kind] <= 1));
    for (const test of ['sentences', 'words', 'talori', 'krend', 'combinations'] as const) {
      expect(score(test, 'planted', 0)[0]).toBeGreaterThan(0.98);
    }
    expect(score('siblings', 'planted', 1)[0]).toBeGreaterThan(0.95);
    // A vector per word can be learned by heart, which helps for the words that were seen only.
    expect(score('sentences', 'random', 3)[0]).toBeGreaterThan(0.65);
    for (const test of ['words', 'talori', 'krend'] as const) {
      expect(Math.abs(score(test, 'random', 0)[0] - 0.5)).toBeLessThan(0.1);
    }
    expect(score('homonyms', 'random', 0)[0]).toBeCloseTo(0.5, 9);
  });

  it('sees the meaning of a homonym where the activations hold it', () => {
    expect(scores((concept) => world.chainOf(concept))('homonyms', 'planted', 0)[0]).toBeGreaterThan(0.95);
  });

  it('finds no kinds across languages where each language has its own directions', () => {
    const score = scores(ofLanguage);
    expect(score('words', 'planted', 0)[0]).toBeGreaterThan(0.95);
    expect(score('talori', 'planted', 0)[0]).toBeLessThan(0.8);
  });

  it('is at chance for exchanged concepts in words that it has not seen', () => {
    const score = scores((concept) => world.chainOf(concept));
    expect(Math.abs(score('words', 'planted', 0)[1] - 0.5)).toBeLessThan(0.12);
  });
});
