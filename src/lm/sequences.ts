/** Documents of a corpus, in a seeded order, as the token sequences that a model reads. */
import { Permutation } from '../core/permutation.ts';
import { Random } from '../core/random.ts';
import type { TextCorpus } from './corpus.ts';
import type { Tokenizer } from './tokenizer.ts';

/** What a model reads at once: at most a context of tokens, the first of them BOS if the model has one. */
export interface Sequence {
  /** Number of its document in the seeded order. */
  readonly doc: number;
  readonly tokens: Int32Array;
}

/** A place in the stream of sequences: sequence `sequence` of document `document` comes next. */
export interface Place {
  readonly document: number;
  readonly sequence: number;
}

/** Sequences that are harvested together, and where to go on after them. */
export interface Window {
  readonly sequences: readonly Sequence[];
  readonly next: Place;
}

export interface WindowOptions {
  /** Tokens per sequence at most, BOS included; at least 2. */
  context: number;
  /** A window ends with the sequence that fills it up to this many tokens. */
  windowTokens: number;
  /** Token whose rows do not count, if any. */
  dropped: number | undefined;
  /** Names the order of the documents. */
  seed: number;
  /** The stream ends with the document that reaches this many rows. */
  rows: number;
  /** Where to begin, and the rows that lie before. */
  from: Place;
  rowsBefore: number;
}

/**
 * Windows one after the other; each depends on the corpus and the options only, not on where the stream was entered.
 * @throws InputError if a file has changed or holds text that the tokenizer cannot express
 */
export function* readWindows(corpus: TextCorpus, tokenizer: Tokenizer, options: WindowOptions): Generator<Window> {
  const { context, windowTokens, dropped, rows, from } = options;
  const order = documentOrder(corpus.count, options.seed);
  let sequences: Sequence[] = [];
  let size = 0;
  let counted = options.rowsBefore;
  let document = from.document;
  const isBegun = (): boolean => document === from.document && from.sequence > 0;
  for (; document < corpus.count && (counted < rows || isBegun()); document++) {
    const parts = cutDocument(tokenizer.encode(corpus.read(order.at(document))), tokenizer.bosId, context);
    for (let sequence = isBegun() ? from.sequence : 0; sequence < parts.length; sequence++) {
      const tokens = parts[sequence];
      sequences.push({ doc: document, tokens });
      size += tokens.length;
      counted += countKept(tokens, dropped);
      if (size < windowTokens) continue;
      const isLast = sequence + 1 === parts.length;
      yield {
        sequences,
        next: isLast ? { document: document + 1, sequence: 0 } : { document, sequence: sequence + 1 },
      };
      sequences = [];
      size = 0;
    }
  }
  if (sequences.length > 0) yield { sequences, next: { document, sequence: 0 } };
}

/** Document number in the seeded order → number in the corpus. The end of the order is a uniform sample of documents. */
export function documentOrder(documents: number, seed: number): Permutation {
  return new Permutation(documents, new Random(seed, 'documents'));
}

/** Parts of a document, each beginning with BOS if there is one; none for a document without tokens. */
export function cutDocument(ids: Int32Array, bos: number | undefined, context: number): Int32Array[] {
  const room = bos === undefined ? context : context - 1;
  const parts: Int32Array[] = [];
  for (let start = 0; start < ids.length; start += room) {
    const piece = ids.subarray(start, start + room);
    parts.push(bos === undefined ? piece : withBos(bos, piece));
  }
  return parts;
}

function withBos(bos: number, piece: Int32Array): Int32Array {
  const tokens = new Int32Array(piece.length + 1);
  tokens[0] = bos;
  tokens.set(piece, 1);
  return tokens;
}

/** Tokens other than `dropped`. */
export function countKept(tokens: Int32Array, dropped: number | undefined): number {
  let kept = 0;
  for (const token of tokens) if (token !== dropped) kept++;
  return kept;
}

/**
 * Groups sequences of similar length, so that batches hold little padding.
 * @param maxTokens of a batch, padding included; a longer sequence is a batch of its own
 * @returns indices into `sequences`, each in exactly one batch
 */
export function planBatches(sequences: readonly Sequence[], maxTokens: number): number[][] {
  const length = (i: number): number => sequences[i].tokens.length;
  // Equal lengths stay in order: the plan is a function of the lengths alone.
  const longestFirst = sequences.map((_, i) => i).sort((a, b) => length(b) - length(a) || a - b);
  const batches: number[][] = [];
  for (let start = 0; start < longestFirst.length;) {
    const n = Math.max(1, Math.floor(maxTokens / length(longestFirst[start])));
    batches.push(longestFirst.slice(start, start + n));
    start += n;
  }
  return batches;
}
