/** Which documents a live training learns from, in which order, and which it never sees. */
import { InputError } from '../../core/errors.ts';
import { Permutation } from '../../core/permutation.ts';
import { Random } from '../../core/random.ts';
import type { Place, TokenSource } from '../sequences.ts';

export interface Split {
  /** Without end: epoch after epoch, each in an order of its own. */
  readonly training: TokenSource;
  readonly heldOut: TokenSource;
  /** First held-out document. */
  readonly heldOutFrom: Place;
}

/** Where generated text has no end, documents from this number on are held out; nothing reads so far. */
const FAR = 2 ** 30;

/**
 * Files: the tail of the seeded order is held out, a uniform sample of the documents; one document alone is trained on.
 * @param heldOut fraction of the documents; @param dropped token whose rows are left out
 */
export function splitDocuments(
  source: TokenSource,
  { heldOut: fraction, dropped, seed }: { heldOut: number; dropped: number | undefined; seed: number },
): Split {
  const { count } = source;
  if (count === Infinity) {
    const tokens = (document: number): Int32Array => source.tokens(document);
    return {
      training: { count: FAR, tokens },
      heldOut: { count: 2 * FAR, tokens },
      heldOutFrom: { document: FAR, offset: 0 },
    };
  }
  const held = count === 1 ? 0 : Math.max(1, Math.floor(count * fraction));
  return {
    training: new Epochs(source, count - held, dropped, seed),
    heldOut: source,
    heldOutFrom: { document: count - held, offset: 0 },
  };
}

/** The first documents of a source over and over: in their order at first, then in a new one every time. */
class Epochs implements TokenSource {
  readonly count = Infinity;
  readonly #source: TokenSource;
  readonly #documents: number;
  readonly #dropped: number | undefined;
  readonly #seed: number;
  #order: { epoch: number; permutation: Permutation } | undefined;
  /** Documents in a row without a row of activations. */
  #empty = 0;

  constructor(source: TokenSource, documents: number, dropped: number | undefined, seed: number) {
    this.#source = source;
    this.#documents = documents;
    this.#dropped = dropped;
    this.#seed = seed;
  }

  tokens(document: number): Int32Array {
    const epoch = Math.floor(document / this.#documents);
    const place = document % this.#documents;
    const ids = this.#source.tokens(epoch === 0 ? place : this.#orderOf(epoch).at(place));
    this.#empty = ids.some((id) => id !== this.#dropped) ? 0 : this.#empty + 1;
    if (this.#empty > this.#documents) throw new InputError('the texts hold no tokens to train on');
    return ids;
  }

  #orderOf(epoch: number): Permutation {
    if (this.#order?.epoch !== epoch) {
      const permutation = new Permutation(this.#documents, new Random(this.#seed, 'epoch', epoch));
      this.#order = { epoch, permutation };
    }
    return this.#order.permutation;
  }
}
