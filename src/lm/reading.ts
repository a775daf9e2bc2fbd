/** A language model and the text that it reads: what a harvest and a live training settle alike before they begin. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../core/errors.ts';
import { documentOrder, tokenSource, type Documents } from './documents.ts';
import { hashFiles } from './file-hash.ts';
import { shareThreads, type ThreadShare } from './forward-pool.ts';
import { LanguageModel, type ModelInfo } from './model.ts';
import { openDocuments } from './open-documents.ts';
import type { Cut, TokenSource } from './sequences.ts';
import { siteName, type Site } from './site.ts';
import { TOKENIZER_FILES, type Tokenizer } from './tokenizer.ts';

export interface ReadingOptions {
  /** Folder of the model. */
  model: string;
  /** What is noted about where the model is from; its folder by default. */
  reference?: string | undefined;
  /** Text files. */
  text: readonly string[];
  /** Where activations are read, all in one pass. */
  sites: readonly Site[];
  /** Tokens per sequence; the model's own context by default. */
  context?: number | undefined;
  /** Join documents into full contexts. */
  pack?: boolean;
  /** Keep the rows of the BOS token too. */
  keepBos?: boolean;
  /** Of the order of the documents. */
  seed?: number;
  /** Line between two documents of a plain text file. */
  separator?: string | undefined;
  /** Threads that run the model; as many as there are cores by default. Results do not depend on it. */
  threads?: number | undefined;
}

export interface Reading {
  readonly folder: string;
  readonly info: ModelInfo;
  readonly tokenizer: Tokenizer;
  readonly documents: Documents;
  /** Names of the texts, for messages. */
  readonly text: string;
  /** Their tokens, in the seeded order. */
  readonly source: TokenSource;
  readonly cut: Cut;
  /** Token whose rows are left out, if any. */
  readonly dropped: number | undefined;
  readonly sites: readonly Site[];
  /** Of each site. */
  readonly tensors: readonly string[];
  readonly share: ThreadShare;
  /** sha256 of the model, and of its tokenizer. */
  readonly hashes: { readonly model: string; readonly tokenizer: string };
}

/**
 * Opens model and texts. The model is dropped again: the worker threads load it themselves.
 * @param onProgress is told how much of the text files has been looked through
 * @throws InputError for a missing or damaged model or text
 * @throws UsageError for a site or context that the model does not have, or a site that is asked for twice
 */
export async function openReading(
  options: ReadingOptions,
  onProgress?: (bytes: number, of: number) => void,
): Promise<Reading> {
  const { text, sites, separator, pack = false, keepBos = false, seed = 0 } = options;
  const model = await LanguageModel.open(options.model);
  const { info, tokenizer, folder } = model;
  checkDistinct(sites);
  const tensors = sites.map((site) => model.tensor(site));
  const context = chooseContext(options.context, info.context, folder);
  const documents = await openDocuments(text, {
    ...(separator !== undefined && { separator }),
    ...(onProgress && { onProgress }),
  });
  const bos = tokenizer.bosId;
  return {
    folder,
    info,
    tokenizer,
    documents,
    text: text.join(', '),
    source: tokenSource(documents, documentOrder(documents.count, seed), tokenizer, info.vocab),
    cut: { context, bos, pack },
    dropped: keepBos ? undefined : bos,
    sites,
    tensors,
    share: shareThreads(options.threads ?? availableParallelism(), model.parameters, 4 * info.d * sites.length),
    hashes: {
      model: await model.hash(),
      tokenizer: await hashFiles(TOKENIZER_FILES.map((name) => join(folder, name))),
    },
  };
}

function checkDistinct(sites: readonly Site[]): void {
  const names = sites.map(siteName);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new UsageError(`${twice} is asked for twice`, { hint: 'name every site once' });
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
