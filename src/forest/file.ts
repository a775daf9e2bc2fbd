/** Parents of the latents of one SAE from a file: `parent` I32 [F], −1 = none, as `saeforest extract` writes it. */
import { InputError } from '../core/errors.ts';
import { SafetensorsFile } from '../formats/safetensors.ts';
import { Forest, ForestError } from './forest.ts';

/** @param width latents of the SAE @throws InputError for a file that is damaged or for another SAE, and for links with a cycle */
export function readForest(path: string, width: number): Forest {
  const file = SafetensorsFile.open(path);
  try {
    const parent = file.readInt32('parent');
    if (parent.length !== width) {
      throw new InputError(`the forest has ${parent.length} latents, the SAE ${width}`, {
        where: path,
        hint: 'saeforest extract with this run makes one that fits (without --parents)',
      });
    }
    return new Forest(parent);
  } catch (error) {
    if (!(error instanceof ForestError)) throw error;
    throw new InputError(error.message, { where: path, ...(error.hint && { hint: error.hint }), cause: error });
  } finally {
    file.close();
  }
}
