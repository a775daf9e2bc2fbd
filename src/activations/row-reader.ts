/** Rows of a folder by their number, whichever shards they lie in, as stored bytes. */
import { closeSync } from 'node:fs';
import { readColumn, readExactly, type ShardFile } from './shard-file.ts';
import type { RowOrigins } from './source.ts';

/** Shards that are open at a time: far below the usual limit of 1024 descriptors. */
const MAX_OPEN = 256;

/** Consecutive rows of one shard. */
interface Piece {
  shard: ShardFile;
  /** Row of the shard. */
  row: number;
  rows: number;
  /** Row of the result. */
  at: number;
}

export class RowReader {
  readonly #shards: readonly ShardFile[];
  /** First row of each shard, and the number of all rows. */
  readonly #starts: Float64Array;

  constructor(shards: readonly ShardFile[]) {
    this.#shards = shards;
    this.#starts = new Float64Array(shards.length + 1);
    for (const [i, { rows }] of shards.entries()) this.#starts[i + 1] = this.#starts[i] + rows;
  }

  /**
   * Reads blocks of rows and lays them end to end. All reads of up to 256 shards are under way at once: they proceed
   * on Node's I/O threads while this thread computes a training step.
   * @param blocks [firstRow, rows] each
   * @throws InputError for a shard that is missing or damaged
   */
  async readBlocks(blocks: Iterable<readonly [number, number]>, into: Uint8Array): Promise<void> {
    const byShard = new Map<ShardFile, Piece[]>();
    let at = 0;
    for (const [firstRow, rows] of blocks) {
      for (const piece of this.#pieces(firstRow, rows, at)) {
        const pieces = byShard.get(piece.shard);
        if (pieces) pieces.push(piece);
        else byShard.set(piece.shard, [piece]);
      }
      at += rows;
    }
    const all = [...byShard.values()];
    for (let first = 0; first < all.length; first += MAX_OPEN) {
      await readPieces(all.slice(first, first + MAX_OPEN), into);
    }
  }

  /** Reads rows [firstRow, firstRow + rows) of the activations. */
  readRows(firstRow: number, rows: number, into: Uint8Array): Promise<void> {
    return this.readBlocks([[firstRow, rows]], into);
  }

  /** Reads the columns of rows [firstRow, firstRow + rows). */
  async readOrigins(firstRow: number, rows: number, into: RowOrigins): Promise<void> {
    for (const { shard, row, rows: length, at } of this.#pieces(firstRow, rows, 0)) {
      const fd = await shard.open();
      try {
        for (const column of ['tokens', 'pos', 'doc'] as const) {
          await readColumn(fd, shard, column, row, into[column].subarray(at, at + length));
        }
      } finally {
        closeSync(fd);
      }
    }
  }

  *#pieces(firstRow: number, rows: number, at: number): Iterable<Piece> {
    const starts = this.#starts;
    let index = this.#shardOf(firstRow);
    for (let done = 0; done < rows; index++) {
      const row = firstRow + done - starts[index];
      const length = Math.min(rows - done, starts[index + 1] - starts[index] - row);
      yield { shard: this.#shards[index], row, rows: length, at: at + done };
      done += length;
    }
  }

  #shardOf(row: number): number {
    let low = 0;
    let high = this.#shards.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#starts[middle] <= row) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** @param groups the pieces of one shard each */
async function readPieces(groups: readonly (readonly Piece[])[], into: Uint8Array): Promise<void> {
  const open: number[] = [];
  try {
    for (const [{ shard }] of groups) open.push(await shard.open());
    const reads = groups.flatMap((pieces, i) =>
      pieces.map(({ shard, row, rows, at }) => {
        const { rowBytes, actsBegin, path } = shard;
        return readExactly(open[i], into, at * rowBytes, rows * rowBytes, actsBegin + row * rowBytes, path);
      }),
    );
    // All of them, even after a failure: no file may be closed and no buffer reused while a read is under way.
    for (const result of await Promise.allSettled(reads)) if (result.status === 'rejected') throw result.reason;
  } finally {
    for (const fd of open) closeSync(fd);
  }
}
