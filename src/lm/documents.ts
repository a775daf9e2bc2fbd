/** Texts that a language model is run on, by number, and the seeded order in which they are read. */
import type { TextIdentity } from '../activations/manifest.ts';
import { InputError } from '../core/errors.ts';
import { Permutation } from '../core/permutation.ts';
import { Random } from '../core/random.ts';
import type { TokenSource } from './sequences.ts';
import type { Tokenizer } from './tokenizer.ts';

export interface Documents {
  /** Infinity for text that is generated. */
  readonly count: number;
  /** Equal identities mean equal texts. */
  readonly identity: TextIdentity;
  /** Text of document `i` < count. @throws InputError if it cannot be read any more */
  read(i: number): string;
}

/** Place in a seeded order → number of the document. */
export interface DocumentOrder {
  at(place: number): number;
}

/** The end of the order of files is a uniform sample of their documents; generated text is read as it comes. */
export function documentOrder(count: number, seed: number): DocumentOrder {
  return count === Infinity ? { at: (place) => place } : new Permutation(count, new Random(seed, 'documents'));
}

/**
 * The tokens of documents, by their place in the order.
 * @param vocab tokens that the model knows
 */
export function tokenSource(
  documents: Documents,
  order: DocumentOrder,
  tokenizer: Tokenizer,
  vocab: number,
): TokenSource {
  return {
    count: documents.count,
    tokens(place) {
      const number = order.at(place);
      const ids = tokenizer.encode(documents.read(number));
      const foreign = ids.find((id) => id >= vocab);
      if (foreign !== undefined) {
        throw new InputError(
          `document ${number} holds token ${foreign} (${tokenizer.token(foreign)}), but the model knows ${vocab} tokens`,
          { hint: 'check that tokenizer.json, config.json and the ONNX file belong together' },
        );
      }
      return ids;
    },
  };
}
