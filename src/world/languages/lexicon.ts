/** Words of the three languages for every concept, and the vocabulary they make together. */
import { Random } from '../../core/random.ts';
import type { WorldConfig } from '../config.ts';
import type { Taxonomy } from '../taxonomy.ts';
import { FUNCTION_WORDS, INVENTED, type FunctionWord } from './function-words.ts';
import { drawWord, type Phonology, CLUSTERS, OPEN_SYLLABLES } from './phonology.ts';

export const LANGUAGES = ['english', 'talori', 'krend'] as const;
export type LanguageName = (typeof LANGUAGES)[number];

export const BOS = '<s>';
export const UNKNOWN = '<unk>';
export const PUNCTUATION = ['.', ',', '?'] as const;
export type Mark = (typeof PUNCTUATION)[number];

/** What a token can mean: a concept in a language. */
export interface Meaning {
  readonly language: number;
  readonly concept: number;
}

export class Lexicon {
  /** Text of every token. */
  readonly vocabulary: readonly string[];
  readonly bosId = 0;
  readonly unknownId = 1;
  /** `[concepts]` by language: tokens of a concept, the usual one first. */
  readonly words: readonly (readonly Int32Array[])[];
  /** By language: tokens of the function words that it has. */
  readonly functions: readonly Readonly<Partial<Record<FunctionWord, number>>>[];
  /** `[tokens]` 1 for words that English says *an* before. */
  readonly startsWithVowel: Uint8Array;
  /**
   * `[concepts]` the first of all concepts that are connected by common words, in whatever languages: text cannot tell them
   * apart for certain.
   */
  readonly same: Int32Array;
  readonly #ids = new Map<string, number>();
  readonly #meanings: Meaning[][] = [];

  constructor(taxonomy: Taxonomy, config: WorldConfig) {
    const vocabulary: string[] = [];
    const add = (word: string): number => {
      let id = this.#ids.get(word);
      if (id === undefined) {
        id = vocabulary.length;
        this.#ids.set(word, id);
        vocabulary.push(word);
      }
      return id;
    };
    for (const special of [BOS, UNKNOWN, ...PUNCTUATION]) add(special);

    const english = taxonomy.words.map((words) => [...words]);
    const taken = new Set([...english.flat(), ...Object.values(FUNCTION_WORDS), ...vocabulary]);
    const talori = invent('talori', OPEN_SYLLABLES, taxonomy, config, taken, english);
    const krend = invent('krend', CLUSTERS, taxonomy, config, taken, talori.words);
    const languages = [{ words: english, functions: FUNCTION_WORDS }, talori, krend];
    this.functions = languages.map(({ functions }) => {
      return Object.fromEntries(Object.entries(functions).map(([name, word]) => [name, add(word)]));
    });
    this.words = languages.map(({ words }, language) =>
      words.map((ofConcept, concept) => {
        const ids = Int32Array.from(ofConcept, add);
        for (const id of ids) (this.#meanings[id] ??= []).push({ language, concept });
        return ids;
      }),
    );
    this.vocabulary = vocabulary;
    this.startsWithVowel = Uint8Array.from(vocabulary, (word) => (/^[aeiou]/.test(word) ? 1 : 0));
    this.same = connected(taxonomy.size, this.#meanings);
  }

  get size(): number {
    return this.vocabulary.length;
  }

  /** Everything that a token stands for; empty for function words. */
  meanings(token: number): readonly Meaning[] {
    return this.#meanings[token] ?? [];
  }

  /** Token of a word, that of unknown words for others. */
  id(word: string): number {
    return this.#ids.get(word) ?? this.unknownId;
  }
}

/**
 * An invented language: a word for every concept, for some a second one; some words stand for two concepts of different
 * kinds (homonyms), and some are words of the language before with another meaning (false friends).
 */
function invent(
  name: keyof typeof INVENTED,
  phonology: Phonology,
  taxonomy: Taxonomy,
  config: WorldConfig,
  taken: Set<string>,
  before: readonly (readonly string[])[],
): { words: string[][]; functions: Partial<Record<FunctionWord, string>> } {
  const random = new Random(config.seed, 'language', name);
  const fresh = (syllables: number): string => {
    for (let tries = 0; ; tries++) {
      const word = drawWord(phonology, random, syllables + Math.floor(tries / 20));
      if (taken.has(word)) continue;
      taken.add(word);
      return word;
    }
  };
  const functions: Partial<Record<FunctionWord, string>> = {};
  for (const word of INVENTED[name]) functions[word] = fresh(1);
  for (const pronoun of phonology.pronounsAlike) functions[pronoun] = functions.it!;
  const words = taxonomy.names.map(() => [fresh(phonology.syllables + (random.below(3) === 0 ? 1 : 0))]);
  const kindOf = (concept: number): number => taxonomy.chainOf(concept).at(-2) ?? concept;
  /** Calls back with pairs of concepts of different kinds, every concept at most once. */
  const pairUp = (count: number, join: (concept: number, other: number) => void): void => {
    const free = shuffled(taxonomy.size, random);
    for (let done = 0; done < count && free.length > 1; done++) {
      const concept = free.pop()!;
      const at = free.findLastIndex((other) => kindOf(other) !== kindOf(concept));
      if (at === -1) return;
      join(concept, free.splice(at, 1)[0]);
    }
  };
  pairUp(Math.floor((config.homonyms * taxonomy.size) / 2), (concept, other) => (words[other] = words[concept]));
  pairUp(Math.floor(config.falseFriends * taxonomy.size), (concept, other) => (words[concept] = [before[other][0]]));
  for (const concept of shuffled(taxonomy.size, random).slice(0, Math.floor(config.synonyms * taxonomy.size))) {
    words[concept] = [words[concept][0], fresh(phonology.syllables + 1)];
  }
  return { words, functions };
}

function shuffled(n: number, random: Random): number[] {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** Union–find over the meanings of each token. */
function connected(concepts: number, meanings: readonly (readonly Meaning[])[]): Int32Array {
  const first = Int32Array.from({ length: concepts }, (_, i) => i);
  const find = (concept: number): number => {
    while (first[concept] !== concept) concept = first[concept];
    return concept;
  };
  for (const ofToken of meanings) {
    for (const { concept } of ofToken ?? []) {
      const [a, b] = [find(ofToken[0].concept), find(concept)];
      first[Math.max(a, b)] = Math.min(a, b);
    }
  }
  return first.map((_, concept) => find(concept));
}
