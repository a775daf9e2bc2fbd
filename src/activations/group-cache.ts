/** The two groups of rows that training holds in memory: the one it draws from and the next, read in the background. */
import type { Permutation } from '../core/permutation.ts';
import { DoubleBuffer } from './double-buffer.ts';
import { BLOCK_ROWS, type RowOrder } from './order.ts';
import type { RowReader } from './row-reader.ts';

export interface Group {
  readonly rows: number;
  /** Stored values of the group's blocks, end to end. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Order in which the rows are visited. */
  readonly within: Permutation;
}

export class GroupCache {
  readonly #order: RowOrder;
  readonly #reader: RowReader;
  readonly #groups: DoubleBuffer<Uint8Array<ArrayBuffer>, Group>;

  constructor(order: RowOrder, reader: RowReader, rowBytes: number) {
    this.#order = order;
    this.#reader = reader;
    this.#groups = new DoubleBuffer(
      () => new Uint8Array(order.groupRows * rowBytes),
      (index, bytes) => this.#read(Math.floor(index / order.groups), index % order.groups, bytes),
    );
  }

  /** The rows of a group, as {@link DoubleBuffer.get}. */
  get(epoch: number, group: number): Promise<Group> {
    return this.#groups.get(epoch * this.#order.groups + group);
  }

  /** Waits for reads under way. */
  close(): Promise<void> {
    return this.#groups.close();
  }

  async #read(epoch: number, group: number, bytes: Uint8Array<ArrayBuffer>): Promise<Group> {
    const { rows } = this.#order;
    const blocks = this.#order.blocksOf(epoch, group);
    await this.#reader.readBlocks(
      blocks.map((first) => [first, Math.min(BLOCK_ROWS, rows - first)] as const),
      bytes,
    );
    return { rows: this.#order.rowsOf(epoch, group), bytes, within: this.#order.within(epoch, group) };
  }
}
