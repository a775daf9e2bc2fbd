/** One writer per folder: a lock file that names its process, and outlives it harmlessly. */
import { randomBytes } from 'node:crypto';
import { closeSync, linkSync, openSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { OutputError, hasErrorCode } from './errors.ts';
import { outputError, writeFully } from './files.ts';

export const LOCK_FILE = '.saeforest.lock';

const ownerSchema = z.object({
  pid: z.number().int().positive(),
  host: z.string(),
  /** When the lock was taken, ISO 8601. */
  started: z.string(),
  /** Start of the process in the kernel's clock, null where unknown: tells a process from a later one with its pid. */
  processStart: z.string().nullable(),
  token: z.string(),
});
type Owner = z.infer<typeof ownerSchema>;

/** A lock file younger than this without readable content is being written right now. */
const GRACE_MS = 10_000;

/** Folders locked by this process, by absolute path. */
const held = new Set<string>();

/** Another process holds the lock. */
export class BusyError extends OutputError {}

export class FolderLock {
  readonly #path: string;
  readonly #token: string;

  private constructor(path: string, token: string) {
    this.#path = path;
    this.#token = token;
  }

  /**
   * Locks an existing folder. The lock of a process that no longer lives on this host is taken over.
   * @throws BusyError naming the process that holds the lock
   * @throws OutputError when the folder cannot be written
   */
  static acquire(folder: string): FolderLock {
    const path = join(resolve(folder), LOCK_FILE);
    const token = randomBytes(8).toString('hex');
    if (!create(path, token)) {
      const text = readLock(path);
      const owner = parseOwner(text);
      if (isAlive(owner, path)) throw busy(path, owner);
      removeStale(path, text);
      if (!create(path, token)) throw busy(path, parseOwner(readLock(path)));
    }
    held.add(path);
    return new FolderLock(path, token);
  }

  /** Gives the folder back; safe to call twice. */
  release(): void {
    held.delete(this.#path);
    if (parseOwner(readLock(this.#path))?.token === this.#token) rmSync(this.#path, { force: true });
  }
}

/** @returns false if the file exists */
function create(path: string, token: string): boolean {
  const owner: Owner = {
    pid: process.pid,
    host: hostname(),
    started: new Date().toISOString(),
    processStart: processStart(process.pid),
    token,
  };
  let fd: number;
  try {
    fd = openSync(path, 'wx');
  } catch (error) {
    if (hasErrorCode(error, 'EEXIST')) return false;
    throw outputError(path, error);
  }
  try {
    writeFully(fd, Buffer.from(`${JSON.stringify(owner)}\n`));
  } catch (error) {
    rmSync(path, { force: true });
    throw outputError(path, error);
  } finally {
    closeSync(fd);
  }
  return true;
}

function readLock(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    throw outputError(path, error);
  }
}

function parseOwner(text: string | undefined): Owner | undefined {
  try {
    return ownerSchema.safeParse(JSON.parse(text ?? 'null')).data;
  } catch {
    return undefined;
  }
}

function isAlive(owner: Owner | undefined, path: string): boolean {
  if (!owner) {
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0);
    return age < GRACE_MS;
  }
  if (owner.host !== hostname()) return true;
  if (owner.pid === process.pid) return held.has(path);
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if (hasErrorCode(error, 'ESRCH')) return false;
  }
  const start = processStart(owner.pid);
  return start === null || owner.processStart === null || start === owner.processStart;
}

/** Field 22 of /proc/PID/stat; null on systems without it. */
function processStart(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

/**
 * Removes the lock that was judged stale and no other: between the look and the removal a second process may have taken
 * it over, so the file is moved aside first and put back if it is not the one that was read.
 */
function removeStale(path: string, text: string | undefined): void {
  const aside = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return;
    throw outputError(path, error);
  }
  try {
    if (readLock(aside) !== text) linkSync(aside, path);
  } catch (error) {
    if (!hasErrorCode(error, 'EEXIST')) throw outputError(path, error);
  } finally {
    rmSync(aside, { force: true });
  }
}

function busy(path: string, owner: Owner | undefined): BusyError {
  const who = owner
    ? `process ${owner.pid}${owner.host === hostname() ? '' : ` on ${owner.host}`} since ${owner.started}`
    : 'a process that is just starting';
  return new BusyError(`the folder is in use by ${who}`, {
    where: path,
    hint: 'wait for it to finish, or choose another folder; if that process is gone, remove the lock file',
  });
}
