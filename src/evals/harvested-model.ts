/** The language model behind a folder of harvested activations. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MANIFEST_FILE, readManifest } from '../activations/manifest.ts';
import { InputError } from '../core/errors.ts';
import { resolveModel } from '../lm/hub.ts';
import { isHubReference } from '../lm/hub/reference.ts';
import type { HubHooks } from '../lm/hub/transfer.ts';
import { LanguageModel } from '../lm/model.ts';
import type { HarvestedModel } from './context.ts';

/**
 * @param acts folder of shards, or the name of a generated source
 * @param given folder of the model, or its reference; what the harvest names by default
 * @returns why there is none, for generated activations and for a model that is no longer where it was
 * @throws InputError for a given folder that holds no model, and for another model than the one that was harvested
 */
export async function openHarvestedModel(
  acts: string,
  given?: string,
  hooks?: HubHooks,
): Promise<HarvestedModel | string> {
  if (!existsSync(join(acts, MANIFEST_FILE))) return 'the activations were not harvested from a language model';
  const { identity } = readManifest(acts);
  const where = given ?? identity.model.path;
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
  const model = await LanguageModel.open(path);
  if ((await model.hash()) !== identity.model.hash) {
    throw new InputError('this is not the language model that the activations come from: its weights differ', {
      where,
      hint: `the harvest used ${identity.model.path}; --model FOLDER names another place`,
    });
  }
  const { layer, packed, specials } = identity;
  return { model, layer, bosId: specials.bos, dropped: specials.dropped, packed };
}
