/** What the splits promise, and that stories keep to the restrictions. */
import { beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/core/errors.ts';
import { isFunctionVerb, pairsOf, type Clause, type Sentence } from '../../src/world/meaning.ts';
import { SPLITS } from '../../src/world/story.ts';
import { World, type WorldDocument } from '../../src/world/world.ts';
import { documents, sentencesOf } from './support.ts';

let world: World;
beforeAll(() => {
  world = new World();
});

const WORLDS = {
  published: {},
  small: { depth: 3, branching: 3, seed: 4 },
  confusing: { homonyms: 0.5, falseFriends: 0.3, borrowing: 0.9 },
};

/** Sentences that a homonym can make ambiguous between a kind and a property: "it is orange". */
const isAmbiguous = ({ clause }: Sentence): boolean =>
  clause.verb === 'is' && (clause.kind ?? clause.quality) !== undefined;

describe('held-out', () => {
  it.each(Object.entries(WORLDS))('sentences never occur in training, but for ambiguous ones (%s)', (_, settings) => {
    const w = new World(settings);
    const trained = new Set(documents(w, 'train', 3000).flatMap((document) => sentencesOf(w, document)));
    const leaked: Sentence[] = [];
    let all = 0;
    for (const document of documents(w, 'held-out', 200)) {
      const texts = sentencesOf(w, document);
      all += texts.length;
      leaked.push(...document.sentences.filter((_, s) => trained.has(texts[s])));
    }
    expect(leaked.filter((sentence) => !isAmbiguous(sentence))).toEqual([]);
    expect(leaked.length / all).toBeLessThan(0.03);
  });

  it.each(Object.entries(WORLDS))('pairs occur in neither training nor held-out sentences (%s)', (_, settings) => {
    const w = new World(settings);
    const drawn = [...documents(w, 'train', 1500), ...documents(w, 'held-out', 300)];
    const pairs = drawn.flatMap(({ sentences }) => sentences.flatMap(pairsOf));
    expect(pairs.length).toBeGreaterThan(1000);
    expect(pairs.filter(([subject, verb]) => w.pairs.isHeldOut(subject, verb))).toEqual([]);
  });
});

describe('new combinations', () => {
  it('are pairs of known parts, the subject called by name; all but a few documents have at least one', () => {
    const trained = documents(world, 'train', 8000).flatMap((d) => d.sentences.flatMap(pairsOf));
    const subjects = new Set(trained.map(([subject]) => subject));
    const verbs = new Set(trained.map(([, verb]) => verb));
    const isNew = ([subject, verb]: [number, number]): boolean => world.pairs.isHeldOut(subject, verb);
    const drawn = documents(world, 'new-combinations', 300);
    const fresh = drawn.map(({ sentences }) => sentences.filter((sentence) => pairsOf(sentence).some(isNew)));
    expect(fresh.filter((sentences) => sentences.length === 0).length).toBeLessThan(0.02 * drawn.length);
    for (const sentence of fresh.flat()) {
      const { subject } = sentence.clause;
      expect(subject?.noun?.concept).toBe(subject?.referent);
      for (const [s, v] of pairsOf(sentence).filter(isNew))
        expect([subjects.has(s), verbs.has(v)]).toEqual([true, true]);
    }
  });
});

describe('splits that cannot be made', () => {
  it('say so', () => {
    expect(() => new World({ heldOutPairs: 0 }).document('new-combinations', 0)).toThrow(ConfigError);
    expect(() => new World({ heldOutSentences: 0 }).document('held-out', 0)).toThrow(/no held-out document/);
  });
});

/** What breaks the restrictions of the world, as text. */
function violations(w: World, { sentences }: WorldDocument): string[] {
  const { taxonomy, behaviour, names } = w;
  const isA = (concept: number, kinds: readonly number[]): boolean => kinds.some((kind) => taxonomy.isA(concept, kind));
  const check = (clause: Clause): string[] => {
    const { subject, verb, object, andObject, quality, obliques } = clause;
    if (!subject || subject.of) return [];
    const who = subject.referent;
    const found: string[] = [];
    const expect = (ok: boolean, what: string): void => void (ok || found.push(`${names[who]} ${what}`));
    if (!isFunctionVerb(verb)) {
      const ability = behaviour.abilities(who).find((each) => each.verb === verb.concept);
      expect(ability !== undefined, names[verb.concept]);
      for (const noun of [object, andObject]) {
        const kinds = ability?.rule.objects?.concepts ?? [];
        if (noun) expect(isA(noun.referent, kinds), `${names[verb.concept]} ${names[noun.referent]}`);
      }
      for (const { relation, noun } of obliques) {
        const kinds =
          relation === 'with'
            ? behaviour.nearest(verb.concept, 'with')
            : relation === 'to'
              ? (ability?.rule.receivers?.concepts ?? [])
              : undefined;
        if (kinds) expect(isA(noun.referent, kinds), `${names[verb.concept]} ${relation} ${names[noun.referent]}`);
      }
    } else if (verb === 'has' || verb === 'contains' || verb === 'made') {
      const kinds =
        verb === 'has' ? behaviour.inherited(who, 'has') : behaviour.nearest(who, verb === 'made' ? 'of' : 'holds');
      const what = object ?? obliques[0].noun;
      expect(isA(what.referent, kinds), `${verb} ${names[what.referent]}`);
    }
    if (quality && taxonomy.isA(quality.concept, taxonomy.find('property')!) && taxonomy.isLeaf(quality.concept)) {
      expect(isA(quality.concept, behaviour.inherited(who, 'is')), `is ${names[quality.concept]}`);
    }
    if (clause.kind) {
      const { referent } = clause.kind;
      expect(taxonomy.forest.isAncestor(referent, who), `is a ${names[referent]}`);
    }
    return found;
  };
  return sentences.flatMap(({ clause, reported }) => [...check(clause), ...(reported ? check(reported) : [])]);
}

describe('affordances', () => {
  it.each(SPLITS)('are respected without noise (%s)', (split) => {
    const quiet = new World({ noise: 0 });
    expect(documents(quiet, split, 500).flatMap((document) => violations(quiet, document))).toEqual([]);
  });

  it('are broken by noise, more by more', () => {
    const [some, many] = [0.05, 0.5].map((noise) => {
      const w = new World({ noise });
      return documents(w, 'train', 400).flatMap((document) => violations(w, document)).length;
    });
    expect(some).toBeGreaterThan(0);
    expect(many).toBeGreaterThan(3 * some);
  });
});
