/** Which tokens of a vocabulary are whole words, by how vocabularies are written. */
import type { Tokenizer } from '../../lm/tokenizer.ts';

/** ▁ of SentencePiece and Ġ of byte-level BPE stand for the space before a word. */
const BEGINNING = /^[▁Ġ]/;
const WORD = /^[▁Ġ]?([A-Za-z]{2,})$/;

export interface Vocabulary {
  /** Tokens of words begin with a space. */
  readonly marksBeginnings: boolean;
  /** The word that a token is by itself; undefined for anything else, fragments without a space before them too. */
  wordOf(token: number): string | undefined;
  /** As the vocabulary writes it. */
  textOf(token: number): string;
  /** Whether a token goes on with the word before it. */
  continues(token: number): boolean;
}

type Tokens = Pick<Tokenizer, 'size' | 'token'>;

/** Where no token begins with a space, every token of letters is a word, unless ## marks what continues one. */
export function readVocabulary(tokenizer: Tokens): Vocabulary {
  const texts = Array.from({ length: tokenizer.size }, (_, id) => tokenizer.token(id));
  const marksBeginnings = texts.some((text) => BEGINNING.test(text) && WORD.test(text));
  return {
    marksBeginnings,
    textOf: (token) => texts[token] ?? '',
    wordOf(token) {
      const text = texts[token] ?? '';
      return marksBeginnings && !BEGINNING.test(text) ? undefined : WORD.exec(text)?.[1];
    },
    continues(token) {
      const text = texts[token] ?? '';
      return marksBeginnings ? /^[A-Za-z]/.test(text) : text.startsWith('##');
    },
  };
}
