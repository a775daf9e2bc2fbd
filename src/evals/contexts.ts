/**
 * Pieces of held-out text around the places where latents fire, for everything that shows latents to a reader: language
 * models that label them, people who judge them. One pass over the rows; what is kept does not grow with their number.
 */
import type { Codes } from '../core/codes.ts';
import { Random } from '../core/random.ts';
import type { RowOrigins } from '../activations/source.ts';

/** Tokens of a context. */
export const WINDOW = 32;
/** Tokens before the peak: drawn from this range, so that its place in the context gives nothing away. */
const BEFORE = { least: 8, most: 24 };

/** A piece of one document. */
export interface Context {
  /** Held-out row of its first token. */
  readonly start: number;
  /** `[≤ WINDOW]` */
  readonly tokens: Int32Array;
  /** `[tokens]` |activation| of the latent. */
  readonly strength: Float32Array;
}

export interface LatentContexts {
  readonly latent: number;
  /** Tokens at which it fires. */
  readonly fired: number;
  /** Those with the largest peaks, the largest first; at most one per block of WINDOW tokens, as everywhere here. */
  readonly top: readonly Context[];
  /** Drawn without replacement with probabilities in proportion to the peak; may repeat `top`. */
  readonly importance: readonly Context[];
  /** Drawn uniformly from all blocks in which the latent fires; may repeat the others. */
  readonly uniform: readonly Context[];
  /** Drawn uniformly from all text, without those in which the latent fires. */
  readonly silent: readonly Context[];
}

/** How many contexts are kept. */
export interface ContextCounts {
  readonly top: number;
  readonly importance: number;
  readonly uniform: number;
  /** Contexts drawn from all text, for all latents together. */
  readonly random: number;
}

/** How often latents fire: the first pass, which decides what can be shown. */
export class FiringBlocks {
  /** `[width]` tokens at which each latent fires. */
  readonly fired: Float64Array;
  /** `[width]` blocks of WINDOW tokens in which each latent fires. */
  readonly blocks: Int32Array;
  readonly #lastBlock: Int32Array;
  readonly #blockOf: (row: number) => number;

  constructor(width: number, origins: RowOrigins) {
    this.fired = new Float64Array(width);
    this.blocks = new Int32Array(width);
    this.#lastBlock = new Int32Array(width).fill(-1);
    this.#blockOf = blockNumbers(origins);
  }

  /** @param start row of the first codes; batches come in the order of the rows */
  add(start: number, codes: Codes): void {
    for (let r = 0; r < codes.rows; r++) {
      const block = this.#blockOf(start + r);
      for (let e = codes.rowPtr[r]; e < codes.rowPtr[r + 1]; e++) {
        const latent = codes.index[e];
        if (codes.value[e] === 0) continue;
        this.fired[latent]++;
        if (this.#lastBlock[latent] !== block) this.blocks[latent]++;
        this.#lastBlock[latent] = block;
      }
    }
  }
}

/** Number of the block of each row; asked for rows in ascending order. */
function blockNumbers(origins: RowOrigins): (row: number) => number {
  let block = -1;
  let filled = WINDOW;
  let last = -1;
  return (row) => {
    for (; last < row; last++) {
      if (filled === WINDOW || !continues(origins, last + 1)) [block, filled] = [block + 1, 0];
      filled++;
    }
    return block;
  };
}

/** Whether a row's token follows the one before in the same text. */
function continues({ doc, pos }: RowOrigins, row: number): boolean {
  return row > 0 && doc[row] === doc[row - 1] && pos[row] === pos[row - 1] + 1;
}

/** Entries of the chosen latents in one block: place of the latent → rows and values. */
interface Block {
  readonly start: number;
  end: number;
  readonly firing: Map<number, { row: number; strength: number }[]>;
}

interface RandomContext {
  readonly start: number;
  readonly tokens: Int32Array;
  /** Places of the chosen latents that fire in it. */
  readonly firing: ReadonlySet<number>;
}

/** The second pass: contexts of some latents. Blocks wait until the text after them is known. */
export class ContextCollector {
  readonly #latents: readonly number[];
  readonly #place: ReadonlyMap<number, number>;
  readonly #origins: RowOrigins;
  readonly #seed: number;
  readonly #fired: Float64Array;
  readonly #kept: { top: Largest<Context>; importance: Largest<Context>; uniform: Largest<Context> }[];
  readonly #random: Largest<RandomContext>;
  /** At most three blocks of the same text, the last one growing. */
  #blocks: Block[] = [];

  constructor(latents: readonly number[], origins: RowOrigins, counts: ContextCounts, seed: number) {
    this.#latents = latents;
    this.#place = new Map(latents.map((latent, i) => [latent, i]));
    this.#origins = origins;
    this.#seed = seed;
    this.#fired = new Float64Array(latents.length);
    this.#kept = latents.map(() => ({
      top: new Largest(counts.top),
      importance: new Largest(counts.importance),
      uniform: new Largest(counts.uniform),
    }));
    this.#random = new Largest(counts.random);
  }

  /** @param start row of the first codes; batches come in the order of the rows */
  add(start: number, codes: Codes): void {
    for (let r = 0; r < codes.rows; r++) {
      const row = start + r;
      if (!continues(this.#origins, row)) this.#endText();
      const block = this.#blockFor(row);
      for (let e = codes.rowPtr[r]; e < codes.rowPtr[r + 1]; e++) {
        const place = this.#place.get(codes.index[e]);
        if (place === undefined || codes.value[e] === 0) continue;
        this.#fired[place]++;
        const entry = { row, strength: Math.abs(codes.value[e]) };
        const entries = block.firing.get(place);
        if (entries) entries.push(entry);
        else block.firing.set(place, [entry]);
      }
    }
  }

  /** After the last batch. */
  finish(): LatentContexts[] {
    this.#endText();
    const random = this.#random.items;
    return this.#latents.map((latent, place) => {
      const { top, importance, uniform } = this.#kept[place];
      const silent = random
        .filter(({ firing }) => !firing.has(place))
        .map(({ start, tokens }) => ({ start, tokens, strength: new Float32Array(tokens.length) }));
      return {
        latent,
        fired: this.#fired[place],
        top: top.items,
        importance: importance.items,
        uniform: uniform.items,
        silent,
      };
    });
  }

  /** The block that a row belongs to; a new one begins when the last is full. */
  #blockFor(row: number): Block {
    let block = this.#blocks.at(-1);
    if (!block || block.end - block.start === WINDOW) {
      if (block && this.#blocks.length >= 2) this.#take(this.#blocks.at(-2)!);
      block = { start: row, end: row, firing: new Map() };
      this.#blocks = [...this.#blocks.slice(-2), block];
    }
    block.end = row + 1;
    return block;
  }

  /** The blocks that waited for what follows them: the last two. */
  #endText(): void {
    for (const block of this.#blocks.slice(-2)) this.#take(block);
    this.#blocks = [];
  }

  /** Offers the contexts of a block: one of each latent that fires in it, and one at a random place. */
  #take(block: Block): void {
    const seed = this.#seed;
    for (const [place, entries] of block.firing) {
      const peak = entries.reduce((best, entry) => (entry.strength > best.strength ? entry : best));
      const random = new Random(seed, 'contexts', this.#latents[place], block.start);
      const before = BEFORE.least + random.below(BEFORE.most - BEFORE.least + 1);
      const context = (): Context => this.#context(place, peak.row, before);
      const { top, importance, uniform } = this.#kept[place];
      top.offer(peak.strength, context);
      // Efraimidis and Spirakis (2006): the largest u^(1/w) are a weighted sample without replacement.
      importance.offer(Math.log(1 - random.uniform()) / peak.strength, context);
      uniform.offer(random.uniform(), context);
    }
    const random = new Random(seed, 'contexts', 'random', block.start);
    this.#random.offer(random.uniform(), () => {
      const row = block.start + random.below(block.end - block.start);
      const before = BEFORE.least + random.below(BEFORE.most - BEFORE.least + 1);
      const { start, end } = this.#window(row, before);
      const firing = new Set<number>();
      for (const { place, entry } of this.#entries()) if (entry.row >= start && entry.row < end) firing.add(place);
      return { start, tokens: this.#origins.tokens.slice(start, end), firing };
    });
  }

  *#entries(): Generator<{ place: number; entry: { row: number; strength: number } }> {
    for (const { firing } of this.#blocks) {
      for (const [place, entries] of firing) for (const entry of entries) yield { place, entry };
    }
  }

  /** WINDOW rows, `before` of them ahead of `row`, moved into the text where they would leave it. */
  #window(row: number, before: number): { start: number; end: number } {
    const [first, last] = [this.#blocks[0].start, this.#blocks.at(-1)!.end];
    const end = Math.min(last, Math.max(first, row - before) + WINDOW);
    return { start: Math.max(first, end - WINDOW), end };
  }

  #context(place: number, peak: number, before: number): Context {
    const { start, end } = this.#window(peak, before);
    const strength = new Float32Array(end - start);
    for (const { firing } of this.#blocks) {
      for (const entry of firing.get(place) ?? []) {
        if (entry.row >= start && entry.row < end) strength[entry.row - start] = entry.strength;
      }
    }
    return { start, tokens: this.#origins.tokens.slice(start, end), strength };
  }
}

/** The items with the largest keys, the largest first; of equal keys the one that came first. */
export class Largest<T> {
  readonly #capacity: number;
  readonly #entries: { key: number; item: T }[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get items(): T[] {
    return this.#entries.map(({ item }) => item);
  }

  /** @param make is called only if the item is kept */
  offer(key: number, make: () => T): void {
    const entries = this.#entries;
    if (entries.length === this.#capacity) {
      if (entries.length === 0 || !(key > entries[entries.length - 1].key)) return;
      entries.pop();
    }
    let at = entries.length;
    while (at > 0 && entries[at - 1].key < key) at--;
    entries.splice(at, 0, { key, item: make() });
  }
}
