/** Sums of many items (pairs, families) by the unit that a bootstrap draws; only those that are not 0 are kept. */

/** Entries that are stored together while they come: a growing array would need half as much again while it is copied. */
const PIECE = 2 ** 14;

interface Piece {
  readonly item: Uint32Array;
  readonly unit: Uint32Array;
  /** `[PIECE, sums]` */
  readonly value: Float32Array;
}

/** All entries, item by item. */
interface ByItem {
  /** `[items + 1]`, those of item i are `ptr[i] … ptr[i + 1] − 1`, in the order in which they came. */
  readonly ptr: Uint32Array;
  readonly unit: Uint32Array;
  /** `[entries, sums]` */
  readonly value: Float32Array;
}

export class UnitSums {
  readonly items: number;
  /** Sums of each item. */
  readonly sums: number;
  #count = 0;
  #pieces: Piece[] = [];
  #byItem: ByItem | undefined;

  constructor(items: number, sums: number) {
    this.items = items;
    this.sums = sums;
  }

  /**
   * Before {@link weighted} is called.
   * @param from where the item's sums start in `values`
   */
  add(item: number, unit: number, values: Float64Array, from: number): void {
    if (this.#byItem) throw new Error('sums are complete once they were weighted');
    const { sums } = this;
    const at = this.#count++ % PIECE;
    if (at === 0) this.#pieces.push(newPiece(sums));
    const piece = this.#pieces[this.#pieces.length - 1];
    piece.item[at] = item;
    piece.unit[at] = unit;
    for (let k = 0; k < sums; k++) piece.value[at * sums + k] = values[from + k];
  }

  /** `[items, sums]` Σ over units of weight · sum. @param weights how often each unit was drawn */
  weighted(weights: Float64Array): Float64Array {
    const { items, sums } = this;
    const { ptr, unit, value } = (this.#byItem ??= this.#sortByItem());
    const totals = new Float64Array(items * sums);
    for (let i = 0; i < items; i++) {
      const [from, to] = [ptr[i], ptr[i + 1]];
      let k = 0;
      // Four sums at a time: each waits for its last addition, so that one alone would take nearly as long.
      for (; k + 4 <= sums; k += 4) {
        let [a, b, c, d] = [0, 0, 0, 0];
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

  #sortByItem(): ByItem {
    const { items, sums } = this;
    const ptr = new Uint32Array(items + 1);
    this.#eachPiece(({ item }, count) => {
      for (let e = 0; e < count; e++) ptr[item[e] + 1]++;
    });
    for (let i = 0; i < items; i++) ptr[i + 1] += ptr[i];
    const next = ptr.slice();
    const sorted = { ptr, unit: new Uint32Array(this.#count), value: new Float32Array(this.#count * sums) };
    this.#eachPiece(({ item, unit, value }, count) => {
      for (let e = 0; e < count; e++) {
        const to = next[item[e]]++;
        sorted.unit[to] = unit[e];
        for (let k = 0; k < sums; k++) sorted.value[to * sums + k] = value[e * sums + k];
      }
    });
    this.#pieces = [];
    return sorted;
  }

  #eachPiece(visit: (piece: Piece, count: number) => void): void {
    this.#pieces.forEach((piece, p) => visit(piece, Math.min(PIECE, this.#count - p * PIECE)));
  }
}

function newPiece(sums: number): Piece {
  return {
    item: new Uint32Array(PIECE),
    unit: new Uint32Array(PIECE),
    value: new Float32Array(PIECE * sums),
  };
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
