/** Texts in the four words that the tokenizer of the tiny models knows, and models that read them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { completeFolder, temporaryFolder } from './folder.ts';
import { tinyTransformer } from './tiny.ts';

const WORDS = ['the', 'dog', 'cat', 'sees'];

/** 1 … 40 words. */
export const wordDocument = (i: number): string =>
  Array.from({ length: 1 + ((17 * i) % 40) }, (_, j) => WORDS[(i * j) % 4]).join(' ');

/** A file of documents, separated by `---`. */
export function wordFile(documents: number): string {
  const path = join(temporaryFolder(), 'text.txt');
  writeFileSync(path, Array.from({ length: documents }, (_, i) => wordDocument(i)).join('\n---\n'));
  return path;
}

export const BOS_FILES = { 'tokenizer_config.json': { add_bos_token: true, bos_token: '<s>' } };

export function wordModel(files: Record<string, object> = BOS_FILES): string {
  return completeFolder(tinyTransformer({ layers: 2, wiring: 'sequential' }).model, files);
}

/** A model whose embedding of "cat" has `value` in one element. */
export function overflowingModel(value: number): string {
  const { model } = tinyTransformer({ layers: 2, wiring: 'sequential' });
  const { rawData } = model.graph!.initializer[0];
  new DataView(rawData.buffer, rawData.byteOffset).setFloat32(4 * 4 * 8, value, true);
  return completeFolder(model, BOS_FILES);
}
