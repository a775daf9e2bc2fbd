/** Sums of many items (pairs, families) by the unit that a bootstrap draws; only those that are not 0 are kept. */

export class UnitSums {
  readonly items: number;
  /** Sums of each item. */
  readonly sums: number;
  /** `[items + 1]` where the room of each item begins, and `[items]` where what it has ends. */
  readonly #ptr: Uint32Array;
  readonly #end: Uint32Array;
  readonly #unit: Uint32Array;
  /** `[Σ room, sums]`; room that is not needed is never touched, and so takes no memory. */
  readonly #value: Float32Array;

  /** @param room `[items]` units in which each item has sums, at most */
  constructor(room: ArrayLike<number>, sums: number) {
    this.items = room.length;
    this.sums = sums;
    this.#ptr = new Uint32Array(this.items + 1);
    for (let i = 0; i < this.items; i++) this.#ptr[i + 1] = this.#ptr[i] + room[i];
    this.#end = this.#ptr.slice(0, this.items);
    this.#unit = new Uint32Array(this.#ptr[this.items]);
    this.#value = new Float32Array(this.#ptr[this.items] * sums);
  }

  /**
   * The sums of an item in a unit, once.
   * @param from where they start in `values`
   */
  add(item: number, unit: number, values: Float64Array, from: number): void {
    const { sums } = this;
    const at = this.#end[item]++;
    if (at >= this.#ptr[item + 1]) throw new RangeError(`item ${item} has sums in more units than there was room for`);
    this.#unit[at] = unit;
    for (let k = 0; k < sums; k++) this.#value[at * sums + k] = values[from + k];
  }

  /** `[items, sums]` Σ over units of weight · sum. @param weights how often each unit was drawn */
  weighted(weights: Float64Array): Float64Array {
    const { items, sums } = this;
    const [ptr, end, unit, value] = [this.#ptr, this.#end, this.#unit, this.#value];
    const totals = new Float64Array(items * sums);
    for (let i = 0; i < items; i++) {
      const [from, to] = [ptr[i], end[i]];
      let k = 0;
      // Four sums at a time: each waits for its last addition, so that one alone would take nearly as long.
      for (; k + 4 <= sums; k += 4) {
        let a = 0;
        let b = 0;
        let c = 0;
        let d = 0;
        for (let e = from, at = from * sums + k; e < to; e++, at += sums) {
          const weight = weights[unit[e]];
          a += weight * value[at];
          b += weight * value[at + 1];
          c += weight * value[at + 2];
          d += weight * value[at + 3];
        }
        const total = i * sums + k;
        totals[total] = a;
        totals[total + 1] = b;
        totals[total + 2] = c;
        totals[total + 3] = d;
      }
      for (; k < sums; k++) {
        let sum = 0;
        for (let e = from, at = from * sums + k; e < to; e++, at += sums) sum += weights[unit[e]] * value[at];
        totals[i * sums + k] = sum;
      }
    }
    return totals;
  }
}

/** Collects the sums of one unit after another. */
export class UnitAccumulator {
  readonly result: UnitSums;
  /** `[items, sums]` of the current unit. */
  readonly current: Float64Array;
  readonly #isTouched: Uint8Array;
  #touched: number[] = [];

  /** @param room see {@link UnitSums} */
  constructor(room: ArrayLike<number>, sums: number) {
    this.result = new UnitSums(room, sums);
    this.current = new Float64Array(room.length * sums);
    this.#isTouched = new Uint8Array(room.length);
  }

  /** @returns where the item's sums start in {@link current}, to be added to */
  at(item: number): number {
    if (this.#isTouched[item] === 0) {
      this.#isTouched[item] = 1;
      this.#touched.push(item);
    }
    return item * this.result.sums;
  }

  close(unit: number): void {
    const { sums } = this.result;
    for (const item of this.#touched) {
      this.result.add(item, unit, this.current, item * sums);
      this.current.fill(0, item * sums, (item + 1) * sums);
      this.#isTouched[item] = 0;
    }
    this.#touched = [];
  }
}

/** Units of some rows: those of `unitOf`, or all rows are one. */
export function unitCount(unitOf: Int32Array | undefined): number {
  return unitOf === undefined || unitOf.length === 0 ? 1 : unitOf[unitOf.length - 1] + 1;
}
