/** What the bootstrap resamples. Tokens of one document are alike, so a document is drawn as a whole. */

export interface Units {
  readonly count: number;
  /** For definitions, e.g. `248 held-out documents`. */
  readonly label: string;
}

/** Neighbouring rows are one unit. Only where each begins is kept: memory does not grow with the number of rows. */
export class RowUnits implements Units {
  readonly label: string;
  /** First row of each, and where the last one ends. */
  readonly #edges: Float64Array;
  /** The unit that was asked for last: the next row is mostly of the same. */
  #last = 0;

  /** @param starts first row of each, ascending, the first is 0 */
  constructor(starts: readonly number[], rows: number, label: string) {
    this.#edges = Float64Array.from({ length: starts.length + 1 }, (_, unit) => starts[unit] ?? rows);
    this.label = label;
  }

  get count(): number {
    return this.#edges.length - 1;
  }

  /** Rows of each. */
  get sizes(): Float64Array {
    return Float64Array.from({ length: this.count }, (_, unit) => this.#edges[unit + 1] - this.#edges[unit]);
  }

  /** Number of the unit of a row, which exists. */
  of(row: number): number {
    const edges = this.#edges;
    if (row >= edges[this.#last] && row < edges[this.#last + 1]) return this.#last;
    let [low, high] = [0, edges.length - 2];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (edges[middle] <= row) low = middle;
      else high = middle - 1;
    }
    return (this.#last = low);
  }

  /** The unit of each of the first rows. */
  first(rows: number): Int32Array {
    const units = new Int32Array(rows);
    for (let unit = 0; unit < this.count; unit++) units.fill(unit, this.#edges[unit], this.#edges[unit + 1]);
    return units;
  }

  /** Neighbours joined, `each` at a time. */
  joined(each: number, label: string): RowUnits {
    const starts = Array.from(this.#edges.subarray(0, this.count)).filter((_, unit) => unit % each === 0);
    return new RowUnits(starts, this.#edges[this.count], label);
  }
}

/** More units cost time and change no interval; the documents of a harvest are shuffled, so neighbours may be joined. */
const MAX_UNITS = 1000;

/** Independent rows are resampled in blocks of this many. */
const BLOCK_ROWS = 100;

/** Documents whose first rows are kept at most; of more, every second, fourth … is: groups are made of whole steps then. */
const MAX_STARTS = 2 ** 17;

/** Told the documents of all rows in their order, piece by piece. */
export class DocumentUnits {
  readonly #mostStarts: number;
  #starts: number[] = [];
  #step = 1;
  #documents = 0;
  #rows = 0;
  #last = -1;

  constructor(mostStarts = MAX_STARTS) {
    this.#mostStarts = mostStarts;
  }

  /** @param doc document of each row, those of one are neighbours */
  add(doc: ArrayLike<number>): void {
    for (let i = 0; i < doc.length; i++, this.#rows++) {
      if (this.#rows > 0 && doc[i] === this.#last) continue;
      this.#last = doc[i];
      if (this.#documents++ % this.#step !== 0) continue;
      if (this.#starts.length === this.#mostStarts) this.#thin();
      if ((this.#documents - 1) % this.#step === 0) this.#starts.push(this.#rows);
    }
  }

  #thin(): void {
    this.#starts = this.#starts.filter((_, i) => i % 2 === 0);
    this.#step *= 2;
  }

  finish(): RowUnits {
    const documents = this.#documents;
    const steps = Math.max(1, Math.ceil(documents / (MAX_UNITS * this.#step)));
    const perUnit = steps * this.#step;
    const label =
      perUnit === 1
        ? `${documents} held-out documents`
        : `${Math.ceil(documents / perUnit)} groups of ${perUnit} neighbouring held-out documents`;
    return new RowUnits(this.#starts, this.#rows, label).joined(steps, label);
  }
}

/** @param doc document of each row, in ascending order */
export function documentUnits(doc: ArrayLike<number>): RowUnits {
  const units = new DocumentUnits();
  units.add(doc);
  return units.finish();
}

/** For generated rows, which are independent of each other. */
export function blockUnits(rows: number): RowUnits {
  const size = Math.max(BLOCK_ROWS, Math.ceil(rows / MAX_UNITS));
  const starts = Array.from({ length: Math.ceil(rows / size) }, (_, block) => block * size);
  const label = `${starts.length} blocks of ${size} held-out rows (generated rows belong to no document)`;
  return new RowUnits(starts, rows, label);
}
