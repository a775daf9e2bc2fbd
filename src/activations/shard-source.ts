/** Training batches and held-out rows from a folder of shards, in memory that does not depend on the folder's size. */
import { createHash } from 'node:crypto';
import { parseConfig } from '../core/config.ts';
import { InputError } from '../core/errors.ts';
import { BYTES_PER_ELEMENT, decodeFloats, type StorageDtype } from '../core/floats.ts';
import { gatherRows } from './gather.ts';
import { GroupCache } from './group-cache.ts';
import { heldOutSchema, trainingRows, type HeldOutOptions } from './held-out.ts';
import { readManifest, type Manifest } from './manifest.ts';
import type { Normalization } from './normalization.ts';
import { RowOrder } from './order.ts';
import { RowReader } from './row-reader.ts';
import { openShards } from './shard-file.ts';
import type { ActivationSource, RowOrigins, SourceIdentity } from './source.ts';

export interface ShardSourceOptions {
  /** Decides the order of training rows. */
  seed: number;
  heldOut?: Partial<HeldOutOptions>;
}

/** Bound of the buffer for held-out rows as stored. */
const HELD_OUT_BYTES = 4 * 2 ** 20;

export class ShardSource implements ActivationSource {
  readonly d: number;
  readonly trainRows: number;
  readonly heldOutRows: number;
  readonly normalization: Normalization = { kind: 'none' };
  readonly meanNorm: number;
  readonly identity: SourceIdentity;
  readonly #dtype: StorageDtype;
  readonly #reader: RowReader;
  readonly #order: RowOrder;
  readonly #groups: GroupCache;
  #heldOutBytes: Uint8Array<ArrayBuffer> | undefined;
  /** Calls run one after the other: they share buffers. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  private constructor(manifest: Manifest, reader: RowReader, trainRows: number, seed: number) {
    const { d, dtype } = manifest.identity;
    this.d = d;
    this.trainRows = trainRows;
    this.heldOutRows = manifest.counts.rows - trainRows;
    this.meanNorm = manifest.statistics.meanNorm;
    this.identity = describe(manifest, trainRows, seed);
    this.#dtype = dtype;
    this.#reader = reader;
    this.#order = new RowOrder(trainRows, d, seed);
    this.#groups = new GroupCache(this.#order, reader, d * BYTES_PER_ELEMENT[dtype]);
  }

  /**
   * Checks the manifest against the files' headers, and the checksums of the shards at the tail (to split documents);
   * other checksums are checked when the first rows of a shard are read.
   * @throws InputError for a folder that is damaged, unfinished or empty
   */
  static async open(folder: string, options: ShardSourceOptions): Promise<ShardSource> {
    const manifest = readManifest(folder);
    const { complete, counts } = manifest;
    if (!complete) {
      throw new InputError(`the harvest is not finished: ${counts.rows} rows so far`, {
        where: folder,
        hint: 'run the same harvest command again, it goes on where it stopped',
      });
    }
    if (counts.rows === 0) throw new InputError('the folder holds no activations', { where: folder });
    const shards = openShards(folder, manifest);
    const train = await trainingRows(
      manifest,
      shards,
      parseConfig(heldOutSchema, options.heldOut ?? {}, 'held-out split'),
    );
    return new ShardSource(manifest, new RowReader(shards), train, options.seed);
  }

  batch(index: number, out: Float32Array): Promise<void> {
    return this.#inTurn(async () => {
      const rows = this.#rowsIn(out);
      for (let done = 0; done < rows;) {
        const { epoch, group, offset } = this.#order.place(index * rows + done);
        const loaded = await this.#groups.get(epoch, group);
        const length = Math.min(rows - done, loaded.rows - offset);
        gatherRows(this.#dtype, loaded, offset, length, this.d, out, done);
        done += length;
      }
    });
  }

  heldOut(start: number, out: Float32Array, origins?: RowOrigins): Promise<number> {
    return this.#inTurn(async () => {
      const rows = Math.max(0, Math.min(this.#rowsIn(out), this.heldOutRows - start));
      const rowBytes = this.d * BYTES_PER_ELEMENT[this.#dtype];
      const step = Math.max(1, Math.floor(HELD_OUT_BYTES / rowBytes));
      const bytes = (this.#heldOutBytes ??= new Uint8Array(step * rowBytes));
      for (let done = 0; done < rows; done += step) {
        const length = Math.min(step, rows - done);
        await this.#reader.readRows(this.trainRows + start + done, length, bytes);
        decodeFloats(this.#dtype, bytes, 0, length * this.d, out, done * this.d);
      }
      if (origins) await this.#reader.readOrigins(this.trainRows + start, rows, origins);
      return rows;
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
    await this.#groups.close();
  }

  #rowsIn(out: Float32Array): number {
    const rows = out.length / this.d;
    if (!Number.isInteger(rows)) throw new RangeError(`${out.length} elements for rows of ${this.d}`);
    return rows;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new RangeError('the source is closed');
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

function describe({ identity, counts, shards }: Manifest, trainRows: number, seed: number): SourceIdentity {
  const data = [identity.d, identity.dtype, shards.map(({ rows, sha256 }) => [rows, sha256])];
  const hash = createHash('sha256')
    .update(JSON.stringify([data, trainRows, seed]))
    .digest('hex');
  const { model, layer, tensor, d, dtype, context } = identity;
  return {
    kind: 'shards',
    hash,
    description: {
      model,
      layer,
      tensor,
      d,
      dtype,
      context,
      rows: counts.rows,
      documents: counts.documents,
      trainRows,
      heldOutRows: counts.rows - trainRows,
      seed,
    },
  };
}
