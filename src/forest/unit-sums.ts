/** Sums of many items (pairs, families) by the unit that a bootstrap draws; only those that are not 0 are kept. */
import { grown } from '../core/arrays.ts';

export class UnitSums {
  readonly items: number;
  /** Sums of each item. */
  readonly sums: number;
  #count = 0;
  #item = new Uint32Array(1024);
  #unit = new Uint32Array(1024);
  #value = new Float32Array(1024);

  constructor(items: number, sums: number) {
    this.items = items;
    this.sums = sums;
  }

  /** @param from where the item's sums start in `values` */
  add(item: number, unit: number, values: Float64Array, from: number): void {
    const at = this.#count++;
    this.#item = grown(this.#item, this.#count);
    this.#unit = grown(this.#unit, this.#count);
    this.#value = grown(this.#value, this.#count * this.sums);
    this.#item[at] = item;
    this.#unit[at] = unit;
    for (let k = 0; k < this.sums; k++) this.#value[at * this.sums + k] = values[from + k];
  }

  /** `[items, sums]` Σ over units of weight · sum. @param weights how often each unit was drawn */
  weighted(weights: Float64Array): Float64Array {
    const totals = new Float64Array(this.items * this.sums);
    const { sums } = this;
    const [item, unit, value] = [this.#item, this.#unit, this.#value];
    for (let e = 0; e < this.#count; e++) {
      const weight = weights[unit[e]];
      if (weight === 0) continue;
      const at = item[e] * sums;
      for (let k = 0; k < sums; k++) totals[at + k] += weight * value[e * sums + k];
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

  constructor(items: number, sums: number) {
    this.result = new UnitSums(items, sums);
    this.current = new Float64Array(items * sums);
    this.#isTouched = new Uint8Array(items);
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
