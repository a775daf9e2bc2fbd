/** Model folders made for a test, removed after it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ModelProto } from '../../src/lm/onnx/onnx_pb.ts';
import { encode } from './tiny.ts';

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'saeforest-lm-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export const CONFIG = { architectures: ['TinyForCausalLM'], num_hidden_layers: 2, hidden_size: 8, vocab_size: 11 };

export const TOKENIZER = {
  version: '1.0',
  added_tokens: [{ id: 0, content: '<s>', special: true, normalized: false }],
  normalizer: null,
  pre_tokenizer: { type: 'WhitespaceSplit' },
  post_processor: null,
  decoder: null,
  model: {
    type: 'WordLevel',
    vocab: { '<s>': 0, '<unk>': 1, the: 2, dog: 3, cat: 4, sees: 5 },
    unk_token: '<unk>',
  },
};

/** Files of a model folder; a value left undefined is not written. */
export function modelFolder(files: Record<string, string | Uint8Array | object | undefined>): string {
  const folder = temporaryFolder();
  for (const [name, content] of Object.entries(files)) {
    if (content === undefined) continue;
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(
      path,
      typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content),
    );
  }
  return folder;
}

/** A complete folder around a model, parts of it replaced by `files`. */
export function completeFolder(
  model: ModelProto,
  files: Record<string, string | Uint8Array | object | undefined> = {},
) {
  return modelFolder({
    'config.json': CONFIG,
    'tokenizer.json': TOKENIZER,
    'tokenizer_config.json': {},
    'onnx/model.onnx': encode(model),
    ...files,
  });
}
