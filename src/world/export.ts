/** The world as files for training a language model: tokens, tokenizer, and what they are. */
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, outputError, writeFileAtomic, writeFully } from '../core/files.ts';
import { BOS, UNKNOWN } from './languages/lexicon.ts';
import type { Split } from './story.ts';
import type { World } from './world.ts';

export interface ExportOptions {
  readonly split: Split;
  /** First document. */
  readonly start: number;
  /** Stops at this many documents or, complete documents only, at this many tokens, whichever comes first. */
  readonly documents: number;
  readonly tokens: number;
  readonly onProgress?: (tokens: number) => void;
}

/** What meta.json says. */
export interface ExportMeta {
  readonly format: 'saeforest-world';
  readonly split: Split;
  /** Documents start … start + documents − 1 of the split. */
  readonly start: number;
  readonly documents: number;
  readonly sentences: number;
  /** Entries of tokens.bin, those of the beginnings of documents included. */
  readonly tokens: number;
  readonly vocabulary: number;
  readonly bos: number;
  /** Upper bound of the text's entropy, estimated on these documents: mean −ln P of the choices behind a token. */
  readonly entropyNatsPerToken: number;
  /** Entropy of the frequencies of single tokens. */
  readonly unigramNatsPerToken: number;
  readonly seed: number;
  readonly hash: string;
  readonly config: World['config'];
}

const BUFFER_TOKENS = 2 ** 18;

/**
 * Writes tokens.bin (16-bit little-endian ids), tokenizer.json, tokenizer_config.json and meta.json into a folder, meta.json last.
 * @throws OutputError
 */
export function exportWorld(world: World, folder: string, options: ExportOptions): ExportMeta {
  makeFolder(folder);
  for (const [name, content] of Object.entries(tokenizerFiles(world))) {
    writeFileAtomic(join(folder, name), `${JSON.stringify(content, null, 1)}\n`);
  }
  const path = join(folder, 'tokens.bin');
  const counts = new Float64Array(world.vocabulary.length);
  let [documents, sentences, tokens, surprisal] = [0, 0, 0, 0];
  try {
    const fd = openSync(path, 'w');
    try {
      const buffer = new Uint16Array(BUFFER_TOKENS);
      let filled = 0;
      while (documents < options.documents && tokens < options.tokens) {
        const document = world.document(options.split, options.start + documents);
        const { length } = document.tokens;
        if (filled + length > buffer.length) {
          writeFully(fd, bytesOf(buffer, filled));
          filled = 0;
          options.onProgress?.(tokens);
        }
        buffer.set(document.tokens, filled);
        filled += length;
        for (const token of document.tokens) counts[token]++;
        tokens += length;
        sentences += document.sentences.length;
        surprisal += document.surprisal;
        documents++;
      }
      writeFully(fd, bytesOf(buffer, filled));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw outputError(path, error);
  }
  const meta: ExportMeta = {
    format: 'saeforest-world',
    split: options.split,
    start: options.start,
    documents,
    sentences,
    tokens,
    vocabulary: world.vocabulary.length,
    bos: world.lexicon.bosId,
    entropyNatsPerToken: surprisal / tokens,
    unigramNatsPerToken: entropy(counts, tokens),
    seed: world.config.seed,
    hash: world.hash,
    config: world.config,
  };
  writeFileAtomic(join(folder, 'meta.json'), `${JSON.stringify(meta, null, 2)}\n`);
  return meta;
}

/** A Hugging Face tokenizer of whole words: what is separated by white space is a token. */
export function tokenizerFiles(world: World): Record<'tokenizer.json' | 'tokenizer_config.json', object> {
  const { bosId, unknownId } = world.lexicon;
  return {
    'tokenizer.json': {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: [special(BOS, bosId), special(UNKNOWN, unknownId)],
      normalizer: null,
      pre_tokenizer: { type: 'WhitespaceSplit' },
      post_processor: {
        type: 'TemplateProcessing',
        single: [{ SpecialToken: { id: BOS, type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
        pair: [
          { SpecialToken: { id: BOS, type_id: 0 } },
          { Sequence: { id: 'A', type_id: 0 } },
          { Sequence: { id: 'B', type_id: 1 } },
        ],
        special_tokens: { [BOS]: { id: BOS, ids: [bosId], tokens: [BOS] } },
      },
      decoder: null,
      model: {
        type: 'WordLevel',
        vocab: Object.fromEntries(world.vocabulary.map((word, id) => [word, id])),
        unk_token: UNKNOWN,
      },
    },
    'tokenizer_config.json': {
      tokenizer_class: 'PreTrainedTokenizerFast',
      bos_token: BOS,
      unk_token: UNKNOWN,
      add_bos_token: true,
      clean_up_tokenization_spaces: false,
      model_max_length: 1_000_000,
    },
  };
}

function special(content: string, id: number): object {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
}

/** 16-bit little-endian, whatever the machine. */
function bytesOf(tokens: Uint16Array, count: number): Uint8Array {
  const bytes = new Uint8Array(count * 2);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < count; i++) view.setUint16(i * 2, tokens[i], true);
  return bytes;
}

function entropy(counts: Float64Array, total: number): number {
  let sum = 0;
  for (const count of counts) if (count > 0) sum -= (count / total) * Math.log(count / total);
  return sum;
}
