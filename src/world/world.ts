/** The generated world: unlimited text in three languages, with the truth about every token. */
import { ConfigError } from '../core/errors.ts';
import { Random } from '../core/random.ts';
import type { Forest } from '../forest/forest.ts';
import { Behaviour } from './behaviour.ts';
import { Chance, Table } from './chance.ts';
import { hashOf, parseWorldConfig, type WorldConfig, type worldSchema } from './config.ts';
import { Kinds } from './kinds.ts';
import { writeEnglish } from './languages/english.ts';
import { writeKrend } from './languages/krend.ts';
import { LANGUAGES, Lexicon } from './languages/lexicon.ts';
import { writeTalori } from './languages/talori.ts';
import { Writer } from './languages/writer.ts';
import type { Sentence } from './meaning.ts';
import { Pairs } from './pairs.ts';
import { Storyteller, type Split } from './story.ts';
import { Tables } from './tables.ts';
import { Taxonomy } from './taxonomy.ts';
import type { z } from 'zod';

/** Share of nouns that are borrowed, in documents that borrow. */
const BORROWED = 0.4;

const LINEARISERS = [writeEnglish, writeTalori, writeKrend];

/** One document. All arrays have an entry per token; the first token is that of the beginning of a document. */
export interface WorldDocument {
  readonly tokens: Int32Array;
  /** Deepest concept that a token says, −1 for function words and punctuation. */
  readonly concepts: Int32Array;
  /** Language of the word: index into LANGUAGES, `NO_LANGUAGE` for the first token. */
  readonly languages: Uint8Array;
  /** Number of the mention within the document, −1 for function words. Parallel documents have the same mentions. */
  readonly mentions: Int32Array;
  /** Position of the first token of every sentence. */
  readonly starts: readonly number[];
  /** What the sentences say. */
  readonly sentences: readonly Sentence[];
  /** −ln P of the choices that made the text, in nats: an upper bound of −ln P(text). */
  readonly surprisal: number;
}

export class World {
  readonly config: WorldConfig;
  /** Identity of the text: equal hashes, equal documents. */
  readonly hash: string;
  readonly taxonomy: Taxonomy;
  readonly behaviour: Behaviour;
  readonly lexicon: Lexicon;
  readonly pairs: Pairs;
  readonly #storyteller: Storyteller;
  readonly #writer: Writer;
  readonly #languages: Table;

  /** @throws ConfigError */
  constructor(settings: z.input<typeof worldSchema> = {}) {
    const config = parseWorldConfig(settings);
    this.config = config;
    this.hash = hashOf(config);
    this.taxonomy = new Taxonomy(config);
    this.behaviour = new Behaviour(this.taxonomy);
    this.lexicon = new Lexicon(this.taxonomy, config);
    const kinds = new Kinds(this.taxonomy);
    this.pairs = new Pairs(this.taxonomy, this.behaviour, this.lexicon.same, config);
    const tables = new Tables(this.taxonomy, this.behaviour, kinds, this.pairs, config);
    this.#storyteller = new Storyteller(this.taxonomy, tables, kinds, config, this.lexicon.same);
    this.#writer = new Writer(this.lexicon);
    this.#languages = new Table(new Map(config.languageShares.map((share, i) => [i, share])));
  }

  /** The true forest over concepts. */
  get concepts(): Forest {
    return this.taxonomy.forest;
  }

  /** `[concepts]` readable names. */
  get names(): readonly string[] {
    return this.taxonomy.names;
  }

  /** Text of every token. */
  get vocabulary(): readonly string[] {
    return this.lexicon.vocabulary;
  }

  /** A concept and all above it, deepest first; empty for −1. */
  chainOf(concept: number): number[] {
    return this.taxonomy.chainOf(concept);
  }

  /** Document `i` of a split: a pure function of configuration, split and index. */
  document(split: Split, i: number): WorldDocument {
    const { chance, sentences } = this.#tell(split, i);
    const { switching, borrowing } = this.config;
    const language = chance.pick(this.#languages);
    const mixing = switching + borrowing;
    const isMixed = this.#languages.size > 1 && chance.happens(mixing);
    if (isMixed && chance.happens(switching / mixing)) {
      // The language drawn above is not seen in the text: it loosens the bound by ln 3 per document that switches.
      return this.#write(chance, sentences, (writer) => writer.speak(chance.pick(this.#languages)));
    }
    const lender = isMixed ? this.#other(chance, language) : language;
    return this.#write(chance, sentences, (writer) => writer.speak(language, lender, isMixed ? BORROWED : 0));
  }

  /** The same story in all languages, without mixing; `mentions` align them. */
  parallel(split: Split, i: number): WorldDocument[] {
    return LANGUAGES.map((name, language) => {
      const { sentences, chance: told } = this.#tell(split, i);
      const chance = new Chance(new Random(this.config.seed, 'world', 'parallel', name, split, i));
      chance.surprisal = told.surprisal;
      return this.#write(chance, sentences, (writer) => writer.speak(language));
    });
  }

  /** Words of document `i`, separated by spaces. */
  text(split: Split, i: number): string {
    return this.textOf(this.document(split, i));
  }

  textOf({ tokens }: WorldDocument): string {
    const { vocabulary } = this.lexicon;
    return Array.from(tokens.subarray(1), (token) => vocabulary[token]).join(' ');
  }

  #tell(split: Split, i: number): { chance: Chance; sentences: Sentence[] } {
    const chance = new Chance(new Random(this.config.seed, 'world', split, i));
    const sentences = this.#storyteller.tell(split, chance);
    if (sentences) return { chance, sentences };
    throw new ConfigError(`no ${split} document was found in this world`, {
      where: 'world',
      hint: {
        train: 'choose a larger depth or branching, a smaller heldOutSentences, or fewer sentences per document',
        'held-out': 'choose a larger heldOutSentences, depth or branching, or fewer sentences per document',
        'new-combinations': 'choose a larger heldOutPairs, depth or branching',
      }[split],
    });
  }

  #write(chance: Chance, sentences: readonly Sentence[], beforeSentence: (writer: Writer) => void): WorldDocument {
    const writer = this.#writer;
    writer.begin(chance);
    const starts: number[] = [];
    for (const sentence of sentences) {
      beforeSentence(writer);
      starts.push(writer.length);
      LINEARISERS[writer.language](sentence, writer);
    }
    const { slots, ...arrays } = writer.finish();
    return { ...arrays, mentions: slots, starts, sentences, surprisal: chance.surprisal };
  }

  #other(chance: Chance, language: number): number {
    const others = LANGUAGES.map((_, i) => i).filter((i) => i !== language);
    return others[chance.index(others.length)];
  }
}
