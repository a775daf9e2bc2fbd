/**
 * The cache folder, in the layout that it has for all of Hugging Face's tools, so that models are downloaded once:
 *
 *     models--owner--name/blobs/<digest>               contents
 *     models--owner--name/snapshots/<commit>/<path>    links to them
 *     models--owner--name/refs/<revision>              commit that a branch or tag pointed to
 *     .locks/models--owner--name/                      locks of those that write
 */
import { randomBytes } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import { getRepoFolderName, REGEX_COMMIT_HASH } from '@huggingface/hub';
import { hasErrorCode, OutputError } from '../../core/errors.ts';
import { makeFolder, outputError, writeFileAtomic } from '../../core/files.ts';
import { BusyError, FolderLock } from '../../core/lock.ts';
import { pause, type Patience } from './patience.ts';

/** How often a process that waits for another looks again. */
const LOOK_MS = 300;

export class RepoCache {
  /** Of this repository. */
  readonly folder: string;
  readonly #locks: string;

  constructor(cache: string, repo: string) {
    const name = getRepoFolderName({ type: 'model', name: repo });
    this.folder = join(cache, name);
    this.#locks = join(cache, '.locks', name);
  }

  /** Commit that a revision pointed to when it was last downloaded. */
  commit(revision: string): string | undefined {
    if (REGEX_COMMIT_HASH.test(revision)) return revision;
    try {
      const commit = readFileSync(this.#ref(revision), 'utf8').trim();
      return REGEX_COMMIT_HASH.test(commit) ? commit : undefined;
    } catch (error) {
      if (hasErrorCode(error, 'ENOENT', 'ENOTDIR', 'EISDIR')) return undefined;
      throw error;
    }
  }

  /** Remembers where a revision points to; a cache that cannot be written serves all the same. */
  remember(revision: string, commit: string): void {
    if (this.commit(revision) === commit) return;
    try {
      makeFolder(dirname(this.#ref(revision)));
      writeFileAtomic(this.#ref(revision), commit);
    } catch (error) {
      if (!(error instanceof OutputError)) throw error;
    }
  }

  /** Folder of a commit. */
  snapshot(commit: string): string {
    return join(this.folder, 'snapshots', commit);
  }

  /** Paths of the files and folders of a commit that are here. */
  paths(commit: string): string[] {
    const folder = this.snapshot(commit);
    if (!existsSync(folder)) return [];
    const entries = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    // Also false for links to a content that is gone.
    return entries.filter((path) => existsSync(join(folder, path))).map((path) => path.replaceAll(sep, '/'));
  }

  /** File of a content. */
  blob(digest: string): string {
    return join(this.folder, 'blobs', digest);
  }

  /** Puts a content into the folder of a commit: a link, or a copy where there are no links. */
  link(digest: string, commit: string, path: string): void {
    const target = join(this.snapshot(commit), path);
    const folder = dirname(target);
    const temporary = join(folder, `.${basename(target)}.${randomBytes(4).toString('hex')}.tmp`);
    try {
      mkdirSync(folder, { recursive: true });
      try {
        symlinkSync(relative(folder, this.blob(digest)), temporary);
      } catch (error) {
        // Windows without developer mode, and some network drives.
        if (!hasErrorCode(error, 'EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'UNKNOWN')) throw error;
        copyFileSync(this.blob(digest), temporary);
      }
      renameSync(temporary, target);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw outputError(target, error);
    }
  }

  /** Waits until no other process downloads this repository. @throws OutputError, InterruptedError */
  async lock({ signal, note }: Pick<Patience, 'signal' | 'note'>): Promise<FolderLock> {
    makeFolder(this.#locks);
    makeFolder(join(this.folder, 'blobs'));
    for (let looks = 0; ; looks++) {
      try {
        return FolderLock.acquire(this.#locks);
      } catch (error) {
        if (!(error instanceof BusyError)) throw error;
        if (looks === 0) note(`waiting for another download of this model: ${error.message}`);
        await pause(LOOK_MS, signal);
      }
    }
  }

  #ref(revision: string): string {
    return join(this.folder, 'refs', revision);
  }
}
