/** The language model behind a folder of harvested activations. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MANIFEST_FILE, readManifest } from '../activations/manifest.ts';
import { InputError } from '../core/errors.ts';
import { LanguageModel } from '../lm/model.ts';
import type { HarvestedModel } from './context.ts';

/**
 * @param acts folder of shards, or the name of a generated source
 * @param folder of the model; the one that the harvest names by default
 * @returns why there is none, for generated activations and for a model that is no longer where it was
 * @throws InputError for a given folder that holds no model, and for another model than the one that was harvested
 */
export async function openHarvestedModel(acts: string, folder?: string): Promise<HarvestedModel | string> {
  if (!existsSync(join(acts, MANIFEST_FILE))) return 'the activations were not harvested from a language model';
  const { identity } = readManifest(acts);
  const where = folder ?? identity.model.path;
  if (folder === undefined && !existsSync(where)) {
    return `the language model is not at ${where} any more; --model FOLDER says where it is`;
  }
  const model = await LanguageModel.open(where);
  if ((await model.hash()) !== identity.model.hash) {
    throw new InputError('this is not the language model that the activations come from: its weights differ', {
      where,
      hint: `the harvest used ${identity.model.path}; --model FOLDER names another place`,
    });
  }
  const { layer, packed, specials } = identity;
  return { model, layer, bosId: specials.bos, dropped: specials.dropped, packed };
}
