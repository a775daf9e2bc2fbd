/**
 * A seeded permutation of 0 … n−1 that is computed, not stored: a balanced Feistel network over the next even power of
 * two, with cycle walking (a value outside the range is encrypted again until it falls inside; < 4 rounds on average).
 */
export class Permutation {
  readonly size: number;
  readonly #halfBits: number;
  readonly #mask: number;
  readonly #keys: Uint32Array;

  /** @param size n, at most 2^46; @param random names the permutation, e.g. `new Random(seed, 'blocks', epoch)` */
  constructor(size: number, random: { uint32(): number }) {
    if (!Number.isSafeInteger(size) || size < 0 || size > 2 ** 46) throw new RangeError(`permutation of ${size} items`);
    this.size = size;
    this.#halfBits = Math.max(1, Math.ceil(Math.log2(Math.max(2, size)) / 2));
    this.#mask = 2 ** this.#halfBits - 1;
    this.#keys = Uint32Array.from({ length: ROUNDS }, () => random.uint32());
  }

  /** Image of `index`; a bijection of [0, size). */
  at(index: number): number {
    this.#checkRange(index);
    const base = this.#mask + 1;
    let value = index;
    do {
      let left = Math.floor(value / base);
      let right = value % base;
      for (let round = 0; round < ROUNDS; round++) {
        const next = left ^ this.#mix(right, round);
        left = right;
        right = next;
      }
      value = left * base + right;
    } while (value >= this.size);
    return value;
  }

  /** The index whose image is `value`: the inverse of {@link at}. */
  indexOf(value: number): number {
    this.#checkRange(value);
    const base = this.#mask + 1;
    let index = value;
    do {
      let left = Math.floor(index / base);
      let right = index % base;
      for (let round = ROUNDS - 1; round >= 0; round--) {
        const previous = right ^ this.#mix(left, round);
        right = left;
        left = previous;
      }
      index = left * base + right;
    } while (index >= this.size);
    return index;
  }

  /** Round function: half-width words to half-width words (at most 23 bits, so that signs do not occur). */
  #mix(word: number, round: number): number {
    let x = Math.imul(word ^ this.#keys[round], 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    return (x ^ (x >>> 16)) & this.#mask;
  }

  /** Outside of the range the walk might not end. */
  #checkRange(value: number): void {
    if (!(value >= 0 && value < this.size)) throw new RangeError(`${value} in a permutation of ${this.size} items`);
  }
}

const ROUNDS = 6;
