/**
 * Writes a folder of activation shards that can be killed at any moment. The manifest names complete shards only and
 * carries the caller's progress of the same moment; what was appended after it is appended again on resume, so that
 * the finished folder has the same bytes however often the harvest was interrupted.
 */
import { createHash, type Hash } from 'node:crypto';
import { existsSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseConfig } from '../core/config.ts';
import { hasErrorCode, InputError } from '../core/errors.ts';
import { listFolder, makeFolder, removeTemporaries, writeFileAtomic } from '../core/files.ts';
import {
  BYTES_PER_ELEMENT,
  decodeFloats,
  encodeFloats,
  f16ToF32Table,
  MAX_BF16,
  MAX_F16,
  type StorageDtype,
} from '../core/floats.ts';
import { FolderLock, LOCK_FILE } from '../core/lock.ts';
import { safetensorsParts, type TensorData } from '../formats/safetensors.ts';
import {
  FORMAT,
  harvestIdentitySchema,
  identityDifferences,
  MANIFEST_FILE,
  readManifest,
  shardName,
  VERSION,
  writeManifest,
  type HarvestIdentity,
  type Manifest,
} from './manifest.ts';
import { RunningStatistics } from './running-statistics.ts';
import { openShards } from './shard-file.ts';
import type { Json } from './source.ts';

/** Whole sequences, in the order of their documents. */
export interface ActivationBatch {
  rows: number;
  /** [rows, d]; bits of binary16 for a folder of dtype F16, which are stored as they are. */
  acts: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;
  /** [rows] each; `doc` never decreases, neither here nor from batch to batch. */
  tokens: Int32Array;
  pos: Int32Array;
  doc: Int32Array;
  /** Sequences that the rows come from. */
  sequences: number;
}

const ROWS_AT_ONCE = 256;

const LARGEST = { F16: MAX_F16, BF16: MAX_BF16, F32: Number.MAX_VALUE } as const;

export class ShardWriter {
  readonly folder: string;
  readonly #lock: FolderLock;
  /** The folder did not exist before. */
  readonly #isNew: boolean;
  #isClosed = false;
  #manifest: Manifest;
  readonly #statistics: RunningStatistics;
  /** Batches of the shard that is being filled, encoded: at most `rowsPerShard` rows and one batch. */
  #pending: { acts: Uint8Array; tokens: Int32Array; pos: Int32Array; doc: Int32Array; rows: number }[] = [];
  #pendingRows = 0;
  #pendingDocuments = 0;
  #pendingSequences = 0;
  #progress: Json;
  #lastDoc: number;

  private constructor(folder: string, isNew: boolean, lock: FolderLock, manifest: Manifest) {
    this.folder = folder;
    this.#isNew = isNew;
    this.#lock = lock;
    this.#manifest = manifest;
    this.#statistics = new RunningStatistics(manifest.identity.d, manifest.statistics.sums);
    this.#progress = manifest.progress;
    this.#lastDoc = manifest.shards.at(-1)?.lastDoc ?? -1;
  }

  /**
   * Starts a folder or goes on with an interrupted one. Holds the folder's lock until {@link finish} or {@link close}.
   * @throws OutputError if another process writes here, or the folder cannot be written
   * @throws InputError if the folder is complete, holds another harvest or other files, or misses shards
   */
  static open(folder: string, identity: HarvestIdentity): ShardWriter {
    const wanted = parseConfig(harvestIdentitySchema, identity, 'description of the harvest');
    const isNew = !existsSync(folder);
    makeFolder(folder);
    const lock = FolderLock.acquire(folder);
    try {
      removeTemporaries(folder);
      const names = listFolder(folder).filter((name) => !name.startsWith(LOCK_FILE));
      const manifest = names.includes(MANIFEST_FILE) ? resume(folder, wanted, names) : start(folder, wanted, names);
      return new ShardWriter(folder, isNew, lock, manifest);
    } catch (error) {
      lock.release();
      if (isNew) removeIfEmpty(folder);
      throw error;
    }
  }

  /** What was passed to the last {@link append} of the last complete shard; null for a new folder. */
  get progress(): Json {
    return this.#manifest.progress;
  }

  /** Rows in complete shards: where {@link progress} stands. */
  get storedRows(): number {
    return this.#manifest.counts.rows;
  }

  /** Rows appended, in this process and before. */
  get rows(): number {
    return this.storedRows + this.#pendingRows;
  }

  /**
   * Adds a batch and closes the shard if it is full. Bits of binary16 are not copied: they must not change any more.
   * @param progress where to go on after this batch
   * @throws InputError for a value that is not finite or does not fit the dtype, naming row and document
   * @throws OutputError when the shard cannot be written; the folder is then as after the shard before
   */
  append(batch: ActivationBatch, progress: Json): void {
    const { d, dtype, rowsPerShard } = this.#manifest.identity;
    const { rows } = batch;
    this.#check(batch);
    if (rows > 0) {
      for (let row = 0; row < rows; row++) {
        if (batch.doc[row] !== this.#lastDoc) this.#pendingDocuments++;
        this.#lastDoc = batch.doc[row];
      }
      const values = batch.acts.subarray(0, rows * d);
      const acts = values instanceof Float32Array ? encodeFloats(dtype, values) : bytesOf(values);
      this.#addToStatistics(acts, rows);
      const column = (values: Int32Array): Int32Array => values.slice(0, rows);
      this.#pending.push({
        acts,
        tokens: column(batch.tokens),
        pos: column(batch.pos),
        doc: column(batch.doc),
        rows,
      });
      this.#pendingRows += rows;
    }
    this.#pendingSequences += batch.sequences;
    this.#progress = progress;
    if (this.#pendingRows >= rowsPerShard) this.#closeShard(false);
  }

  /** Writes the last shard, marks the folder complete and releases it. */
  finish(): Manifest {
    this.#closeShard(true);
    this.close();
    return this.#manifest;
  }

  /**
   * Releases the folder as it stands; rows of the unfinished shard are left to the next harvest. Without a single shard
   * the folder is left as it was found. Safe to call twice.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { complete, shards } = this.#manifest;
    const isKept = complete || shards.length > 0;
    if (!isKept) rmSync(join(this.folder, MANIFEST_FILE), { force: true });
    this.#lock.release();
    if (!isKept && this.#isNew) removeIfEmpty(this.folder);
  }

  /** Statistics are of the values as stored: decoded again, a few rows at a time, so that no second batch is held. */
  #addToStatistics(acts: Uint8Array, rows: number): void {
    const { d, dtype } = this.#manifest.identity;
    if (dtype === 'F16') {
      this.#statistics.addHalves(new Uint16Array(acts.buffer, acts.byteOffset, rows * d), rows);
      return;
    }
    const decoded = new Float32Array(Math.min(rows, ROWS_AT_ONCE) * d);
    for (let row = 0; row < rows; row += ROWS_AT_ONCE) {
      const count = Math.min(ROWS_AT_ONCE, rows - row);
      decodeFloats(dtype, acts, row * d * BYTES_PER_ELEMENT[dtype], count * d, decoded);
      this.#statistics.add(decoded, count);
    }
  }

  #closeShard(complete: boolean): void {
    const manifest = this.#manifest;
    const shards = [...manifest.shards];
    if (this.#pendingRows > 0) {
      const file = shardName(shards.length);
      const sha256 = this.#writeShard(join(this.folder, file));
      const firstDoc = this.#pending[0].doc[0];
      shards.push({ file, rows: this.#pendingRows, sha256, firstDoc, lastDoc: this.#lastDoc });
    }
    const counts = {
      rows: this.rows,
      documents: manifest.counts.documents + this.#pendingDocuments,
      sequences: manifest.counts.sequences + this.#pendingSequences,
    };
    const statistics = this.#statistics.describe(counts.rows);
    const next: Manifest = { ...manifest, complete, counts, statistics, shards, progress: this.#progress };
    writeManifest(this.folder, next);
    this.#manifest = next;
    this.#pending = [];
    this.#pendingRows = this.#pendingDocuments = this.#pendingSequences = 0;
  }

  /** @returns the SHA-256 of the file */
  #writeShard(path: string): string {
    const rows = this.#pendingRows;
    const { d, dtype } = this.#manifest.identity;
    const column = (name: 'tokens' | 'pos' | 'doc'): TensorData => ({
      dtype: 'I32',
      shape: [rows],
      data: this.#pending.map((batch) => batch[name]),
    });
    // Activations last: 2-byte values in front would leave the columns unaligned.
    const tensors = {
      tokens: column('tokens'),
      pos: column('pos'),
      doc: column('doc'),
      acts: { dtype, shape: [rows, d], data: this.#pending.map(({ acts }) => acts) },
    };
    const hash = createHash('sha256');
    writeFileAtomic(path, hashed(safetensorsParts(tensors), hash));
    return hash.digest('hex');
  }

  #check({ rows, acts, tokens, pos, doc, sequences }: ActivationBatch): void {
    const { d, dtype } = this.#manifest.identity;
    if (acts.length < rows * d || Math.min(tokens.length, pos.length, doc.length) < rows || sequences < 0) {
      throw new RangeError(`batch of ${rows} rows with ${acts.length} activations and ${tokens.length} tokens`);
    }
    if (acts instanceof Uint16Array && dtype !== 'F16') throw new RangeError(`binary16 for a folder of ${dtype}`);
    for (let row = 0, before = this.#lastDoc; row < rows; row++) {
      if (doc[row] < before) throw new RangeError(`document ${doc[row]} after document ${before}`);
      before = doc[row];
    }
    const i = acts instanceof Float32Array ? findAbove(acts, rows * d, LARGEST[dtype]) : findNotFinite(acts, rows * d);
    if (i < 0) return;
    const row = Math.floor(i / d);
    throw unstorable(
      acts instanceof Float32Array ? acts[i] : f16ToF32Table()[acts[i]],
      dtype,
      `row ${this.rows + row} (document ${doc[row]}, position ${pos[row]}, token ${tokens[row]}), element ${i % d}`,
      this.folder,
    );
  }
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Uint16Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Index of the first value whose magnitude is larger, or that is no number; −1 if there is none. */
function findAbove(values: Float32Array, length: number, largest: number): number {
  for (let i = 0; i < length; i++) if (!(Math.abs(values[i]) <= largest)) return i;
  return -1;
}

/** The same for infinities and NaN among bits of binary16. */
function findNotFinite(bits: Uint16Array, length: number): number {
  for (let i = 0; i < length; i++) if ((bits[i] & 0x7c00) === 0x7c00) return i;
  return -1;
}

function unstorable(value: number, dtype: StorageDtype, place: string, folder: string): InputError {
  // What is infinite in binary16 may have been finite before.
  if (!Number.isNaN(value) && (dtype === 'F16' || Number.isFinite(value))) {
    return new InputError(`an activation of ${nameOf(value)} does not fit into ${dtype}: ${place}`, {
      where: folder,
      hint: `harvest into a new folder with dtype ${dtype === 'F16' ? 'bf16 (same size, wider range)' : 'f32'}`,
    });
  }
  return new InputError(`the model gave ${value} at ${place}`, {
    where: folder,
    hint: 'this text overflows the model at this layer: use a float32 export of the model, or an earlier layer',
  });
}

const nameOf = (value: number): string => (Number.isFinite(value) ? String(value) : `more than ${MAX_F16}`);

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!hasErrorCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT')) throw error;
  }
}

function* hashed(parts: Iterable<Uint8Array>, hash: Hash): Iterable<Uint8Array> {
  for (const part of parts) {
    hash.update(part);
    yield part;
  }
}

function start(folder: string, identity: HarvestIdentity, names: readonly string[]): Manifest {
  if (names.length > 0) {
    throw new InputError(`the folder holds other files (${names.slice(0, 3).join(', ')}) and no manifest`, {
      where: folder,
      hint: 'choose an empty folder',
    });
  }
  const manifest: Manifest = {
    format: FORMAT,
    version: VERSION,
    identity,
    complete: false,
    counts: { rows: 0, documents: 0, sequences: 0 },
    statistics: new RunningStatistics(identity.d).describe(0),
    shards: [],
    progress: null,
  };
  writeManifest(folder, manifest);
  return manifest;
}

function resume(folder: string, wanted: HarvestIdentity, names: readonly string[]): Manifest {
  const manifest = readManifest(folder);
  const differences = identityDifferences(manifest.identity, wanted);
  if (differences.length > 0) {
    throw new InputError(`the folder holds another harvest:\n    ${differences.join('\n    ')}`, {
      where: folder,
      hint: 'choose another folder, or repeat the options of the first harvest to go on with it',
    });
  }
  if (manifest.complete) {
    throw new InputError(`the harvest is already complete: ${manifest.counts.rows} rows`, {
      where: folder,
      hint: 'use it as it is, or choose another folder',
    });
  }
  openShards(folder, manifest);
  // Shards that were written after the manifest: their rows are not in its sums, so they are harvested again.
  const known = new Set(manifest.shards.map(({ file }) => file));
  for (const name of names) {
    if (/^acts-\d{5,}\.safetensors$/.test(name) && !known.has(name)) rmSync(join(folder, name));
  }
  return manifest;
}
