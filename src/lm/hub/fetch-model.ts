/** A model from the Hub's cache, or from the Hub into the cache. */
import { join } from 'node:path';
import { InputError } from '../../core/errors.ts';
import { externalLocations } from '../onnx/model-file.ts';
import { RepoCache } from './cache.ts';
import { HubClient } from './client.ts';
import { HubUnreachable } from './patience.ts';
import { formatReference, type HubReference } from './reference.ts';
import { chooseModel, companions, externalPath, isSurely } from './selection.ts';
import { hubSettings, type HubSettings } from './settings.ts';
import { Transfer, type HubHooks } from './transfer.ts';

export interface HubModel {
  /** What to open: the folder, or the ONNX file where that is not the preferred one. */
  readonly path: string;
  /** With the commit, and the file where `path` has it: finds the same model again, also on another machine. */
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
  const cached = known === undefined ? undefined : findCached(cache, known, reference);
  if (cached?.isSure && known === revision && !isThorough) return cached;
  if (settings.isOffline) {
    if (!cached) throw notCached('HF_HUB_OFFLINE is set', 'unset HF_HUB_OFFLINE', reference, cache);
    note(`offline (HF_HUB_OFFLINE): using ${cached.reference} from the cache`);
    return cached;
  }
  const client = new HubClient(settings, reference, { signal: hooks.signal, note });
  let commit: string;
  try {
    commit = await client.commit(cached !== undefined);
  } catch (error) {
    if (!(error instanceof HubUnreachable)) throw error;
    if (!cached) throw notCached(error.message, reachHint(), reference, cache);
    note(`${error.message}; using ${cached.reference} from the cache`);
    return cached;
  }

  const here = commit === known ? cached : findCached(cache, commit, reference);
  let model: HubModel;
  if (here?.isSure && !isThorough) {
    model = here;
  } else {
    const lock = await cache.lock({ signal: hooks.signal, note });
    try {
      const transfer = await new Transfer(client, cache, commit, hooks, isThorough).model(reference);
      model = found(cache, commit, reference, transfer.model, transfer.received);
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
  return model;
}

/** @param model path of the ONNX file in the repository */
function found(cache: RepoCache, commit: string, reference: HubReference, model: string, received = 0): HubModel {
  // The folder stands for the preferred file only: another one is named, so that the choice is made once.
  const file = isSurely({ ...reference, file: undefined }, model) ? reference.file : model;
  const folder = cache.snapshot(commit);
  const path = file === undefined ? folder : join(folder, file);
  return { path, reference: formatReference({ ...reference, revision: commit, file }), folder, commit, received };
}

/** The model if all that it needs is in the cache; `isSure` unless the Hub may have a file that is preferred to it. */
function findCached(
  cache: RepoCache,
  commit: string,
  reference: HubReference,
): (HubModel & { isSure: boolean }) | undefined {
  const paths = cache.paths(commit);
  const has = (path: string): boolean => paths.includes(path);
  const model = chooseModel(reference, paths);
  if (model === undefined || companions(model, has).missing.length > 0) return undefined;
  try {
    const locations = externalLocations(join(cache.snapshot(commit), model));
    if (!locations.every((location) => has(externalPath(model, location)))) return undefined;
  } catch (error) {
    // A damaged file in the cache.
    if (error instanceof InputError) return undefined;
    throw error;
  }
  return { ...found(cache, commit, reference, model), isSure: isSurely(reference, model) };
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
