/** Where a model is: a local folder or file, or a reference to the Hugging Face Hub. */
import type { HubHooks } from './hub/transfer.ts';
import { isHubReference, parseReference } from './hub/reference.ts';

export interface ResolvedModel {
  /** Local folder of the model, or its ONNX file. */
  readonly path: string;
  /** What finds the same model again: for a model of the Hub its reference with the commit, else the path. */
  readonly reference: string;
}

/**
 * @param model a local path, which is returned as it is, or `hf:owner/name[@revision][/path/to/model.onnx]`, which is
 *   downloaded into the Hub's cache unless it is there
 * @throws UsageError for a reference that makes no sense; InputError, OutputError or InterruptedError if the model
 *   cannot be had
 */
export async function resolveModel(model: string, hooks?: HubHooks): Promise<ResolvedModel> {
  if (!isHubReference(model)) return { path: model, reference: model };
  const { fetchModel } = await import('./hub/fetch-model.ts');
  return fetchModel(parseReference(model), hooks);
}
