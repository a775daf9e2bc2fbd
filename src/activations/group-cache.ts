/** The two groups of rows that training holds in memory: the one it draws from and the next, read in the background. */
import type { Permutation } from '../core/permutation.ts';
import { BLOCK_ROWS, type RowOrder } from './order.ts';
import type { RowReader } from './row-reader.ts';

export interface Group {
  readonly epoch: number;
  readonly group: number;
  readonly rows: number;
  /** Stored values of the group's blocks, end to end. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Order in which the rows are visited. */
  readonly within: Permutation;
}

interface Slot {
  epoch: number;
  group: number;
  bytes: Uint8Array<ArrayBuffer>;
  ready: Promise<Group>;
}

export class GroupCache {
  readonly #order: RowOrder;
  readonly #reader: RowReader;
  readonly #rowBytes: number;
  #current: Slot | undefined;
  #other: Slot | undefined;

  constructor(order: RowOrder, reader: RowReader, rowBytes: number) {
    this.#order = order;
    this.#reader = reader;
    this.#rowBytes = rowBytes;
  }

  /**
   * The rows of a group; starts to read the one after it. Valid until the next call, which must not come before this
   * one has returned.
   */
  async get(epoch: number, group: number): Promise<Group> {
    if (!holds(this.#current, epoch, group)) {
      // Keep the group read in advance; if that is not the wanted one, its buffer is as good as the other.
      [this.#current, this.#other] = [this.#other, this.#current];
      if (!holds(this.#current, epoch, group)) this.#current = await this.#load(this.#current, epoch, group);
    }
    const current = this.#current!;
    try {
      const result = await current.ready;
      await this.#prefetch(epoch, group);
      return result;
    } catch (error) {
      // Forget the failed read, so that another call reads again.
      current.group = -1;
      throw error;
    }
  }

  /** Waits for reads under way. */
  async close(): Promise<void> {
    await Promise.allSettled([this.#current?.ready, this.#other?.ready]);
  }

  async #prefetch(epoch: number, group: number): Promise<void> {
    const last = group + 1 === this.#order.groups;
    const next = last ? ([epoch + 1, 0] as const) : ([epoch, group + 1] as const);
    if (!holds(this.#other, ...next)) this.#other = await this.#load(this.#other, ...next);
  }

  /** Starts to read a group into the buffer of `old`, once no other read fills it. */
  async #load(old: Slot | undefined, epoch: number, group: number): Promise<Slot> {
    await old?.ready.catch(() => undefined);
    const bytes = old?.bytes ?? new Uint8Array(this.#order.groupRows * this.#rowBytes);
    const ready = this.#read(epoch, group, bytes);
    // A failure is reported by the call that asks for this group, if one ever does.
    ready.catch(() => undefined);
    return { epoch, group, bytes, ready };
  }

  async #read(epoch: number, group: number, bytes: Uint8Array<ArrayBuffer>): Promise<Group> {
    const { rows } = this.#order;
    const blocks = this.#order.blocksOf(epoch, group);
    await this.#reader.readBlocks(
      blocks.map((first) => [first, Math.min(BLOCK_ROWS, rows - first)] as const),
      bytes,
    );
    return {
      epoch,
      group,
      rows: this.#order.rowsOf(epoch, group),
      bytes,
      within: this.#order.within(epoch, group),
    };
  }
}

function holds(slot: Slot | undefined, epoch: number, group: number): boolean {
  return slot !== undefined && slot.epoch === epoch && slot.group === group;
}
