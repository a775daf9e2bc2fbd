/** A model from the Hub's cache, or from the Hub into the cache. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../../core/errors.ts';
import { externalLocations } from '../onnx/model-file.ts';
import { RepoCache } from './cache.ts';
import { HubClient } from './client.ts';
import { HubUnreachable } from './patience.ts';
import { formatReference, type HubReference } from './reference.ts';
import { companions, externalPath, modelFile } from './selection.ts';
import { hubSettings, type HubSettings } from './settings.ts';
import { Transfer, type HubHooks } from './transfer.ts';

export interface HubModel {
  /** What to open: the folder, or the ONNX file where the reference names one. */
  readonly path: string;
  /** With the commit: it finds the same model again, also on another machine. */
  readonly reference: string;
  readonly folder: string;
  readonly commit: string;
  /** Bytes received. */
  readonly received: number;
}

/**
 * @param isThorough compare every file with the Hub's checksums, also those in the cache
 * @throws InputError if there is no such model, or neither the Hub nor the cache has it now
 * @throws InterruptedError, OutputError
 */
export async function fetchModel(
  reference: HubReference,
  hooks: HubHooks = {},
  isThorough = false,
  settings: HubSettings = hubSettings(),
): Promise<HubModel> {
  const { revision } = reference;
  const note = (line: string): void => hooks.onNote?.(line);
  const cache = new RepoCache(settings.cache, reference.repo);
  const known = cache.commit(revision);
  const cached = known !== undefined && isComplete(cache, known, reference) ? known : undefined;
  const found = (commit: string, received = 0): HubModel => {
    const folder = cache.snapshot(commit);
    const path = reference.file === undefined ? folder : join(folder, reference.file);
    return { path, reference: formatReference({ ...reference, revision: commit }), folder, commit, received };
  };
  if (cached === revision && !isThorough) return found(cached);
  if (settings.isOffline) {
    if (cached === undefined) throw notCached('HF_HUB_OFFLINE is set', 'unset HF_HUB_OFFLINE', reference, cache);
    note(`offline (HF_HUB_OFFLINE): using ${formatReference({ ...reference, revision: cached })} from the cache`);
    return found(cached);
  }
  const client = new HubClient(settings, reference, { signal: hooks.signal, note });
  let commit: string;
  try {
    commit = await client.commit(cached !== undefined);
  } catch (error) {
    if (!(error instanceof HubUnreachable)) throw error;
    if (cached === undefined) throw notCached(error.message, reachHint(), reference, cache);
    note(`${error.message}; using ${formatReference({ ...reference, revision: cached })} from the cache`);
    return found(cached);
  }
  let received = 0;
  if (isThorough || !isComplete(cache, commit, reference)) {
    const lock = await cache.lock({ signal: hooks.signal, note });
    try {
      received = await new Transfer(client, cache, commit, hooks).model(reference);
    } catch (error) {
      if (!(error instanceof HubUnreachable)) throw error;
      const hint = 'run the same command again later: it goes on where it stopped';
      throw new InputError(error.message, { where: formatReference(reference), hint, cause: error });
    } finally {
      lock.release();
    }
  }
  // Only now: until its files are here, the commit before it serves those who are offline.
  cache.remember(revision, commit);
  return found(commit, received);
}

/** Whether the cache has all that a model needs. */
function isComplete(cache: RepoCache, commit: string, reference: HubReference): boolean {
  const folder = cache.snapshot(commit);
  const has = (path: string): boolean => existsSync(join(folder, path));
  const model = modelFile(reference, has);
  if (model === undefined || companions(model, has).missing.length > 0) return false;
  try {
    return externalLocations(join(folder, model)).every((location) => has(externalPath(model, location)));
  } catch (error) {
    // A damaged file in the cache: compared with its checksum, it will be downloaded again.
    if (error instanceof InputError) return false;
    throw error;
  }
}

function notCached(why: string, hint: string, reference: HubReference, cache: RepoCache): InputError {
  return new InputError(`${formatReference(reference)} is not in the cache, and ${why}`, {
    where: cache.folder,
    hint: `${hint}, or download the model elsewhere and give its folder`,
  });
}

function reachHint(): string {
  const { env } = process;
  const hasProxy = Boolean(env.HTTPS_PROXY || env.https_proxy) && !env.NODE_USE_ENV_PROXY;
  const proxy = hasProxy ? ' (Node uses HTTPS_PROXY from version 24 on, with NODE_USE_ENV_PROXY=1)' : '';
  return `check the network${proxy}, set HF_ENDPOINT to a mirror`;
}
