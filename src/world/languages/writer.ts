/** Where languages put their words. */
import type { Chance } from '../chance.ts';
import type { Said } from '../meaning.ts';
import type { FunctionWord } from './function-words.ts';
import { PUNCTUATION, type Lexicon, type Mark } from './lexicon.ts';

/** Language of tokens that belong to none (the beginning of the document). */
export const NO_LANGUAGE = 255;
/** Share of the usual word among two synonyms. */
const USUAL = 0.75;

/** Tokens with their truth, as they are written. Arrays are views that later writing overwrites. */
export class Writer {
  readonly #lexicon: Lexicon;
  #tokens = new Int32Array(256);
  #concepts = new Int32Array(256);
  #slots = new Int32Array(256);
  #languages = new Uint8Array(256);
  #length = 0;
  #chance: Chance | undefined;
  #language = 0;
  /** Language that nouns are borrowed from, with which probability. */
  #lender = 0;
  #borrowing = 0;

  constructor(lexicon: Lexicon) {
    this.#lexicon = lexicon;
  }

  get length(): number {
    return this.#length;
  }

  get language(): number {
    return this.#language;
  }

  begin(chance: Chance): void {
    this.#chance = chance;
    this.#length = 0;
    this.#borrowing = 0;
    this.#push(this.#lexicon.bosId, -1, -1, NO_LANGUAGE);
  }

  speak(language: number, lender = language, borrowing = 0): void {
    this.#language = language;
    this.#lender = lender;
    this.#borrowing = borrowing;
  }

  /** Writes function words. */
  say(...words: readonly FunctionWord[]): void {
    const functions = this.#lexicon.functions[this.#language];
    for (const word of words) this.#push(functions[word]!, -1, -1, this.#language);
  }

  mark(mark: Mark): void {
    this.#push(2 + PUNCTUATION.indexOf(mark), -1, -1, this.#language);
  }

  /** A word for a concept, chosen but not written yet. */
  choose(concept: number, isNoun = false): { token: number; language: number } {
    const borrowed = isNoun && this.#borrowing > 0 && this.#chance!.happens(this.#borrowing);
    const language = borrowed ? this.#lender : this.#language;
    const words = this.#lexicon.words[language][concept];
    const token = words.length === 1 || this.#chance!.happens(USUAL) ? words[0] : words[1];
    return { token, language };
  }

  write({ concept, slot }: Said, { token, language } = this.choose(concept)): void {
    this.#push(token, concept, slot, language);
  }

  startsWithVowel(token: number): boolean {
    return this.#lexicon.startsWithVowel[token] === 1;
  }

  /** Copies of what has been written. */
  finish(): { tokens: Int32Array; concepts: Int32Array; slots: Int32Array; languages: Uint8Array } {
    return {
      tokens: this.#tokens.slice(0, this.#length),
      concepts: this.#concepts.slice(0, this.#length),
      slots: this.#slots.slice(0, this.#length),
      languages: this.#languages.slice(0, this.#length),
    };
  }

  #push(token: number, concept: number, slot: number, language: number): void {
    if (this.#length === this.#tokens.length) this.#grow();
    const at = this.#length++;
    this.#tokens[at] = token;
    this.#concepts[at] = concept;
    this.#slots[at] = slot;
    this.#languages[at] = language;
  }

  #grow(): void {
    this.#tokens = double(this.#tokens, Int32Array);
    this.#concepts = double(this.#concepts, Int32Array);
    this.#slots = double(this.#slots, Int32Array);
    this.#languages = double(this.#languages, Uint8Array);
  }
}

function double<T extends Int32Array | Uint8Array>(old: T, make: new (size: number) => T): T {
  const larger = new make(old.length * 2);
  larger.set(old);
  return larger;
}
