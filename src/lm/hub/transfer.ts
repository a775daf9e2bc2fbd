/** The files of a model on their way into the cache. */
import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { InputError, OutputError } from '../../core/errors.ts';
import { formatBytes } from '../../core/files.ts';
import { externalLocations } from '../onnx/model-file.ts';
import { bytesKept, download, hasSize, isIntact } from './blob.ts';
import type { RepoCache } from './cache.ts';
import type { HubClient, HubFile } from './client.ts';
import { formatReference, type HubReference } from './reference.ts';
import { companions, externalPath, incompleteModel, looksExternal, chooseModel, noModel } from './selection.ts';

export interface HubProgress {
  /** Path in the repository. */
  readonly file: string;
  /** Bytes of it that are here, and in all. */
  readonly fileBytes: number;
  readonly fileSize: number;
  /** The same for all files of the model. */
  readonly bytes: number;
  readonly size: number;
  /** Bytes received since the start, and how long that took. */
  readonly received: number;
  readonly seconds: number;
}

export interface HubHooks {
  readonly signal?: AbortSignal;
  onProgress?(progress: HubProgress): void;
  /** A line for the reader: the cache is used instead of the Hub, another attempt is made … */
  onNote?(line: string): void;
}

/** At most so many reports per second. */
const REPORTS_PER_S = 10;

/** Files of one commit on their way into the cache. */
export class Transfer {
  readonly #client: HubClient;
  readonly #cache: RepoCache;
  readonly #commit: string;
  readonly #hooks: HubHooks;
  readonly #isThorough: boolean;
  readonly #start = performance.now();
  /** Of all files that are needed, as far as that is known. */
  #size = 0;
  /** Of the files that are complete. */
  #done = 0;
  #received = 0;
  #lastReport = -Infinity;

  /** @param isThorough compare files that are in the cache with the Hub's checksums, not only their sizes */
  constructor(client: HubClient, cache: RepoCache, commit: string, hooks: HubHooks, isThorough: boolean) {
    this.#client = client;
    this.#cache = cache;
    this.#commit = commit;
    this.#hooks = hooks;
    this.#isThorough = isThorough;
  }

  /** @returns path of the ONNX file in the repository, and bytes received */
  async model(reference: HubReference): Promise<{ model: string; received: number }> {
    const files = await this.#client.files(this.#commit);
    const has = (path: string): boolean => files.has(path);
    const model = chooseModel(reference, [...files.keys()]);
    if (model === undefined) throw noModel(reference, [...files.keys()]);
    const { found, missing } = companions(model, has);
    if (missing.length > 0) throw incompleteModel(reference, missing);
    const pick = (paths: readonly string[]): HubFile[] => paths.map((path) => files.get(path)!);

    const first = pick([...found, model]);
    const guessed = pick([...files.keys()].filter((path) => looksExternal(model, path)));
    this.#plan([...first, ...guessed]);
    for (const file of first) await this.#file(file);

    const external = externalLocations(join(this.#cache.snapshot(this.#commit), model)).map((location) =>
      externalPath(model, location),
    );
    const absent = external.find((path) => !has(path));
    if (absent !== undefined) {
      throw new InputError(`${model} keeps weights in "${absent}", which ${reference.repo} does not hold`, {
        where: formatReference(reference),
        hint: 'the export is incomplete: take another file or conversion',
      });
    }
    this.#plan([...first, ...pick(external)]);
    for (const file of pick(external)) await this.#file(file);
    return { model, received: this.#received };
  }

  /** @throws OutputError if the disk has no room for it */
  #plan(files: readonly HubFile[]): void {
    this.#size = files.reduce((sum, { size }) => sum + size, 0);
    const needed = files
      .filter((file) => !hasSize(this.#target(file), file) && !hasSize(this.#cache.blob(file.digest), file))
      .reduce((sum, file) => sum + file.size - bytesKept(this.#cache.blob(file.digest), file), 0);
    const { bavail, bsize } = statfsSync(this.#cache.folder);
    if (needed <= bavail * bsize) return;
    throw new OutputError(`the model needs ${formatBytes(needed)}, and ${formatBytes(bavail * bsize)} are free`, {
      where: this.#cache.folder,
      hint: 'free some space, or set HF_HOME to a folder on another disk',
    });
  }

  /** Where a file of the commit is to be. */
  #target({ path }: HubFile): string {
    return join(this.#cache.snapshot(this.#commit), path);
  }

  async #file(file: HubFile): Promise<void> {
    // What has its name and its size was checked when it came.
    const isFine = this.#isThorough ? isIntact : hasSize;
    const blob = this.#cache.blob(file.digest);
    if (!(await isFine(this.#target(file), file))) {
      if (!(await isFine(blob, file))) await this.#download(file, blob);
      this.#cache.link(file.digest, this.#commit, file.path);
    }
    this.#done += file.size;
    this.#report(file, file.size, true);
  }

  async #download(file: HubFile, blob: string): Promise<void> {
    let last = bytesKept(blob, file);
    this.#lastReport = -Infinity;
    this.#report(file, last);
    await download(this.#client, this.#commit, file, blob, (size) => {
      // A file that starts anew: what was kept of it is of no use.
      this.#received += size > last ? size - last : size;
      last = size;
      this.#report(file, size);
    });
  }

  #report(file: HubFile, fileBytes: number, isLast = false): void {
    const now = performance.now();
    if (!isLast && now - this.#lastReport < 1000 / REPORTS_PER_S) return;
    this.#lastReport = now;
    this.#hooks.onProgress?.({
      file: file.path,
      fileBytes,
      fileSize: file.size,
      bytes: this.#done + (isLast ? 0 : fileBytes),
      size: this.#size,
      received: this.#received,
      seconds: (now - this.#start) / 1000,
    });
  }
}
