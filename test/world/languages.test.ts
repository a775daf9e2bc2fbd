import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { Chance } from '../../src/world/chance.ts';
import { writeEnglish } from '../../src/world/languages/english.ts';
import type { FunctionWord } from '../../src/world/languages/function-words.ts';
import { writeKrend } from '../../src/world/languages/krend.ts';
import { LANGUAGES } from '../../src/world/languages/lexicon.ts';
import { writeTalori } from '../../src/world/languages/talori.ts';
import { Writer } from '../../src/world/languages/writer.ts';
import { clauseOf, sentenceOf, type Mention, type Said, type Sentence } from '../../src/world/meaning.ts';
import { World } from '../../src/world/world.ts';

const world = new World({ synonyms: 0, homonyms: 0, falseFriends: 0 });
const { taxonomy, lexicon } = world;
let slot = 0;
const say = (name: string): Said => ({ concept: taxonomy.find(name)!, slot: slot++ });
const noun = (name: string, parts: Partial<Mention> = {}): Mention => ({
  noun: say(name),
  referent: taxonomy.find(name)!,
  definite: true,
  isMass: false,
  pronoun: 'it',
  adjective: undefined,
  of: undefined,
  ...parts,
});

/**
 * The sentence in a language, its words replaced by names of concepts and, in angle brackets, of function words. Of two function
 * words that sound alike, the first.
 */
function gloss(language: number, sentence: Sentence): string {
  const writer = new Writer(lexicon);
  writer.begin(new Chance(new Random(0)));
  writer.speak(language);
  [writeEnglish, writeTalori, writeKrend][language](sentence, writer);
  const { tokens, concepts } = writer.finish();
  const functions = Object.entries(lexicon.functions[language]) as [FunctionWord, number][];
  return Array.from(tokens, (token, i) => {
    if (concepts[i] !== -1) return taxonomy.names[concepts[i]];
    const word = functions.find(([, id]) => id === token);
    return word ? `<${word[0]}>` : world.vocabulary[token];
  })
    .slice(1)
    .join(' ');
}

const glosses = (sentence: Sentence): string[] => LANGUAGES.map((_, language) => gloss(language, sentence));

describe('word order', () => {
  it('of a transitive sentence: SVO, VSO, SOV; adjectives before, after, before', () => {
    const clause = clauseOf(say('sees'), {
      subject: noun('cat', { adjective: say('old') }),
      object: noun('mouse', { definite: false }),
      obliques: [{ relation: 'in', noun: noun('garden') }],
      manner: say('quickly'),
      negative: true,
    });
    expect(glosses(sentenceOf('plain', clause, { time: say('night') }))).toEqual([
      '<in> <the> night , <the> old cat <never> sees <a> mouse <in> <the> garden quickly .',
      '<never> sees quickly <the> cat old mouse <in> <the> garden <in> night .',
      'night <in> old cat <the> <subject> garden <the> <in> mouse <object> quickly sees <never> .',
    ]);
  });

  it('of being: a property, a kind, a place', () => {
    const subject = noun('dog');
    expect(glosses(sentenceOf('plain', clauseOf('is', { subject, quality: say('big') })))).toEqual([
      '<the> dog <is> big .',
      '<is> <the> dog big .',
      'dog <the> <subject> big <is> .',
    ]);
    expect(
      glosses(sentenceOf('plain', clauseOf('is', { subject, kind: noun('animal', { definite: false }) }))),
    ).toEqual(['<the> dog <is> <an> animal .', '<is> <the> dog animal .', 'dog <the> <subject> animal <is> .']);
    const there = clauseOf('is', {
      subject: noun('dog', { definite: false }),
      obliques: [{ relation: 'on', noun: noun('hill') }],
    });
    expect(glosses(sentenceOf('there', there))).toEqual([
      '<there> <is> <a> dog <on> <the> hill .',
      '<there> dog <on> <the> hill .',
      'hill <the> <on> dog <subject> <there> .',
    ]);
  });

  it('of an owner: the colour of the apple', () => {
    const subject = noun('colour', { of: noun('apple') });
    expect(glosses(sentenceOf('plain', clauseOf('is', { subject, quality: say('red') })))).toEqual([
      '<the> colour <of> <the> apple <is> red .',
      '<is> <the> colour <of> <the> apple red .',
      'apple <the> <of> colour <the> <subject> red <is> .',
    ]);
  });

  it('of questions', () => {
    const who = clauseOf(say('eats'), { object: noun('apple'), andObject: noun('pear') });
    expect(glosses(sentenceOf('who', who))).toEqual([
      '<who> eats <the> apple <and> <the> pear ?',
      '<who> eats <the> apple <and> <the> pear ?',
      '<who> <subject> apple <the> <object> <and> pear <the> <object> eats <ask> ?',
    ]);
    expect(glosses(sentenceOf('where', clauseOf('is', { subject: noun('dog') })))).toEqual([
      '<where> <is> <the> dog ?',
      '<where> <is> <the> dog ?',
      'dog <the> <subject> <where> <is> <ask> ?',
    ]);
  });

  it('of joined clauses: reasons, reports, second actions, rules', () => {
    const she = noun('queen', { noun: undefined, pronoun: 'she' });
    expect(glosses(sentenceOf('plain', clauseOf(say('sits'), { subject: she }), { because: say('sad') }))).toEqual([
      '<she> sits <because> <she> <is> sad .',
      'sits <she> <because> <is> <she> sad .',
      '<he> <subject> sits , sad <is> <because> .',
    ]);
    const reported = clauseOf(say('barks'), { subject: noun('dog') });
    expect(glosses(sentenceOf('plain', clauseOf(say('says'), { subject: noun('king') }), { reported }))).toEqual([
      '<the> king says <that> <the> dog barks .',
      'says <the> king <that> barks <the> dog .',
      'king <the> <subject> dog <the> <subject> barks <that> says .',
    ]);
    expect(
      glosses(sentenceOf('plain', clauseOf(say('eats'), { subject: noun('cat') }), { second: say('sleeps') })),
    ).toEqual([
      '<the> cat eats <and> sleeps .',
      'eats <the> cat <and> sleeps .',
      'cat <the> <subject> eats <and> sleeps .',
    ]);
    expect(glosses(sentenceOf('rule', clauseOf(say('bakes'), {}), { second: say('makes') }))).toEqual([
      '<who> bakes <also> makes .',
      'bakes <who> <also> makes .',
      '<who> bakes , makes <also> .',
    ]);
  });

  it('of materials and receivers', () => {
    const made = clauseOf('made', {
      subject: noun('ring'),
      obliques: [{ relation: 'of', noun: noun('gold', { definite: false, isMass: true }) }],
    });
    expect(glosses(sentenceOf('plain', made))[0]).toBe('<the> ring <is> <made> <of> gold .');
    const gives = clauseOf(say('gives'), {
      subject: noun('queen'),
      object: noun('ring', { definite: false }),
      obliques: [{ relation: 'to', noun: noun('knight') }],
    });
    expect(glosses(sentenceOf('plain', gives))[2]).toBe(
      'queen <the> <subject> knight <the> <to> ring <object> gives .',
    );
  });
});

const words = (language: number): string[] => lexicon.words[language].map(([token]) => world.vocabulary[token]);
const homonyms = (w: World, language: number): number =>
  w.vocabulary.filter((_, token) => w.lexicon.meanings(token).filter((m) => m.language === language).length > 1).length;
const falseFriends = (w: World): number =>
  w.vocabulary.filter((_, token) => new Set(w.lexicon.meanings(token).map((m) => m.language)).size > 1).length;
const synonyms = (w: World, language: number): number =>
  w.lexicon.words[language].filter((ofConcept) => ofConcept.length > 1).length;

describe('the lexicon', () => {
  const published = new World();

  it('fits into 2500 tokens, every word of its own alphabet', () => {
    expect(published.vocabulary.length).toBeLessThanOrEqual(2500);
    expect(new Set(published.vocabulary).size).toBe(published.vocabulary.length);
    for (const word of published.vocabulary) expect(word).toMatch(/^\S+$/);
  });

  it('has open syllables in one invented language and clusters in the other', () => {
    expect(words(1).filter((word) => !/^([ptkmnlrsvh][aeiou])+$/.test(word))).toEqual([]);
    expect(words(2).filter((word) => /^([^aeiouy][aeiouy])+$/.test(word))).toEqual([]);
  });

  it('has homonyms, synonyms and false friends as asked for', () => {
    for (const language of [1, 2]) {
      expect(homonyms(published, language)).toBeGreaterThan(10);
      expect(synonyms(published, language)).toBe(Math.floor(published.config.synonyms * published.taxonomy.size));
      expect([homonyms(world, language), synonyms(world, language)]).toEqual([0, 0]);
    }
    expect(homonyms(published, 0)).toBeGreaterThanOrEqual(8);
    expect(falseFriends(published)).toBeGreaterThan(30);
    expect(falseFriends(world)).toBe(0);
  });
});
