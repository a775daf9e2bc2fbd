/** One shard of a folder: its layout checked at once, its content the first time its rows are used. */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, read as readCallback } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { InputError } from '../core/errors.ts';
import { BYTES_PER_ELEMENT, type StorageDtype } from '../core/floats.ts';
import { SafetensorsFile } from '../formats/safetensors.ts';
import type { Manifest } from './manifest.ts';

const readAt = promisify(readCallback);

/** Bytes read at a time for the checksum. */
const CHUNK = 4 * 2 ** 20;

const HINT = 'harvest again, or restore the shard from where it was copied';

/** Every shard of a manifest. @throws InputError for the first that is missing or not what the manifest says */
export function openShards(folder: string, manifest: Manifest): ShardFile[] {
  return manifest.shards.map((_, index) => new ShardFile(folder, manifest, index));
}

export class ShardFile {
  readonly path: string;
  readonly rows: number;
  readonly rowBytes: number;
  /** File offsets of the tensors. */
  readonly actsBegin: number;
  readonly columnBegin: { readonly tokens: number; readonly pos: number; readonly doc: number };
  readonly #dtype: StorageDtype;
  readonly #sha256: string;
  readonly #size: number;
  /** Size and modification time of the content that was found good. */
  #verified = '';
  #verifying: Promise<void> | undefined;

  /** @throws InputError for a missing shard, or one that is not what the manifest says */
  constructor(folder: string, { identity: { d, dtype }, shards }: Manifest, index: number) {
    const { file: name, rows, sha256 } = shards[index];
    this.path = join(folder, name);
    this.rows = rows;
    this.rowBytes = d * BYTES_PER_ELEMENT[dtype];
    this.#dtype = dtype;
    this.#sha256 = sha256;
    const file = SafetensorsFile.open(this.path);
    try {
      this.#size = file.stamp.size;
      this.actsBegin = this.#begin(file, 'acts', dtype, [rows, d]);
      const column = (tensor: string): number => this.#begin(file, tensor, 'I32', [rows]);
      this.columnBegin = { tokens: column('tokens'), pos: column('pos'), doc: column('doc') };
    } finally {
      file.close();
    }
  }

  #begin(file: SafetensorsFile, name: string, dtype: string, shape: readonly number[]): number {
    const found = file.tensor(name);
    if (found.dtype !== dtype || found.shape.join() !== shape.join()) {
      throw new InputError(
        `${name} is ${found.dtype} [${found.shape.join(', ')}], the manifest says ${dtype} [${shape.join(', ')}]`,
        { where: this.path, hint: HINT },
      );
    }
    return found.begin;
  }

  /**
   * A descriptor of the file, checked against the manifest's checksum if this content has not been seen before.
   * The caller closes it.
   * @throws InputError for a wrong checksum or a value that is not finite
   */
  async open(): Promise<number> {
    for (;;) {
      const fd = this.#openNow();
      if (stampOf(fd) === this.#verified) return fd;
      closeSync(fd);
      this.#verifying ??= this.#verify().finally(() => (this.#verifying = undefined));
      await this.#verifying;
    }
  }

  #openNow(): number {
    try {
      return openSync(this.path, 'r');
    } catch (error) {
      throw new InputError(`cannot open the shard: ${(error as Error).message}`, {
        where: this.path,
        hint: HINT,
        cause: error,
      });
    }
  }

  async #verify(): Promise<void> {
    const fd = this.#openNow();
    try {
      const stamp = stampOf(fd);
      if (fstatSync(fd).size !== this.#size) {
        throw new InputError('the shard changed its size', { where: this.path, hint: HINT });
      }
      const hash = createHash('sha256');
      const rowsPerChunk = Math.max(1, Math.floor(CHUNK / this.rowBytes));
      const buffer = new Uint8Array(Math.max(CHUNK, this.rowBytes));
      const actsEnd = this.actsBegin + this.rows * this.rowBytes;
      let badElement = -1;
      for (let at = 0; at < this.#size;) {
        // Chunks of the activations begin with a row, so that their values are aligned in the buffer.
        const insideActs = at >= this.actsBegin && at < actsEnd;
        const limit = at < this.actsBegin ? this.actsBegin : insideActs ? actsEnd : this.#size;
        const length = Math.min(limit - at, insideActs ? rowsPerChunk * this.rowBytes : CHUNK);
        await readExactly(fd, buffer, 0, length, at, this.path);
        hash.update(buffer.subarray(0, length));
        if (insideActs && badElement < 0) {
          const bad = findNotFinite(this.#dtype, buffer, length);
          if (bad >= 0) badElement = (at - this.actsBegin) / BYTES_PER_ELEMENT[this.#dtype] + bad;
        }
        at += length;
      }
      if (hash.digest('hex') !== this.#sha256) {
        throw new InputError('wrong checksum: the shard is not the one that was harvested', {
          where: this.path,
          hint: HINT,
        });
      }
      if (badElement >= 0) {
        const row = Math.floor((badElement * BYTES_PER_ELEMENT[this.#dtype]) / this.rowBytes);
        throw new InputError(`row ${row} of the shard holds a value that is not finite`, {
          where: this.path,
          hint: 'harvest again; training on it would lose the model',
        });
      }
      this.#verified = stamp;
    } finally {
      closeSync(fd);
    }
  }
}

/** Fills `into` [at, at + length) from `position` of a file. @throws InputError if the file ends before */
export async function readExactly(
  fd: number,
  into: Uint8Array,
  at: number,
  length: number,
  position: number,
  path: string,
): Promise<void> {
  for (let done = 0; done < length;) {
    const { bytesRead } = await readAt(fd, into, at + done, length - done, position + done);
    if (bytesRead === 0)
      throw new InputError('the shard became shorter while it was read', { where: path, hint: HINT });
    done += bytesRead;
  }
}

/** Fills `into` with rows [firstRow, firstRow + into.length) of a column. */
export function readColumn(
  fd: number,
  shard: ShardFile,
  column: 'tokens' | 'pos' | 'doc',
  firstRow: number,
  into: Int32Array,
): Promise<void> {
  const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength);
  return readExactly(fd, bytes, 0, bytes.length, shard.columnBegin[column] + 4 * firstRow, shard.path);
}

function stampOf(fd: number): string {
  const { size, mtimeMs, ino } = fstatSync(fd);
  return `${size} ${mtimeMs} ${ino}`;
}

/** Index of the first stored value that is infinite or NaN (all exponent bits set); −1 if there is none. */
function findNotFinite(dtype: StorageDtype, bytes: Uint8Array<ArrayBuffer>, byteLength: number): number {
  const exponent = { F16: 0x7c00, BF16: 0x7f80, F32: 0x7f800000 }[dtype];
  const values =
    dtype === 'F32'
      ? new Uint32Array(bytes.buffer, 0, byteLength / 4)
      : new Uint16Array(bytes.buffer, 0, byteLength / 2);
  for (let i = 0; i < values.length; i++) if ((values[i] & exponent) === exponent) return i;
  return -1;
}
