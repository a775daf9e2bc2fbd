/**
 * N-gram models up to trigrams, smoothed by interpolated Kneser–Ney with one discount per order (Kneser & Ney 1995; as in
 * Chen & Goodman 1998, equation 26): the baseline that a transformer has to beat.
 *
 *   p(w | h) = max(c(hw) − D, 0) / c(h) + D · N₁₊(h•) / c(h) · p'(w | h without its first word),   D = n₁ / (n₁ + 2 n₂)
 *
 * where the lower orders p' count in how many different contexts a word was seen, N₁₊(•hw), instead of how often.
 */

export const ORDERS = { unigram: 1, bigram: 2, trigram: 3 } as const;
export type Order = keyof typeof ORDERS;

/** Counts of one order: what follows each history. */
interface Level {
  /** By history and word. */
  readonly counts: Map<number, number>;
  /** By history: sum and number of its counts. */
  readonly totals: Map<number, { sum: number; different: number }>;
  readonly discount: number;
}

export class NGrams {
  readonly vocab: number;
  /** Tokens that were counted, the ends of documents included. */
  readonly tokens: number;
  /** The levels of each model, the longest history first. */
  readonly #models: Readonly<Record<Order, readonly Level[]>>;

  /**
   * @param documents each begins with `bos`, which also stands for the end of the document
   */
  constructor(documents: Iterable<Int32Array>, vocab: number, bos: number) {
    this.vocab = vocab;
    const trigrams = new Map<number, number>();
    let tokens = 0;
    for (const document of documents) {
      tokens += document.length;
      for (const { first, second, word } of trigramsOf(document, bos)) {
        increment(trigrams, (first * vocab + second) * vocab + word, 1);
      }
    }
    this.tokens = tokens;
    const bigrams = withoutFirst(trigrams, vocab * vocab, 'times');
    const unigrams = withoutFirst(bigrams, vocab, 'times');
    const level = (counts: Map<number, number>): Level => toLevel(counts, vocab);
    const contextsOfWord = level(withoutFirst(bigrams, vocab, 'contexts'));
    this.#models = {
      unigram: [level(unigrams)],
      bigram: [level(bigrams), contextsOfWord],
      trigram: [level(trigrams), level(withoutFirst(trigrams, vocab * vocab, 'contexts')), contextsOfWord],
    };
  }

  /** p(word | first, second); shorter models ignore the first words. */
  probability(order: Order, first: number, second: number, word: number): number {
    const { vocab } = this;
    const histories = [first * vocab + second, second, 0].slice(-ORDERS[order]);
    let probability = 1 / vocab;
    const levels = this.#models[order];
    for (let i = levels.length - 1; i >= 0; i--) {
      const { counts, totals, discount } = levels[i];
      const total = totals.get(histories[i]);
      if (!total) continue;
      const count = counts.get(histories[i] * vocab + word) ?? 0;
      probability = (Math.max(count - discount, 0) + discount * total.different * probability) / total.sum;
    }
    return probability;
  }

  /** −ln p of every token behind the first and of the end of the document, [tokens]. */
  losses(order: Order, document: Int32Array, bos: number): Float64Array {
    return Float64Array.from(trigramsOf(document, bos), ({ first, second, word }) => {
      return -Math.log(this.probability(order, first, second, word));
    });
  }
}

/** Every token behind the first with the two before it, and the end of the document. */
function* trigramsOf(document: Int32Array, bos: number): Generator<{ first: number; second: number; word: number }> {
  for (let i = 1; i <= document.length; i++) {
    yield {
      first: i > 1 ? document[i - 2] : bos,
      second: document[i - 1],
      word: i < document.length ? document[i] : bos,
    };
  }
}

/** How often shorter sequences occur, or behind how many different words. @param size keys of the shorter sequences */
function withoutFirst(counts: Map<number, number>, size: number, what: 'times' | 'contexts'): Map<number, number> {
  const result = new Map<number, number>();
  for (const [key, count] of counts) increment(result, key % size, what === 'contexts' ? 1 : count);
  return result;
}

function toLevel(counts: Map<number, number>, vocab: number): Level {
  const totals = new Map<number, { sum: number; different: number }>();
  let once = 0;
  let twice = 0;
  for (const [key, count] of counts) {
    if (count === 1) once++;
    else if (count === 2) twice++;
    const history = Math.floor(key / vocab);
    const total = totals.get(history);
    if (total) {
      total.sum += count;
      total.different++;
    } else totals.set(history, { sum: count, different: 1 });
  }
  // Where no count is 1 or 2 there is nothing to learn a discount from; any will do.
  return { counts, totals, discount: once > 0 ? once / (once + 2 * twice) : 0.5 };
}

function increment(counts: Map<number, number>, key: number, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}
