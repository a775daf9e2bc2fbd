/** The language model behind activations: those of a folder, or of a training that was fed by the model itself. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MANIFEST_FILE, readManifest } from '../activations/manifest.ts';
import { InputError } from '../core/errors.ts';
import { resolveModel } from '../lm/hub.ts';
import { isHubReference } from '../lm/hub/reference.ts';
import type { HubHooks } from '../lm/hub/transfer.ts';
import type { LiveConfig } from '../lm/live/config.ts';
import { LanguageModel } from '../lm/model.ts';
import { LIVE, type CommonConfig } from '../training/config.ts';
import type { HarvestedModel } from './context.ts';

/**
 * @param common `acts` is a folder of shards, live, or the name of a generated source
 * @param given folder of the model, or its reference; what the activations name by default
 * @returns why there is none, for generated activations and for a model that is no longer where it was
 * @throws InputError for a given folder that holds no model, and for another model than the one that was harvested
 */
export async function openHarvestedModel(
  { acts, live }: Pick<CommonConfig, 'acts' | 'live'>,
  given?: string,
  hooks?: HubHooks,
): Promise<HarvestedModel | string> {
  if (acts === LIVE && live) return ofLiveRun(live, given, hooks);
  if (!existsSync(join(acts, MANIFEST_FILE))) return 'the activations were not harvested from a language model';
  const { identity } = readManifest(acts);
  const model = await openModel(identity.model.path, given, hooks);
  if (typeof model === 'string') return model;
  if ((await model.hash()) !== identity.model.hash) {
    throw new InputError('this is not the language model that the activations come from: its weights differ', {
      where: given ?? identity.model.path,
      hint: `the harvest used ${identity.model.path}; --model FOLDER names another place`,
    });
  }
  const { layer, hook, packed, specials } = identity;
  return { model, layer, hook, bosId: specials.bos, dropped: specials.dropped, packed };
}

async function ofLiveRun(
  live: LiveConfig,
  given: string | undefined,
  hooks: HubHooks | undefined,
): Promise<HarvestedModel | string> {
  const model = await openModel(live.model, given, hooks);
  if (typeof model === 'string') return model;
  const bosId = model.tokenizer.bosId ?? null;
  const dropped = live.keepBos || bosId === null ? [] : [bosId];
  return { model, layer: live.layer, hook: live.hook, bosId, dropped, packed: live.pack };
}

async function openModel(
  named: string,
  given: string | undefined,
  hooks: HubHooks | undefined,
): Promise<LanguageModel | string> {
  const where = given ?? named;
  if (given === undefined && !isHubReference(where) && !existsSync(where)) {
    return `the language model is not at ${where} any more; --model FOLDER says where it is`;
  }
  let path: string;
  try {
    ({ path } = await resolveModel(where, hooks));
  } catch (error) {
    if (given !== undefined || !(error instanceof InputError)) throw error;
    return `${error.message}; --model FOLDER says where the language model is`;
  }
  return LanguageModel.open(path);
}
