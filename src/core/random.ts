/**
 * Seeded random streams. A stream is named by a seed and a path of labels, so that every draw of the program is a pure
 * function of (seed, purpose, index) and nothing has to be saved to resume. Generator: xoshiro128** seeded by splitmix32.
 */
export class Random {
  readonly #s = new Uint32Array(4);
  #spareNormal: number | undefined;

  /** @param seed any integer; @param path labels that name the stream, e.g. `'init', 'W_enc'` or `'batch', 17` */
  constructor(seed: number, ...path: readonly (string | number)[]) {
    let state = mix(hashNumber(0x9e3779b9, seed));
    for (const label of path) state = typeof label === 'number' ? hashNumber(state, label) : hashString(state, label);
    for (let i = 0; i < 4; i++) {
      state = (state + 0x9e3779b9) | 0;
      this.#s[i] = mix(state);
    }
  }

  /** Uniform 32-bit unsigned integer. */
  uint32(): number {
    const s = this.#s;
    const result = Math.imul(rotl(Math.imul(s[1], 5), 7), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 11);
    return result;
  }

  /** Uniform in [0, 1) with 53 random bits. */
  uniform(): number {
    return ((this.uint32() >>> 5) * 67108864 + (this.uint32() >>> 6)) / 9007199254740992;
  }

  /** Uniform integer in [0, n), without modulo bias. */
  below(n: number): number {
    if (!(n > 0 && n <= 0x100000000)) throw new RangeError(`below(${n}): expected 1 … 2^32`);
    const limit = 0x100000000 - (0x100000000 % n);
    let draw = this.uint32();
    while (draw >= limit) draw = this.uint32();
    return draw % n;
  }

  /** Standard normal (polar Box–Muller). */
  normal(): number {
    if (this.#spareNormal !== undefined) {
      const spare = this.#spareNormal;
      this.#spareNormal = undefined;
      return spare;
    }
    let u: number, v: number, square: number;
    do {
      u = 2 * this.uniform() - 1;
      v = 2 * this.uniform() - 1;
      square = u * u + v * v;
    } while (square >= 1 || square === 0);
    const factor = Math.sqrt((-2 * Math.log(square)) / square);
    this.#spareNormal = v * factor;
    return u * factor;
  }
}

const rotl = (x: number, k: number): number => (x << k) | (x >>> (32 - k));

/** Finaliser of splitmix32 (full avalanche). */
function mix(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

function hashNumber(state: number, value: number): number {
  const low = value | 0;
  const high = Math.floor(value / 0x100000000) | 0;
  return mix(Math.imul(mix(state ^ low), 0x01000193) ^ high);
}

function hashString(state: number, text: string): number {
  let hash = state ^ 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash ^ text.length);
}
