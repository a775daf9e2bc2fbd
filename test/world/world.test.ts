import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import { worldSchema } from '../../src/world/config.ts';
import { NO_LANGUAGE } from '../../src/world/languages/writer.ts';
import { SPLITS } from '../../src/world/story.ts';
import { World } from '../../src/world/world.ts';
import { documents, sentencesOf, type Settings } from './support.ts';

let world: World;
beforeAll(() => {
  world = new World();
});

function surprisalPerToken(settings: Settings): number {
  const drawn = documents(new World(settings), 'train', 800);
  return drawn.reduce((sum, d) => sum + d.surprisal, 0) / drawn.reduce((sum, d) => sum + d.tokens.length, 0);
}

describe('documents', () => {
  it('are a pure function of configuration, split and index', () => {
    fc.assert(
      fc.property(fc.constantFrom(...SPLITS), fc.nat(100_000), fc.nat(100_000), (split, i, before) => {
        world.document(split, before);
        expect(world.document(split, i)).toEqual(new World().document(split, i));
      }),
      { numRuns: 8 },
    );
  });

  it('of the default configuration do not change', () => {
    const hash = createHash('sha256').update(world.vocabulary.join(' '));
    for (const split of SPLITS) {
      for (const { tokens, concepts } of documents(world, split, 300)) {
        hash.update(new Uint8Array(tokens.buffer)).update(new Uint8Array(concepts.buffer));
      }
    }
    // Text that changes needs a new WORLD_VERSION, and a new model.
    expect(hash.digest('hex')).toBe('eb05dc3ad31b4fa06ec5e1ad6389d73084b57248e3610a5eb1792b515b7b08dd');
  });

  it('differ with the seed, and with the split', () => {
    const other = new World({ seed: 1 });
    expect(new Set([world.text('train', 5), other.text('train', 5), world.text('held-out', 5)]).size).toBe(3);
    expect(other.hash).not.toBe(world.hash);
    expect(new World({ seed: 0 }).hash).toBe(world.hash);
  });

  it('have as many sentences as asked for, none of them twice', () => {
    const own = new World({ minSentences: 4, maxSentences: 6 });
    const lengths = new Set<number>();
    for (const document of documents(own, 'train', 300)) {
      const sentences = sentencesOf(own, document);
      // A question brings its answer along.
      expect(sentences.length).toBeGreaterThanOrEqual(4);
      expect(sentences.length).toBeLessThanOrEqual(7);
      lengths.add(sentences.length);
    }
    expect(lengths.size).toBeGreaterThan(2);
  });

  it('carry a word of the concept, in the language, at every token that says one', () => {
    const { lexicon } = world;
    const wrong: string[] = [];
    for (const document of SPLITS.flatMap((split) => documents(world, split, 300))) {
      const { tokens, concepts, languages, mentions } = document;
      expect([tokens[0], concepts[0], languages[0]]).toEqual([lexicon.bosId, -1, NO_LANGUAGE]);
      for (let at = 1; at < tokens.length; at++) {
        const isFunction = concepts[at] === -1;
        const isRight = isFunction
          ? lexicon.meanings(tokens[at]).length === 0
          : lexicon.words[languages[at]][concepts[at]].includes(tokens[at]);
        if (!isRight || isFunction !== (mentions[at] === -1)) wrong.push(`${world.textOf(document)}: ${at}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('say the concepts of their sentences, each mention once', () => {
    for (const { mentions } of documents(world, 'train', 300)) {
      const said = mentions.filter((mention) => mention !== -1);
      expect(new Set(said).size).toBe(said.length);
    }
  });
});

describe('languages', () => {
  it('appear as their shares say, and mix in the share of documents that says so', () => {
    const kinds = { mixed: 0, alone: [0, 0, 0] };
    for (const { languages } of documents(world, 'train', 3000)) {
      const spoken = new Set(languages.subarray(1));
      if (spoken.size > 1) kinds.mixed++;
      else kinds.alone[languages[1]]++;
    }
    expect(kinds.mixed / 3000).toBeGreaterThan(0.12);
    expect(kinds.mixed / 3000).toBeLessThan(0.2);
    for (const count of kinds.alone) expect(count).toBeGreaterThan(700);
    const krend = new World({ languageShares: [0, 0, 1] });
    for (const { languages } of documents(krend, 'train', 50))
      expect(new Set(languages.subarray(1))).toEqual(new Set([2]));
  });

  it('tell the same in parallel documents', () => {
    for (let i = 0; i < 200; i++) {
      const versions = world.parallel('held-out', i);
      const said = versions.map(({ mentions, concepts, languages }, l) => {
        expect(new Set(languages.subarray(1))).toEqual(new Set([l]));
        const pairs = Array.from(mentions, (mention, at) => [mention, concepts[at]]).filter(
          ([mention]) => mention !== -1,
        );
        return pairs.toSorted(([a], [b]) => a - b);
      });
      expect(said[1]).toEqual(said[0]);
      expect(said[2]).toEqual(said[0]);
      expect(versions.map(({ sentences }) => sentences)).toEqual(
        Array(3).fill(world.document('held-out', i).sentences),
      );
    }
  });
});

describe('surprisal', () => {
  it('is positive, and on average far below the entropy of single tokens', () => {
    const counts = new Float64Array(world.vocabulary.length);
    let [tokens, surprisal] = [0, 0];
    for (const document of documents(world, 'train', 1500)) {
      expect(document.surprisal).toBeGreaterThan(0);
      surprisal += document.surprisal;
      tokens += document.tokens.length;
      for (const token of document.tokens) counts[token]++;
    }
    const unigram = counts.reduce(
      (sum, count) => sum - (count > 0 ? (count / tokens) * Math.log(count / tokens) : 0),
      0,
    );
    expect(surprisal / tokens).toBeGreaterThan(0.5);
    expect(surprisal / tokens).toBeLessThan(unigram / 2);
  });

  it('grows with noise, and falls with the skew of frequencies', () => {
    const usual = surprisalPerToken({});
    expect(surprisalPerToken({ noise: 0.5 })).toBeGreaterThan(usual + 0.05);
    expect(surprisalPerToken({ frequencySkew: 3 })).toBeLessThan(usual - 0.05);
  });
});

describe('knobs', () => {
  it('stand in docs/world.md with their defaults and descriptions', () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/world.md'), 'utf8').replace(/ +/g, ' ');
    for (const [knob, schema] of Object.entries(worldSchema.shape)) {
      const value = world.config[knob as keyof typeof world.config];
      expect(page).toContain(`| \`${knob}\` | \`${JSON.stringify(value)}\` | ${schema.description} |`);
    }
  });

  it('of any size make a world that tells stories', () => {
    const settings = fc.record({
      seed: fc.nat(1000),
      depth: fc.constantFrom(null, 2, 3, 4, 6),
      branching: fc.constantFrom(null, 2, 3, 5),
      frequencySkew: fc.double({ min: 0, max: 2, noNaN: true }),
      tastes: fc.double({ min: 1, max: 10, noNaN: true }),
      noise: fc.constantFrom(0, 0.1, 1),
      homonyms: fc.constantFrom(0, 0.3),
      entries: fc.constantFrom(0, 0.5),
    });
    fc.assert(
      fc.property(settings, (config) => {
        const w = new World(config);
        for (const split of ['train', 'held-out'] as const) {
          for (const { tokens } of documents(w, split, 5)) expect(tokens.length).toBeGreaterThan(5);
        }
      }),
      { numRuns: 12 },
    );
  });

  it.each([
    [{ nois: 0 }, 'did you mean "noise"'],
    [{ noise: 2 }, 'noise'],
    [{ minSentences: 5, maxSentences: 4 }, 'minSentences must not exceed maxSentences'],
    [{ switching: 0.7, borrowing: 0.7 }, 'must not exceed 1'],
    [{ languageShares: [0, 0, 0] }, 'at least one language'],
  ])('that are wrong are refused: %o', (settings, message) => {
    expect(() => new World(settings as object)).toThrow(ConfigError);
    expect(() => new World(settings as object)).toThrow(message);
  });
});
