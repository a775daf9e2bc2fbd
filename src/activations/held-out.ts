/**
 * The split into training and validation rows. Validation is the tail of the folder: the harvest shuffles documents, so
 * the last ones are a uniform sample, and the boundary is one number. Whole documents only: neighbouring tokens are too
 * alike for a document to be on both sides.
 */
import { closeSync } from 'node:fs';
import { z } from 'zod';
import { InputError } from '../core/errors.ts';
import type { Manifest } from './manifest.ts';
import { readColumn, type ShardFile } from './shard-file.ts';

export const heldOutSchema = z.strictObject({
  /** Fraction of the rows, at most; 0 holds nothing out. */
  fraction: z.number().min(0).max(0.9).default(0.05),
  /** Rows at most. */
  maxRows: z.number().int().positive().default(100_000),
});
export type HeldOutOptions = z.infer<typeof heldOutSchema>;

/**
 * First held-out row: the earliest start of a document from which both bounds hold. If the last document alone exceeds
 * them it is held out all the same, so that validation exists; with one document in all nothing is held out.
 * Reads the `doc` column of the last shards, one at a time.
 * @returns the number of training rows
 * @throws InputError if documents of a shard are not in order
 */
export async function trainingRows(
  manifest: Manifest,
  shards: readonly ShardFile[],
  { fraction, maxRows }: HeldOutOptions,
): Promise<number> {
  const { rows } = manifest.counts;
  if (fraction === 0) return rows;
  const wanted = Math.min(maxRows, Math.floor(rows * fraction));
  /** The earliest document start seen so far; `rows` while none was seen. */
  let start = rows;
  let firstRow = rows;
  for (let i = shards.length - 1; i >= 0; i--) {
    const docs = await readDocs(shards[i]);
    firstRow -= docs.length;
    for (let row = docs.length - 1; row >= 0; row--) {
      const before = row > 0 ? docs[row - 1] : i > 0 ? manifest.shards[i - 1].lastDoc : -1;
      if (before > docs[row]) {
        throw new InputError(`documents go backwards at row ${row}`, {
          where: shards[i].path,
          hint: 'harvest again: rows must be stored document by document',
        });
      }
      if (before === docs[row]) continue;
      const here = firstRow + row;
      if (here === 0) break;
      if (rows - here > wanted) return start === rows ? here : start;
      start = here;
    }
  }
  return start;
}

async function readDocs(shard: ShardFile): Promise<Int32Array> {
  const fd = await shard.open();
  try {
    const docs = new Int32Array(shard.rows);
    await readColumn(fd, shard, 'doc', 0, docs);
    return docs;
  } finally {
    closeSync(fd);
  }
}
