/** One file of the Hub on its way into the cache: resumed, checked, and there completely or not at all. */
import { createHash, type Hash } from 'node:crypto';
import { closeSync, createReadStream, fsyncSync, ftruncateSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { InputError } from '../../core/errors.ts';
import { outputError, syncFolder, writeFully } from '../../core/files.ts';
import type { HubClient, HubFile } from './client.ts';
import { PassingFailure } from './patience.ts';

/** Whether a file is there and has the size that the Hub states. */
export function hasSize(path: string, file: HubFile): boolean {
  return statSync(path, { throwIfNoEntry: false })?.size === file.size;
}

/** Whether a file has the size and the digest that the Hub states. */
export async function isIntact(path: string, file: HubFile): Promise<boolean> {
  return hasSize(path, file) && (await hashed(path, newHash(file))).digest('hex') === file.digest;
}

/** Bytes of an earlier, interrupted download. */
export function bytesKept(blob: string, file: HubFile): number {
  const size = statSync(partOf(blob), { throwIfNoEntry: false })?.size ?? 0;
  return size > file.size ? 0 : size;
}

/**
 * Downloads a file, or the rest of it.
 * @param blob where to put it; only a complete and checked file gets this name
 * @param onBytes called with the size that the file has reached
 * @throws InputError if the checksum is wrong, HubUnreachable, InterruptedError, OutputError
 */
export async function download(
  client: HubClient,
  commit: string,
  file: HubFile,
  blob: string,
  onBytes: (size: number) => void,
): Promise<void> {
  for (let pass = 1; ; pass++) {
    const part = await Part.open(partOf(blob), file);
    let isPatched = part.size > 0;
    try {
      await client.persist(
        async (watchdog) => {
          if (part.size === file.size) return;
          const response = await client.open(commit, file.path, part.size, watchdog.signal);
          if (part.size > 0 && !continuesAt(response, part.size)) {
            part.restart();
            if (response.status !== 200) throw new PassingFailure('it does not go on where the file stopped');
          }
          isPatched ||= part.size > 0;
          for await (const chunk of response.body ?? []) {
            watchdog.heard();
            part.append(chunk);
            onBytes(part.size);
            if (part.size > file.size) return;
          }
          if (part.size < file.size) throw new PassingFailure('the connection was closed too early');
        },
        () => part.size,
      );
      if (part.size === file.size && part.digest() === file.digest) {
        part.moveTo(blob);
        return;
      }
      part.remove();
    } finally {
      part.close();
    }
    // It may be the fault of a piece that was kept: then, once, all of it again.
    if (isPatched && pass === 1) continue;
    throw new InputError(`${file.path} does not have the checksum that the Hub states: it was deleted`, {
      where: blob,
      hint: 'run the same command again; if it happens again, a mirror or proxy in between changes files',
    });
  }
}

const partOf = (blob: string): string => `${blob}.saeforest.incomplete`;

/** A file that grows, and its hash. */
class Part {
  readonly #path: string;
  readonly #file: HubFile;
  readonly #fd: number;
  #hash: Hash;
  #size: number;

  private constructor(path: string, file: HubFile, fd: number, hash: Hash, size: number) {
    this.#path = path;
    this.#file = file;
    this.#fd = fd;
    this.#hash = hash;
    this.#size = size;
  }

  static async open(path: string, file: HubFile): Promise<Part> {
    let fd: number;
    try {
      fd = openSync(path, 'a');
    } catch (error) {
      throw outputError(path, error);
    }
    const part = new Part(path, file, fd, await hashed(path, newHash(file)), statSync(path).size);
    if (part.size > file.size) part.restart();
    return part;
  }

  get size(): number {
    return this.#size;
  }

  append(bytes: Uint8Array): void {
    try {
      writeFully(this.#fd, bytes);
    } catch (error) {
      throw outputError(this.#path, error);
    }
    this.#hash.update(bytes);
    this.#size += bytes.length;
  }

  restart(): void {
    ftruncateSync(this.#fd, 0);
    this.#hash = newHash(this.#file);
    this.#size = 0;
  }

  digest(): string {
    return this.#hash.digest('hex');
  }

  moveTo(path: string): void {
    try {
      fsyncSync(this.#fd);
      renameSync(this.#path, path);
      syncFolder(dirname(path));
    } catch (error) {
      throw outputError(path, error);
    }
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Git hashes a header with the size before the content. */
function newHash({ algorithm, size }: HubFile): Hash {
  return algorithm === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);
}

async function hashed(path: string, hash: Hash): Promise<Hash> {
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(chunk as Buffer);
  return hash;
}

/** Whether the response holds the rest of the file from a byte on. */
function continuesAt({ status, headers }: Response, from: number): boolean {
  return status === 206 && headers.get('content-range')?.startsWith(`bytes ${from}-`) === true;
}
