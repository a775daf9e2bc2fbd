/** Stretches of the stream of sequences that are harvested together: long enough to sort them into even batches. */
import { countKept } from './rows.ts';
import { readSequences, type Cut, type Place, type Sequence, type TokenSource } from './sequences.ts';

/** Sequences that are harvested together, and where to go on after them. */
export interface Window {
  readonly sequences: readonly Sequence[];
  readonly next: Place;
}

export interface WindowOptions extends Cut {
  /** A window ends with the sequence that fills it up to this many tokens. */
  windowTokens: number;
  /** Token whose rows do not count, if any. */
  dropped: number | undefined;
  /** The stream ends with the document that reaches this many rows; packed, with the context that does. */
  rows: number;
  /** Where to begin, and the rows that lie before. */
  from: Place;
  rowsBefore: number;
}

/**
 * Windows one after the other; each depends on the texts and the options only, not on where the stream was entered.
 * @throws InputError for a text that cannot be read, or that the tokenizer cannot express
 */
export function* readWindows(source: TokenSource, options: WindowOptions): Generator<Window> {
  const { pack, windowTokens, dropped, rows, from } = options;
  let sequences: Sequence[] = [];
  let size = 0;
  let counted = options.rowsBefore;
  let next = from;
  const isEnough = (): boolean => counted >= rows && (pack || next.offset === 0);
  if (isEnough()) return;
  for (const at of readSequences(source, options, from)) {
    const { tokens } = at.sequence;
    ({ next } = at);
    sequences.push(at.sequence);
    size += tokens.length;
    counted += countKept(tokens, dropped);
    const isLast = isEnough();
    if (size >= windowTokens || isLast) {
      yield { sequences, next };
      sequences = [];
      size = 0;
    }
    if (isLast) return;
  }
  if (sequences.length > 0) yield { sequences, next };
}

/**
 * Groups sequences of similar length, so that batches hold little padding.
 * @param maxTokens of a batch, padding included; a longer sequence is a batch of its own
 * @returns indices into `sequences`, each in exactly one batch
 */
export function planBatches(sequences: readonly Pick<Sequence, 'tokens'>[], maxTokens: number): number[][] {
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
