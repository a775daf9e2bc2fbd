/** How often pairs came together: a hash table of typed arrays, 12 bytes a slot. */

const EMPTY = 0;
/** Share of the slots that may be taken. */
const LOAD = 0.6;

export class PairCounts {
  #size = 0;
  #mask = 0;
  #first = new Uint32Array(0);
  #second = new Uint32Array(0);
  #count = new Uint32Array(0);

  constructor() {
    this.#allocate(1 << 12);
  }

  /** Number of different pairs. */
  get size(): number {
    return this.#size;
  }

  /** Adds one (or more) to a pair. */
  add(first: number, second: number, by = 1): void {
    const slot = this.#slotOf(first, second);
    if (this.#count[slot] === EMPTY) {
      if (this.#size + 1 > LOAD * (this.#mask + 1)) {
        this.#grow();
        this.add(first, second, by);
        return;
      }
      this.#first[slot] = first;
      this.#second[slot] = second;
      this.#size++;
    }
    this.#count[slot] += by;
  }

  get(first: number, second: number): number {
    return this.#count[this.#slotOf(first, second)];
  }

  forEach(visit: (first: number, second: number, count: number) => void): void {
    for (let slot = 0; slot <= this.#mask; slot++) {
      if (this.#count[slot] !== EMPTY) visit(this.#first[slot], this.#second[slot], this.#count[slot]);
    }
  }

  /** Forgets the other pairs. The table stays where it is: only what is kept is held twice for a moment. */
  keep(isKept: (first: number, second: number, count: number) => boolean): void {
    let kept = 0;
    this.forEach((first, second, count) => {
      if (isKept(first, second, count)) kept++;
    });
    const pairs = new Uint32Array(3 * kept);
    let at = 0;
    this.forEach((first, second, count) => {
      if (!isKept(first, second, count)) return;
      pairs[at++] = first;
      pairs[at++] = second;
      pairs[at++] = count;
    });
    this.#count.fill(EMPTY);
    this.#size = 0;
    for (at = 0; at < pairs.length; at += 3) this.add(pairs[at], pairs[at + 1], pairs[at + 2]);
  }

  #allocate(slots: number): void {
    this.#size = 0;
    this.#mask = slots - 1;
    this.#first = new Uint32Array(slots);
    this.#second = new Uint32Array(slots);
    this.#count = new Uint32Array(slots);
  }

  #grow(): void {
    const [first, second, count] = [this.#first, this.#second, this.#count];
    this.#allocate(2 * count.length);
    for (let slot = 0; slot < count.length; slot++) {
      if (count[slot] !== EMPTY) this.add(first[slot], second[slot], count[slot]);
    }
  }

  /** The slot of a pair, or the one that is free for it. */
  #slotOf(first: number, second: number): number {
    const [mask, firsts, seconds, counts] = [this.#mask, this.#first, this.#second, this.#count];
    let hash = Math.imul(first, 0x9e3779b1) ^ Math.imul(second, 0x85ebca77);
    hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae3d);
    let slot = (hash ^ (hash >>> 13)) & mask;
    while (counts[slot] !== EMPTY && (firsts[slot] !== first || seconds[slot] !== second)) slot = (slot + 1) & mask;
    return slot;
  }
}
