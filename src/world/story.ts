/** Documents as meanings: stories about somebody at a place, and entries about a kind. */
import type { Chance } from './chance.ts';
import type { WorldConfig } from './config.ts';
import { Discourse } from './discourse.ts';
import type { Kinds } from './kinds.ts';
import { clauseOf, hashMeaning, pairsOf, sentenceOf, type Mention, type Sentence } from './meaning.ts';
import { Options } from './options.ts';
import { Statements } from './statements.ts';
import type { Tables } from './tables.ts';
import type { Taxonomy } from './taxonomy.ts';

/**
 * - `train`;
 * - `held-out`: nothing that its sentences say is said in training. A few homonyms make a kind and a property read alike ("it is
 *   orange"), so that about 1 sentence in 130 occurs in training as text, with its other meaning;
 * - `new-combinations`: subject–action pairs that never occur in training, the subject called by its name; the other sentences
 *   could occur. About 1 document in 280 has no such pair, where a question and its answer took the place of the sentence:
 *   `pairsOf` and `World.pairs` tell.
 */
export const SPLITS = ['train', 'held-out', 'new-combinations'] as const;
export type Split = (typeof SPLITS)[number];

/** Draws of one sentence before the document is begun anew, and of documents before the world is called too small. */
const SENTENCE_DRAWS = 400;
const DOCUMENT_DRAWS = 200;
/** Share of sentences that go on about the same entity. */
const SAME_TOPIC = 0.6;
/** Share of sentences with a pair that is held out, beside the one that is sure. */
const NEW_PAIR_SHARE = 0.3;
const TIME_SHARE = 0.4;

/** How often each kind of sentence is tried; where there is nothing to say, another is drawn. */
const OF_BEINGS = new Options({
  act: 9,
  quality: 1.5,
  attribute: 0.5,
  kind: 0.6,
  where: 0.4,
  has: 0.5,
  report: 0.8,
  ask: 0.6,
  there: 1.2,
});
const OF_THINGS = new Options({
  act: 2,
  quality: 2,
  attribute: 0.8,
  kind: 0.8,
  where: 0.5,
  made: 1.2,
  has: 0.6,
  contains: 2,
  there: 1,
});
const OF_KINDS = new Options({ act: 5, quality: 2, kind: 2, example: 1, made: 1, has: 2, contains: 1 });
const OPENINGS = new Options({ there: 1, where: 1, act: 1, scene: 0.5 });

export class Storyteller {
  readonly #taxonomy: Taxonomy;
  readonly #tables: Tables;
  readonly #kinds: Kinds;
  readonly #config: WorldConfig;
  readonly #same: Int32Array;
  readonly #statements: Statements;

  /** @param same `[concepts]` of the lexicon */
  constructor(taxonomy: Taxonomy, tables: Tables, kinds: Kinds, config: WorldConfig, same: Int32Array) {
    this.#taxonomy = taxonomy;
    this.#tables = tables;
    this.#kinds = kinds;
    this.#config = config;
    this.#same = same;
    this.#statements = new Statements(taxonomy, tables, kinds);
  }

  /** True when a sentence with this meaning never occurs in training. */
  isHeldOut(sentence: Sentence): boolean {
    return this.#hash(sentence) < this.#config.heldOutSentences;
  }

  #hash(sentence: Sentence): number {
    return hashMeaning(sentence, this.#same, this.#config.seed);
  }

  /** @returns undefined when the world has no such document */
  tell(split: Split, chance: Chance): Sentence[] | undefined {
    const { minSentences, maxSentences, entries, heldOutSentences } = this.#config;
    if (split === 'held-out' && heldOutSentences === 0) return undefined;
    for (let draw = 0; draw < DOCUMENT_DRAWS; draw++) {
      chance.surprisal = 0;
      const d = new Discourse(this.#taxonomy, this.#tables, this.#kinds, this.#config, chance);
      const length = minSentences + chance.index(maxSentences - minSentences + 1);
      const isEntry = split !== 'new-combinations' && chance.happens(entries);
      const document = isEntry ? this.#entry(d, split, length) : this.#tale(d, split, length);
      if (document) return document;
    }
    return undefined;
  }

  #tale(d: Discourse, split: Split, length: number): Sentence[] | undefined {
    const isNew = split === 'new-combinations';
    const heroes = isNew ? this.#tables.newcomers : this.#tables.heroes;
    if (heroes.size === 0) return undefined;
    const concept = d.chance.pick(heroes);
    const places = this.#tables.nearest(concept, 'at');
    if (places.size === 0) return undefined;
    d.place = d.chance.pick(places);
    const hero = d.introduce(concept);
    if (isNew && this.#tables.verbs(concept, d.place, 'new').size === 0) return undefined;
    const sure = isNew ? d.chance.index(length) : -1;
    const sentences: Sentence[] = [];
    while (sentences.length < length) {
      const isPairNew = isNew && (sentences.length === sure || d.chance.happens(NEW_PAIR_SHARE));
      const next = isPairNew
        ? this.#draw(d, undefined, () => this.#newPair(d, hero))
        : this.#draw(d, split, () => (sentences.length === 0 ? this.#opening(d, hero) : this.#continuation(d)));
      if (!next) return undefined;
      sentences.push(...next);
    }
    return sentences;
  }

  /** Says what a kind is, what is of the kind, and what all of them do. */
  #entry(d: Discourse, split: Split, length: number): Sentence[] | undefined {
    d.isGeneric = true;
    const concept = d.chance.pick(this.#tables.subjects);
    const root = this.#taxonomy.names[this.#taxonomy.chainOf(concept).at(-1)!];
    const next =
      root === 'action'
        ? () => this.#aboutAction(d, concept)
        : root === 'property' || root === 'time'
          ? () => this.#aboutProperty(d, concept)
          : () => this.#aboutKind(d, d.introduce(concept));
    const sentences: Sentence[] = [];
    while (sentences.length < length) {
      const drawn = this.#draw(d, split, next);
      if (!drawn) return undefined;
      sentences.push(...drawn);
    }
    return sentences;
  }

  /**
   * Draws until the sentences are new in the document, nobody does the same again, and the split allows the sentences
   * (`undefined` allows all).
   */
  #draw(d: Discourse, split: Split | undefined, draw: () => Sentence[] | undefined): Sentence[] | undefined {
    const mark = d.mark();
    const isAllowed = (hash: number): boolean =>
      !d.said.has(hash) && (split === undefined || hash < this.#config.heldOutSentences === (split === 'held-out'));
    for (let i = 0; i < SENTENCE_DRAWS; i++) {
      const sentences = draw();
      const hashes = sentences?.map((sentence) => this.#hash(sentence));
      const pairs = sentences?.flatMap((sentence) => pairsOf(sentence).map(([s, v]) => s * this.#taxonomy.size + v));
      if (hashes?.every(isAllowed) && !pairs!.some((pair) => d.done.has(pair))) {
        for (const hash of hashes) d.said.add(hash);
        for (const pair of pairs!) d.done.add(pair);
        return sentences;
      }
      d.takeBack(mark);
    }
    return undefined;
  }

  /** The first sentence says who is where, and perhaps when; or it is about the place. */
  #opening(d: Discourse, hero: number): Sentence[] | undefined {
    const option = OPENINGS.pick(d.chance);
    const time = d.chance.happens(TIME_SHARE) ? d.say(d.chance.pick(this.#tables.anyTime)) : undefined;
    const about = option === 'scene' ? d.introduce(d.place, true) : hero;
    const subject = d.mention(about, true, true);
    const sentence =
      option === 'there'
        ? this.#statements.there(d, subject)
        : option === 'where'
          ? this.#statements.where(d, subject)
          : option === 'act'
            ? this.#statements.act(d, hero, subject, { place: true })
            : this.#statements.quality(d, about, subject);
    d.topic = about;
    return sentence && [time ? { ...sentence, time } : sentence];
  }

  #continuation(d: Discourse): Sentence[] | undefined {
    const stays = d.topic !== -1 && d.chance.happens(SAME_TOPIC);
    const index = stays ? d.topic : d.chance.index(d.size);
    const concept = d.conceptOf(index);
    const isAnimate = this.#kinds.isAnimate[concept] === 1;
    const option = (isAnimate ? OF_BEINGS : OF_THINGS).pick(d.chance);
    if (option === 'there') return this.#somethingNew(d);
    if (option === 'ask') return this.#question(d, index);
    const named = option === 'kind' || option === 'attribute';
    const subject = d.mention(index, option !== 'attribute', named);
    const sentence = this.#about(option, d, index, subject);
    d.topic = index;
    return sentence && [sentence];
  }

  #about(option: string, d: Discourse, index: number, subject: Mention): Sentence | undefined {
    const concept = d.conceptOf(index);
    switch (option) {
      case 'act':
        return this.#statements.act(d, index, subject);
      case 'quality':
        return this.#statements.quality(d, index, subject);
      case 'attribute':
        return this.#statements.attribute(d, index, subject);
      case 'kind':
        return this.#statements.kind(d, this.#taxonomy.forest.ancestors(concept), subject);
      case 'where':
        return concept === d.place ? undefined : this.#statements.where(d, subject);
      case 'made':
        return this.#statements.made(d, concept, subject);
      case 'has':
        return this.#statements.has(d, concept, subject);
      case 'contains':
        return this.#statements.contains(d, concept, subject);
      default:
        return this.#statements.report(d, index, subject);
    }
  }

  /** "there is a basket in the kitchen" */
  #somethingNew(d: Discourse): Sentence[] | undefined {
    const found = this.#tables.found(d.place);
    if (found.size === 0) return undefined;
    const concept = d.chance.pick(found);
    if (d.has(concept)) return undefined;
    d.topic = d.introduce(concept);
    return [this.#statements.there(d, d.mention(d.topic, true, true))];
  }

  /** A question and its answer. */
  #question(d: Discourse, index: number): Sentence[] | undefined {
    const isWhere = d.chance.happens(0.3);
    if (isWhere) {
      const subject = d.mention(index, false, true);
      d.topic = index;
      return [sentenceOf('where', clauseOf('is', { subject })), this.#statements.where(d, d.mention(index, true))];
    }
    const said = this.#statements.act(d, index, d.mention(index, false, true));
    if (!said || said.second || said.because || said.clause.negative) return undefined;
    const question = sentenceOf('who', { ...said.clause, subject: undefined });
    d.topic = index;
    return [question, sentenceOf('plain', d.again(said.clause))];
  }

  /** The hero does what it never does in training, called by its own name. */
  #newPair(d: Discourse, hero: number): Sentence[] | undefined {
    const sentence = this.#statements.act(d, hero, d.mention(hero, true, true), { side: 'new' });
    d.topic = hero;
    return sentence && [sentence];
  }

  #aboutKind(d: Discourse, index: number): Sentence[] | undefined {
    const concept = d.conceptOf(index);
    const option = OF_KINDS.pick(d.chance);
    if (option === 'example') {
      const kinds = this.#taxonomy.forest.children(concept);
      if (kinds.length === 0) return undefined;
      const example = this.#statements.kind(d, [concept], d.passing(kinds[d.chance.index(kinds.length)]));
      d.topic = -1;
      return example && [example];
    }
    const sentence = this.#about(option, d, index, d.mention(index, true));
    d.topic = index;
    return sentence && [sentence];
  }

  /** "who bakes also cooks", "a baker bakes a cake" */
  #aboutAction(d: Discourse, kind: number): Sentence[] | undefined {
    const verb = this.#oneOf(d, kind);
    if (d.chance.happens(0.3)) {
      const rule = this.#statements.rule(d, verb);
      return rule && [rule];
    }
    const doers = this.#tables.doers(verb);
    if (doers.size === 0) return undefined;
    const doer = d.chance.pick(doers);
    const clause = this.#statements.action(d, doer, d.passing(doer), verb);
    return clause && [sentenceOf('plain', clause)];
  }

  /** "red is a colour", "a cherry is red" */
  #aboutProperty(d: Discourse, kind: number): Sentence[] | undefined {
    const property = this.#oneOf(d, kind);
    const bearers = this.#tables.bearers(property);
    if (bearers.size > 0 && !d.chance.happens(0.3)) {
      const subject = d.passing(d.chance.pick(bearers));
      return [this.#statements.isProperty(d, subject, property)];
    }
    const subject: Mention = { ...d.passing(property), isMass: true };
    const sentence = this.#statements.kind(d, this.#taxonomy.forest.ancestors(property), subject);
    return sentence && [sentence];
  }

  /** A kind itself, or one of the leaves below it. */
  #oneOf(d: Discourse, kind: number): number {
    if (this.#taxonomy.isLeaf(kind)) return kind;
    const leaves = this.#taxonomy.leaves(kind);
    return d.chance.happens(0.3) ? kind : leaves[d.chance.index(leaves.length)];
  }
}
