/** What a harvest will do, settled before anything is written. */
import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { DEFAULT_ROWS_PER_SHARD, type HarvestIdentity } from '../activations/manifest.ts';
import { UsageError } from '../core/errors.ts';
import type { StorageDtype } from '../core/floats.ts';
import { TextCorpus } from './corpus.ts';
import { hashFiles } from './file-hash.ts';
import { shareThreads } from './forward-pool.ts';
import { LanguageModel } from './model.ts';
import { TOKENIZER_FILES, type Tokenizer } from './tokenizer.ts';

export interface HarvestOptions {
  /** Folder of the model. */
  model: string;
  /** What the manifest says about where the model is from; its folder by default. */
  reference?: string;
  /** Text files. */
  text: readonly string[];
  /** Block, counted from 0. */
  layer: number;
  /** Rows to store: the harvest ends with the document that reaches them. */
  tokens: number;
  /** Folder of shards: new, empty, or of the same harvest interrupted. */
  out: string;
  dtype?: StorageDtype;
  /** Tokens per sequence; the model's own context by default. */
  context?: number;
  /** Store the rows of the BOS token too. */
  keepBos?: boolean;
  /** Of the order of the documents. */
  seed?: number;
  /** Line between two documents of a plain text file. */
  separator?: string;
  /** Threads that run the model; as many as there are cores by default. Results do not depend on it. */
  threads?: number;
}

export interface HarvestPlan {
  readonly identity: HarvestIdentity;
  readonly corpus: TextCorpus;
  readonly tokenizer: Tokenizer;
  readonly workers: { workers: number; threads: number };
}

const SEPARATOR = '<|endoftext|>';

/**
 * Opens model and texts. The model is dropped again: the worker threads load it themselves.
 * @throws InputError for a missing or damaged model or text
 * @throws UsageError for a layer or context that the model does not have
 */
export async function planHarvest(options: HarvestOptions): Promise<HarvestPlan> {
  const { separator = SEPARATOR, layer, keepBos = false } = options;
  const model = await LanguageModel.open(options.model);
  const { info, tokenizer } = model;
  const tensor = model.residual(layer);
  const context = chooseContext(options.context, info.context, model.folder);
  const corpus = await TextCorpus.open(options.text, { separator });
  const bos = tokenizer.bosId ?? null;
  const identity: HarvestIdentity = {
    model: {
      path: options.reference ?? options.model,
      hash: await model.hash(),
      architecture: info.architecture,
    },
    layer,
    tensor,
    hook: 'residual after block',
    d: info.d,
    dtype: options.dtype ?? 'F16',
    context,
    specials: { dropped: bos === null || keepBos ? [] : [bos], bos },
    text: {
      files: await describeFiles(options.text),
      tokenizer: await hashFiles(TOKENIZER_FILES.map((name) => join(options.model, name))),
      separator,
      documents: corpus.count,
      seed: options.seed ?? 0,
    },
    rowsPerShard: DEFAULT_ROWS_PER_SHARD,
    rowsWanted: options.tokens,
  };
  const workers = shareThreads(options.threads ?? availableParallelism(), model.parameters);
  return { identity, corpus, tokenizer, workers };
}

function chooseContext(wanted: number | undefined, most: number | null, where: string): number {
  const context = wanted ?? most;
  if (context === null) {
    throw new UsageError('config.json does not say how long a context is', { where, hint: '--context 512' });
  }
  if (most !== null && context > most) {
    throw new UsageError(`a context of ${context} tokens is longer than the model's ${most}`, {
      where,
      hint: `--context ${most} or less`,
    });
  }
  // BOS and a token that follows it.
  if (context < 2) throw new UsageError(`a context of ${context} tokens is too short`, { hint: 'at least 2' });
  return context;
}

async function describeFiles(paths: readonly string[]): Promise<HarvestIdentity['text']['files']> {
  const files: HarvestIdentity['text']['files'] = [];
  for (const path of paths) {
    files.push({ name: basename(path), bytes: statSync(path).size, sha256: await hashFiles([path]) });
  }
  return files;
}
