/** Random choices that keep count of how surprising they were. */
import type { Random } from '../core/random.ts';

/**
 * Every choice that shapes a document is made here. `surprisal` is −ln P of the choices so far, in nats. As text is a function of
 * the choices, P(text) ≥ P(choices), and the mean of `surprisal` bounds the entropy of the text from above. The bound is
 * tight as far as the choices can be read off the text; it is loose by what several choices share (homonyms, ways to
 * arrive at the same sentence) and by redrawing: P(choices | accepted) ≥ P(choices).
 */
export class Chance {
  surprisal = 0;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Uniform in 0 … n − 1. */
  index(n: number): number {
    if (n > 1) this.surprisal += Math.log(n);
    return n > 1 ? this.#random.below(n) : 0;
  }

  /** True with probability p. */
  happens(p: number): boolean {
    if (p <= 0) return false;
    if (p >= 1) return true;
    const yes = this.#random.uniform() < p;
    this.surprisal -= Math.log(yes ? p : 1 - p);
    return yes;
  }

  /** One item of a table that is not empty. */
  pick(table: Table): number {
    const at = table.find(this.#random.uniform());
    this.surprisal -= table.logProbability[at];
    return table.items[at];
  }

  /**
   * With probability `share` one of `favourites` uniformly (those that the table holds, each once), otherwise an item of the
   * table. Charged by the probability of the result, not by the way to it.
   */
  pickFavouring(favourites: readonly number[], share: number, table: Table): number {
    const known = favourites.filter((item) => table.probability(item) > 0);
    if (known.length === 0) return this.pick(table);
    const favoured = this.#random.uniform() < share;
    const item = favoured ? known[this.#random.below(known.length)] : table.items[table.find(this.#random.uniform())];
    const fromKnown = known.includes(item) ? share / known.length : 0;
    this.surprisal -= Math.log(fromKnown + (1 - share) * table.probability(item));
    return item;
  }
}

/** A distribution over concepts. */
export class Table {
  /** Ascending, distinct. */
  readonly items: Int32Array;
  readonly logProbability: Float64Array;
  readonly #cumulative: Float64Array;

  /** @param weights by item; items of weight 0 are left out */
  constructor(weights: ReadonlyMap<number, number>) {
    const kept = [...weights].filter(([, weight]) => weight > 0).sort(([a], [b]) => a - b);
    const total = kept.reduce((sum, [, weight]) => sum + weight, 0);
    this.items = Int32Array.from(kept, ([item]) => item);
    this.logProbability = Float64Array.from(kept, ([, weight]) => Math.log(weight / total));
    let sum = 0;
    this.#cumulative = Float64Array.from(kept, ([, weight]) => (sum += weight) / total);
  }

  get size(): number {
    return this.items.length;
  }

  /** Position of the item at quantile u in [0, 1). */
  find(u: number): number {
    let low = 0;
    for (let high = this.items.length - 1; low < high;) {
      const middle = (low + high) >> 1;
      if (this.#cumulative[middle] > u) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** P(item), 0 for one that the table does not hold. */
  probability(item: number): number {
    let low = 0;
    for (let high = this.items.length; low < high;) {
      const middle = (low + high) >> 1;
      if (this.items[middle] < item) low = middle + 1;
      else high = middle;
    }
    return this.items[low] === item ? Math.exp(this.logProbability[low]) : 0;
  }
}
