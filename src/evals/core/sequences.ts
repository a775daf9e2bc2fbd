/**
 * Token sequences as the model read them, put together again from the rows that the harvest stored. A sequence is a part
 * of one document or, where documents were packed, a context with parts of several.
 */
import type { RowOrigins } from '../../activations/source.ts';

export interface StoredSequence {
  /** Document of its first stored token. */
  readonly doc: number;
  /** [length] */
  readonly tokens: Int32Array;
  /** [length], 1 where the row of a token was stored: there the SAE takes the place of the residual. */
  readonly stored: Uint8Array;
}

export interface Specials {
  /** Token that begins every sequence. */
  readonly bosId: number | null;
  /** Tokens whose rows were not stored. */
  readonly dropped: readonly number[];
  /** Documents were joined into full contexts. */
  readonly packed: boolean;
}

export interface SequenceLimit {
  readonly sequences: number;
  /** The sequence that reaches it is the last one. */
  readonly tokens: number;
}

/** Rows [start, end) of one sequence. */
interface Run {
  start: number;
  end: number;
}

/**
 * The first sequences in stored order (harvests shuffle documents) that have at least two tokens.
 * A gap at position 0 is BOS; another gap can be filled if only one token was dropped, otherwise its sequence is left out.
 */
export function rebuildSequences(origins: RowOrigins, specials: Specials, limit: SequenceLimit): StoredSequence[] {
  const sequences: StoredSequence[] = [];
  let tokens = 0;
  for (const run of runs(origins, specials.packed)) {
    if (run.start === 0 && beginsInside(origins, specials)) continue;
    if (sequences.length >= limit.sequences || tokens >= limit.tokens) break;
    const sequence = rebuild(origins, run, specials);
    if (!sequence || sequence.tokens.length < 2) continue;
    sequences.push(sequence);
    tokens += sequence.tokens.length;
  }
  return sequences;
}

/** The rows begin with a document; in packed folders its context may have begun with another, which is not among them. */
function beginsInside({ pos }: RowOrigins, { bosId, dropped, packed }: Specials): boolean {
  return packed && pos[0] > (bosId !== null && dropped.includes(bosId) ? 1 : 0);
}

function* runs({ pos, doc }: RowOrigins, packed: boolean): Generator<Run> {
  let start = 0;
  for (let row = 1; row <= doc.length; row++) {
    if (row < doc.length && (packed || doc[row] === doc[row - 1]) && pos[row] > pos[row - 1]) continue;
    yield { start, end: row };
    start = row;
  }
}

function rebuild(origins: RowOrigins, { start, end }: Run, { bosId, dropped }: Specials): StoredSequence | undefined {
  const length = origins.pos[end - 1] + 1;
  const stored = new Uint8Array(length);
  const tokens = new Int32Array(length);
  for (let row = start; row < end; row++) {
    tokens[origins.pos[row]] = origins.tokens[row];
    stored[origins.pos[row]] = 1;
  }
  for (let i = 0; i < length; i++) {
    if (stored[i] === 1) continue;
    const token = i === 0 && bosId !== null && dropped.includes(bosId) ? bosId : dropped[0];
    if (token === undefined || (i > 0 && dropped.length > 1)) return undefined;
    tokens[i] = token;
  }
  return { doc: origins.doc[start], tokens, stored };
}
