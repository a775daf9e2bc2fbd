/** Files that are either there completely or not at all. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { InputError, OutputError, hasErrorCode } from './errors.ts';

const TEMPORARY = /^\..*\.[0-9a-f]{8}\.tmp$/;

/**
 * Writes a file through a temporary one: write, fsync, rename, fsync the folder.
 * A crash at any moment leaves the old file or the new one, never a part.
 * @throws OutputError when the disk is full or the folder cannot be written; the old file is untouched
 */
export function writeFileAtomic(path: string, chunks: string | Uint8Array | Iterable<Uint8Array>): void {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString('hex')}.tmp`);
  let fd: number | undefined;
  try {
    fd = openSync(temporary, 'wx');
    const parts = typeof chunks === 'string' ? [Buffer.from(chunks)] : chunks instanceof Uint8Array ? [chunks] : chunks;
    for (const part of parts) writeFully(fd, part);
    fsyncSync(fd);
    closeSync(fd);
    fd = undefined;
    renameSync(temporary, path);
    syncFolder(dirname(path));
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    rmSync(temporary, { force: true });
    throw outputError(path, error);
  }
}

/** Node refuses to read or write more than 2 GiB − 1 bytes in one call. */
export const MAX_IO_BYTES = 2 ** 30;

/** Writes all of `bytes` at the file's position. */
export function writeFully(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(fd, bytes, done, Math.min(bytes.length - done, MAX_IO_BYTES));
  }
}

/** Makes renames and new entries of a folder durable. */
export function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Turns a failure to write into an {@link OutputError} that says what to do; other errors pass through. */
export function outputError(path: string, error: unknown): unknown {
  if (hasErrorCode(error, 'ENOSPC', 'EDQUOT', 'EFBIG')) {
    return new OutputError('the disk is full: the file was not written and nothing else was changed', {
      where: path,
      hint: 'free some space and run the same command again (it goes on where it stopped), or choose another output folder',
      cause: error,
    });
  }
  if (hasErrorCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR', 'ENOENT')) {
    return new OutputError(`cannot write here (${(error as NodeJS.ErrnoException).code})`, {
      where: path,
      hint: 'choose a folder that exists and that you may write to',
      cause: error,
    });
  }
  return error;
}

/** Creates a folder with its parents. @throws OutputError */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw outputError(
      path,
      hasErrorCode(error, 'EEXIST') ? Object.assign(new Error('not a folder'), { code: 'ENOTDIR' }) : error,
    );
  }
}

/** Removes what an interrupted {@link writeFileAtomic} may have left in a folder. */
export function removeTemporaries(folder: string): void {
  for (const name of readdirSync(folder)) if (TEMPORARY.test(name)) rmSync(join(folder, name), { force: true });
}

/** Entries of a folder that are not leftovers of interrupted writes; empty when it does not exist. */
export function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => !TEMPORARY.test(name));
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return [];
    throw new InputError('not a readable folder', { where: folder, cause: error });
  }
}

/**
 * Reads a whole UTF-8 text file.
 * @throws InputError if it is missing, a folder, larger than `maxBytes`, or not valid UTF-8
 */
export function readTextFile(path: string, what: string, maxBytes = 256 * 2 ** 20): string {
  let bytes: Uint8Array;
  try {
    const { size } = statSync(path);
    if (size > maxBytes) {
      throw new InputError(`${what} is too large: ${size} bytes, at most ${maxBytes} expected`, { where: path });
    }
    bytes = readFileSync(path);
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(
      `cannot read ${what}: ${hasErrorCode(error, 'ENOENT') ? 'no such file' : String((error as Error).message)}`,
      {
        where: path,
        hint: 'check the path',
        cause: error,
      },
    );
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new InputError(`${what} is not valid UTF-8`, {
      where: path,
      hint: 'convert it, for example with iconv -t utf-8',
      cause: error,
    });
  }
}

/** Reads and parses a JSON file. @throws InputError */
export function readJsonFile(path: string, what: string): unknown {
  const text = readTextFile(path, what);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError(`${what} is not valid JSON: ${(error as Error).message}`, { where: path, cause: error });
  }
}

/** `12.3 MB` */
export function formatBytes(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}
