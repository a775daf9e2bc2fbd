/**
 * The order in which training visits the rows of a folder: a pure function of (seed, position), nothing is stored.
 *
 * A uniform permutation of rows would cost one disk read per row. Here rows are read 64 at a time: the blocks of 64
 * consecutive rows are permuted, consecutive blocks of that order form groups that fit into memory, and inside a group
 * rows are permuted again. A batch is then a random sample of a group, and a group comes from hundreds of random places
 * of the corpus (a group of 192-element rows from 682, one of 768-element rows from 170). Every epoch visits every row
 * exactly once.
 */
import { Permutation } from '../core/permutation.ts';
import { Random } from '../core/random.ts';

/** Consecutive rows that are read together. */
export const BLOCK_ROWS = 64;

/** Bound of a group as float32. */
const GROUP_BYTES = 32 * 2 ** 20;

/** Where a position of the stream falls. */
export interface StreamPlace {
  epoch: number;
  group: number;
  /** Row of the group's order. */
  offset: number;
}

interface EpochOrder {
  readonly epoch: number;
  readonly order: Permutation;
  /** The group that holds the folder's last block, which may be short. */
  readonly raggedGroup: number;
}

export class RowOrder {
  /** Rows per epoch. */
  readonly rows: number;
  readonly groups: number;
  /** Rows of a group at most. */
  readonly groupRows: number;
  readonly #seed: number;
  readonly #blocks: number;
  readonly #blocksPerGroup: number;
  /** Rows that the last block of the folder lacks. */
  readonly #missing: number;
  #current: EpochOrder | undefined;

  /** @param rows [0, rows) of the folder, at least 1; @param d width of a row */
  constructor(rows: number, d: number, seed: number) {
    if (!(rows >= 1)) throw new RangeError(`order of ${rows} rows`);
    this.rows = rows;
    this.#seed = seed;
    this.#blocks = Math.ceil(rows / BLOCK_ROWS);
    this.#missing = this.#blocks * BLOCK_ROWS - rows;
    const most = Math.max(1, Math.floor(GROUP_BYTES / (4 * d * BLOCK_ROWS)));
    // Groups of equal size: a short last one would give batches from few places.
    this.#blocksPerGroup = Math.ceil(this.#blocks / Math.ceil(this.#blocks / most));
    this.groups = Math.ceil(this.#blocks / this.#blocksPerGroup);
    this.groupRows = this.#blocksPerGroup * BLOCK_ROWS;
  }

  /** @param position in the endless stream of epochs */
  place(position: number): StreamPlace {
    const epoch = Math.floor(position / this.rows);
    const row = position - epoch * this.rows;
    let group = Math.floor(row / this.groupRows);
    if (group + 1 < this.groups && row >= this.#groupStart(epoch, group + 1)) group++;
    return { epoch, group, offset: row - this.#groupStart(epoch, group) };
  }

  /** Rows of a group: `groupRows`, fewer where the ragged block or the end of the epoch falls into it. */
  rowsOf(epoch: number, group: number): number {
    const end = group + 1 < this.groups ? this.#groupStart(epoch, group + 1) : this.rows;
    return end - this.#groupStart(epoch, group);
  }

  /** First rows of the group's blocks, in the order in which they lie in the group; a block ends after 64 rows or at `rows`. */
  blocksOf(epoch: number, group: number): number[] {
    const { order } = this.#epoch(epoch);
    const first = group * this.#blocksPerGroup;
    const length = Math.min(this.#blocksPerGroup, this.#blocks - first);
    return Array.from({ length }, (_, i) => order.at(first + i) * BLOCK_ROWS);
  }

  /** The order inside a group: the i-th row that is visited lies at `at(i)` of the group's blocks laid end to end. */
  within(epoch: number, group: number): Permutation {
    return new Permutation(this.rowsOf(epoch, group), new Random(this.#seed, 'rows', epoch, group));
  }

  #groupStart(epoch: number, group: number): number {
    return group * this.groupRows - (group > this.#epoch(epoch).raggedGroup ? this.#missing : 0);
  }

  #epoch(epoch: number): EpochOrder {
    if (this.#current?.epoch === epoch) return this.#current;
    const order = new Permutation(this.#blocks, new Random(this.#seed, 'blocks', epoch));
    const raggedGroup = Math.floor(order.indexOf(this.#blocks - 1) / this.#blocksPerGroup);
    return (this.#current = { epoch, order, raggedGroup });
  }
}
