/** Which file of a folder is the model. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { InputError } from '../core/errors.ts';

/**
 * Names that exporters give to decoders, the most exact first: with and without past key values, from Optimum, older
 * Optimum, and the quantised ones of the Hub.
 */
const NAMES = [
  'model',
  'decoder_model',
  'decoder_model_merged',
  'model_merged',
  'model_fp16',
  'decoder_model_merged_fp16',
  'model_int8',
  'model_quantized',
  'decoder_model_merged_quantized',
  'model_uint8',
  'model_q4',
  'model_q4f16',
];

/** Paths in a model's folder at which the ONNX file is looked for, the preferred first. */
export const USUAL_MODELS: readonly string[] = NAMES.flatMap((name) => [`onnx/${name}.onnx`, `${name}.onnx`]);

export interface ModelFiles {
  /** With config.json and the tokenizer. */
  readonly folder: string;
  /** The ONNX file. */
  readonly model: string;
}

/**
 * @param path a model's folder, or its ONNX file (one of several: `onnx/model_q4.onnx`), with config.json and the
 * tokenizer beside it or in the folder above
 * @throws InputError if there is no such file, or no telling which of several it is
 */
export function findModelFiles(path: string): ModelFiles {
  if (!existsSync(path)) {
    const kind = path.endsWith('.onnx') ? 'file' : 'folder';
    throw new InputError(`the model ${kind} does not exist`, { where: path, hint: 'check the path' });
  }
  if (statSync(path).isDirectory()) return { folder: path, model: chooseModel(path) };
  if (!path.endsWith('.onnx')) {
    throw new InputError('a model is a folder or an .onnx file', {
      where: path,
      hint: `${dirname(path)}, for example`,
    });
  }
  const beside = dirname(path);
  const above = dirname(beside);
  const folder = !existsSync(join(beside, 'config.json')) && existsSync(join(above, 'config.json')) ? above : beside;
  return { folder, model: path };
}

function chooseModel(folder: string): string {
  const all = ['onnx', ''].flatMap((part) => onnxFiles(folder, part));
  const usual = USUAL_MODELS.find((name) => all.includes(name));
  if (usual !== undefined) return join(folder, usual);
  if (all.length === 1) return join(folder, all[0]);
  if (all.length === 0) {
    throw new InputError('the folder holds no ONNX model: no such file', {
      where: join(folder, USUAL_MODELS[0]),
      hint: `export one: optimum-cli export onnx --task text-generation --model NAME ${folder}`,
    });
  }
  throw new InputError(`the folder holds ${all.length} ONNX files, none under a usual name: ${all.join(', ')}`, {
    where: folder,
    hint: `name the file instead of the folder: ${join(folder, all[0])}`,
  });
}

/** Relative to the model's folder, in order. */
function onnxFiles(folder: string, part: string): string[] {
  const place = join(folder, part);
  if (!existsSync(place)) return [];
  return readdirSync(place)
    .filter((name) => name.endsWith('.onnx'))
    .sort()
    .map((name) => (part === '' ? name : `${part}/${name}`));
}
