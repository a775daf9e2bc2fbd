/** How often two latents fire together, counted in bounded memory. */

/** Counts of unordered pairs of latents. */
export interface PairCounts {
  /** Counts one joint firing of two different latents. */
  add(a: number, b: number): void;
  /** Visits every pair `low < high` with a positive count, in an order that depends on the input alone. */
  forEach(visit: (low: number, high: number, count: number) => void): void;
  /**
   * Bound of what was lost: no reported count of a pair with `latent` exceeds the true one, and none falls short of it by
   * more than this. 0 means exact.
   */
  missedAtMost(latent: number): number;
}

/** Every pair has a counter: a triangle of width·(width − 1)/2 integers. Exact and fastest; for narrow dictionaries. */
export class DensePairCounts implements PairCounts {
  readonly #counts: Uint32Array;
  readonly #width: number;

  constructor(width: number) {
    this.#width = width;
    this.#counts = new Uint32Array((width * (width - 1)) / 2);
  }

  add(a: number, b: number): void {
    const low = a < b ? a : b;
    const high = a < b ? b : a;
    this.#counts[(high * (high - 1)) / 2 + low]++;
  }

  forEach(visit: (low: number, high: number, count: number) => void): void {
    for (let high = 1, i = 0; high < this.#width; high++) {
      for (let low = 0; low < high; low++, i++) if (this.#counts[i] > 0) visit(low, high, this.#counts[i]);
    }
  }

  missedAtMost(): number {
    return 0;
  }
}

/** Fields of a slot. LOW holds the latent plus 1: 0 marks a free slot. */
const LOW = 0;
const HIGH = 1;
const COUNT = 2;
/** Joint firings that may have been dropped before this entry was made. */
const MISSED = 3;
const SLOT = 4;

/** Pruning drops the pairs below the smallest of 2^−6, 2^−5 … 1 times the firings of their rarer latent that helps. */
const FINEST_PRUNING = -6;

/**
 * Only pairs that occur have a counter: an open-addressing table of 16 bytes a slot, at most three quarters full, that doubles
 * until it holds `maxPairs` entries (twice the memory for the moment of growing). A full table is pruned to half by Lossy
 * Counting (Manku and Motwani 2002): dropped are the pairs that make up the smallest share of the firings of their rarer
 * latent so far, those farthest from being an edge. What that may have cost is remembered for each latent, and a pair that
 * comes back starts with it, so that the bound of {@link PairCounts.missedAtMost} holds whatever the order of the stream.
 */
export class SparsePairCounts implements PairCounts {
  readonly #firings: Float64Array;
  readonly #missed: Float64Array;
  readonly #maxPairs: number;
  #size = 0;
  #mask = 1023;
  #table = new Uint32Array(1024 * SLOT);

  /** @param firings `[width]` firings of each latent so far, kept up to date by the owner, ahead of the pairs */
  constructor(firings: Float64Array, maxPairs: number) {
    this.#firings = firings;
    this.#missed = new Float64Array(firings.length);
    this.#maxPairs = maxPairs;
  }

  add(a: number, b: number): void {
    const low = a < b ? a : b;
    const high = a < b ? b : a;
    const slot = this.#find(low, high);
    if (this.#table[slot + LOW] !== 0) {
      this.#table[slot + COUNT]++;
      return;
    }
    this.#put(slot, low, high, 1, Math.min(this.#missed[low], this.#missed[high]));
    if (this.#size >= this.#maxPairs) this.#prune();
    else if (4 * this.#size > 3 * (this.#mask + 1)) this.#rebuild(2 * (this.#mask + 1), 0);
  }

  forEach(visit: (low: number, high: number, count: number) => void): void {
    const table = this.#table;
    for (let slot = 0; slot < table.length; slot += SLOT) {
      if (table[slot + LOW] !== 0) visit(table[slot + LOW] - 1, table[slot + HIGH], table[slot + COUNT]);
    }
  }

  missedAtMost(latent: number): number {
    return this.#missed[latent];
  }

  /** Offset of the pair's slot, or of the free one where it belongs. */
  #find(low: number, high: number): number {
    const table = this.#table;
    let hash = Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    let slot = ((hash ^ (hash >>> 13)) & this.#mask) * SLOT;
    while (table[slot + LOW] !== 0 && (table[slot + LOW] !== low + 1 || table[slot + HIGH] !== high)) {
      slot = (slot + SLOT) & (table.length - 1);
    }
    return slot;
  }

  #put(slot: number, low: number, high: number, count: number, missed: number): void {
    this.#table[slot + LOW] = low + 1;
    this.#table[slot + HIGH] = high;
    this.#table[slot + COUNT] = count;
    this.#table[slot + MISSED] = missed;
    this.#size++;
  }

  /**
   * Largest share that the pair in a slot can have in the firings of its rarer latent. Capped, because what was missed by a
   * pruning in the middle of a row may include the joint firing of that row, which is counted after it.
   */
  #share(table: Uint32Array, slot: number): number {
    const rarer = Math.min(this.#firings[table[slot + LOW] - 1], this.#firings[table[slot + HIGH]]);
    return Math.min(1, (table[slot + COUNT] + table[slot + MISSED]) / rarer);
  }

  #prune(): void {
    const table = this.#table;
    const within = new Float64Array(1 - FINEST_PRUNING);
    for (let slot = 0; slot < table.length; slot += SLOT) {
      if (table[slot + LOW] === 0) continue;
      const exponent = Math.max(FINEST_PRUNING, Math.ceil(Math.log2(this.#share(table, slot))));
      within[exponent - FINEST_PRUNING]++;
    }
    let exponent = FINEST_PRUNING;
    for (let dropped = within[0]; 2 * dropped < this.#size; exponent++)
      dropped += within[exponent + 1 - FINEST_PRUNING];
    const most = 2 ** exponent;
    this.#rebuild(this.#mask + 1, most);
    // A dropped pair had at most this many joint firings, for both of its latents.
    for (let i = 0; i < this.#missed.length; i++) {
      this.#missed[i] = Math.max(this.#missed[i], Math.floor(most * this.#firings[i]));
    }
  }

  /** Moves the entries to a table of `capacity` slots, without those of share ≤ `dropped`. */
  #rebuild(capacity: number, dropped: number): void {
    const table = this.#table;
    this.#table = new Uint32Array(capacity * SLOT);
    this.#mask = capacity - 1;
    this.#size = 0;
    for (let slot = 0; slot < table.length; slot += SLOT) {
      if (table[slot + LOW] === 0 || (dropped > 0 && this.#share(table, slot) <= dropped)) continue;
      const [low, high] = [table[slot + LOW] - 1, table[slot + HIGH]];
      this.#put(this.#find(low, high), low, high, table[slot + COUNT], table[slot + MISSED]);
    }
  }
}
