/**
 * A seeded permutation of 0 … n−1 that is computed, not stored: a balanced Feistel network over the next even power of
 * two, with cycle walking (a value outside the range is encrypted again until it falls inside; < 4 rounds on average).
 */
export class Permutation {
  readonly size: number;
  readonly #halfBits: number;
  readonly #mask: number;
  readonly #keys: Uint32Array;

  /** @param size n, at most 2^46; @param seed,path name the permutation as in {@link Random} */
  constructor(size: number, random: { uint32(): number }) {
    if (!Number.isSafeInteger(size) || size < 0 || size > 2 ** 46) throw new RangeError(`permutation of ${size} items`);
    this.size = size;
    this.#halfBits = Math.max(1, Math.ceil(Math.log2(Math.max(2, size)) / 2));
    this.#mask = 2 ** this.#halfBits - 1;
    this.#keys = Uint32Array.from({ length: ROUNDS }, () => random.uint32());
  }

  /** Image of `index`; a bijection of [0, size). */
  at(index: number): number {
    let value = index;
    do value = this.#encrypt(value);
    while (value >= this.size);
    return value;
  }

  #encrypt(value: number): number {
    const base = this.#mask + 1;
    let left = Math.floor(value / base);
    let right = value % base;
    for (const key of this.#keys) {
      let x = Math.imul(right ^ key, 0x85ebca6b);
      x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
      x = (x ^ (x >>> 16)) & this.#mask;
      [left, right] = [right, (left ^ x) >>> 0];
    }
    return left * base + right;
  }
}

const ROUNDS = 6;
