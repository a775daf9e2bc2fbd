/**
 * The folders of one harvest, one per site. They are filled side by side, but a kill may strike between two of them:
 * then the harvest goes on from where the least advanced one stands, and the others wait until it has caught up.
 */
import { existsSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { identityDifferences, MANIFEST_FILE, readManifest } from '../activations/manifest.ts';
import type { HarvestIdentity, Manifest } from '../activations/manifest.ts';
import { ShardWriter, type ActivationBatch } from '../activations/shard-writer.ts';
import { InputError } from '../core/errors.ts';
import { listFolder, makeFolder } from '../core/files.ts';
import { FolderLock } from '../core/lock.ts';
import { START, type Place } from './sequences.ts';
import { HOOKS, type Site } from './site.ts';

/** One site of a harvest and its folder of shards. */
export interface SiteHarvest {
  readonly site: Site;
  readonly folder: string;
  readonly identity: HarvestIdentity;
}

/** Rows of all sites; what is not the activations themselves is the same for all. */
export interface SiteBatch extends Omit<ActivationBatch, 'acts'> {
  /** [rows, d], in the order of {@link HarvestFolders.sites}. */
  readonly acts: readonly ActivationBatch['acts'][];
}

/** The folder itself for one site, a sub-folder such as `resid_post-3` for each of several. */
export function siteFolder(out: string, { layer, hook }: Site, sites: number): string {
  return sites === 1 ? out : join(out, `${hook}-${layer}`);
}

export class HarvestFolders {
  readonly out: string;
  readonly #isNew: boolean;
  readonly #all: readonly SiteHarvest[];
  /** Those that are not complete yet. */
  readonly #open: { readonly site: Site; readonly writer: ShardWriter; readonly from: Place }[] = [];
  /** Of the sites that are complete, by folder. */
  readonly #complete = new Map<string, Manifest>();

  private constructor(out: string, all: readonly SiteHarvest[]) {
    this.out = out;
    this.#all = all;
    this.#isNew = !existsSync(out);
  }

  /**
   * Starts the folders or goes on with those of an interrupted harvest. Holds their locks until {@link close}.
   * @throws OutputError if another process writes here, or a folder cannot be written
   * @throws InputError if the harvest is complete, or a folder holds something else
   */
  static open(out: string, all: readonly SiteHarvest[]): HarvestFolders {
    const folders = new HarvestFolders(out, all);
    try {
      folders.#openAll();
      return folders;
    } catch (error) {
      folders.close();
      throw error;
    }
  }

  #openAll(): void {
    if (this.#all.length > 1) {
      checkParent(this.out);
      makeFolder(this.out);
      for (const { folder, identity } of this.#all) {
        const manifest = completeManifest(folder, identity);
        if (!manifest) continue;
        // A process that was killed after its last byte leaves its lock, which nobody else would clear.
        FolderLock.acquire(folder).release();
        this.#complete.set(folder, manifest);
      }
      if (this.#complete.size === this.#all.length) {
        const [{ counts }] = this.#complete.values();
        throw new InputError(
          `the harvest is already complete: ${counts.rows} rows at each of ${this.#all.length} sites`,
          {
            where: this.out,
            hint: 'use it as it is, or choose another folder',
          },
        );
      }
    }
    for (const { site, folder, identity } of this.#all) {
      if (this.#complete.has(folder)) continue;
      const writer = ShardWriter.open(folder, identity);
      this.#open.push({ site, writer, from: (writer.progress as Place | null) ?? START });
    }
  }

  /** Sites that are still to be harvested. */
  get sites(): readonly Site[] {
    return this.#open.map(({ site }) => site);
  }

  /** Where to go on, and the rows before. */
  get start(): { readonly place: Place; readonly rows: number } {
    const { from, writer } = this.#open.reduce((least, other) => (isBefore(other.from, least.from) ? other : least));
    return { place: from, rows: writer.storedRows };
  }

  /** Rows that every site has in complete shards. */
  get storedRows(): number {
    return Math.min(...this.#open.map(({ writer }) => writer.storedRows));
  }

  /** Rows that every site has, stored or not. */
  get rows(): number {
    return Math.min(...this.#open.map(({ writer }) => writer.rows));
  }

  /** Adds rows to the folders that do not have them yet. @throws InputError, OutputError as {@link ShardWriter.append} */
  append({ acts, ...batch }: SiteBatch, next: Place): void {
    for (const [i, { writer, from }] of this.#open.entries()) {
      if (isBefore(from, next)) writer.append({ ...batch, acts: acts[i] }, { ...next });
    }
  }

  /** Completes all folders. @returns their manifests, in the order of the sites asked for */
  finish(): Manifest[] {
    const finished = this.#open.map(({ writer }) => [writer.folder, writer.finish()] as const);
    const manifests = new Map([...this.#complete, ...finished]);
    return this.#all.map(({ folder }) => manifests.get(folder)!);
  }

  /** Releases the folders as they stand; those without a single shard are left as they were found. Safe to call twice. */
  close(): void {
    for (const { writer } of this.#open) writer.close();
    if (this.#isNew && existsSync(this.out) && listFolder(this.out).length === 0) rmdirSync(this.out);
  }
}

const isBefore = (a: Place, b: Place): boolean =>
  a.document < b.document || (a.document === b.document && a.offset < b.offset);

const SITE_FOLDER = new RegExp(`^(${HOOKS.join('|')})-\\d+$`);

/** @throws InputError for a folder that is not one of several sites */
function checkParent(out: string): void {
  const others = listFolder(out).filter((name) => !SITE_FOLDER.test(name));
  if (others.length === 0) return;
  const what = others.includes(MANIFEST_FILE)
    ? 'the activations of a single site'
    : `other files (${others.slice(0, 3).join(', ')})`;
  throw new InputError(`the folder holds ${what}: several sites need a folder of their own`, {
    where: out,
    hint: 'choose an empty folder',
  });
}

/** The manifest of a folder that holds all of this harvest. */
function completeManifest(folder: string, identity: HarvestIdentity): Manifest | undefined {
  if (!existsSync(join(folder, MANIFEST_FILE))) return undefined;
  const manifest = readManifest(folder);
  return manifest.complete && identityDifferences(manifest.identity, identity).length === 0 ? manifest : undefined;
}
