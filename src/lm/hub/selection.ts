/** Which files of a repository make a language model. */
import { posix } from 'node:path';
import { InputError } from '../../core/errors.ts';
import { USUAL_MODELS } from '../model-files.ts';
import { TOKENIZER_FILES } from '../tokenizer.ts';
import { formatReference, type HubReference } from './reference.ts';

const REQUIRED = ['config.json', ...TOKENIZER_FILES];
const OPTIONAL = ['generation_config.json', 'special_tokens_map.json'];

/** Names shown of a longer list. */
const SHOWN = 12;

/** The ONNX file that is meant, among files that are there: the one named, a usual one, or the only one. */
export function chooseModel({ file }: HubReference, paths: readonly string[]): string | undefined {
  const models = paths.filter((path) => path.endsWith('.onnx'));
  if (file !== undefined) return models.find((path) => path === file);
  return USUAL_MODELS.find((path) => models.includes(path)) ?? (models.length === 1 ? models[0] : undefined);
}

/** Whether a file is the one that is meant whatever else there is; the cache holds only a part of a repository. */
export function isSurely(reference: HubReference, model: string): boolean {
  return model === (reference.file ?? USUAL_MODELS[0]);
}

/** Files that stand beside the model or in a folder above it. */
export function companions(model: string, has: (path: string) => boolean): { found: string[]; missing: string[] } {
  const folders = [posix.dirname(model)];
  while (folders[0] !== '.') folders.unshift(posix.dirname(folders[0]));
  const places = (name: string): string[] => folders.map((folder) => posix.join(folder, name)).filter(has);
  return {
    found: [...REQUIRED, ...OPTIONAL].flatMap(places),
    missing: REQUIRED.filter((name) => places(name).length === 0),
  };
}

/** Path in the repository of external data, which a graph names relative to its own folder. */
export function externalPath(model: string, location: string): string {
  return posix.join(posix.dirname(model), location);
}

/** Names that exporters give to a model's external data; the graph itself says which there are. */
export function looksExternal(model: string, path: string): boolean {
  return path.startsWith(`${model}_data`) || path.startsWith(`${model}.data`);
}

/** Why a repository has no model, and what to do about it. */
export function noModel(reference: HubReference, paths: readonly string[]): InputError {
  const where = formatReference(reference);
  const { repo, file } = reference;
  const models = paths.filter((path) => path.endsWith('.onnx'));
  if (models.length === 0) {
    return new InputError(`${repo} holds no ONNX model, only ${shortened(paths)}`, {
      where,
      hint:
        `look for a conversion, for example hf:onnx-community/${repo.split('/')[1]}-ONNX, ` +
        `or make one: optimum-cli export onnx --model ${repo} FOLDER`,
    });
  }
  const references = models.map((path) => formatReference({ ...reference, file: path }));
  return new InputError(
    file === undefined
      ? `${repo} holds ${models.length} ONNX files, none under a usual name`
      : `${repo} holds no file "${file}"`,
    { where, hint: shortened(references) },
  );
}

/** @param missing companions */
export function incompleteModel(reference: HubReference, missing: readonly string[]): InputError {
  return new InputError(`${reference.repo} holds an ONNX model, but no ${missing.join(', no ')}`, {
    where: formatReference(reference),
    hint: 'take another conversion of the model, or a local folder with these files added',
  });
}

function shortened(names: readonly string[]): string {
  const rest = names.length - SHOWN;
  return `${names.slice(0, SHOWN).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}` || 'nothing';
}
