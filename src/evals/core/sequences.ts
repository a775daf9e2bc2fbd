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

/** A stored row. */
interface Row {
  readonly token: number;
  readonly pos: number;
  readonly doc: number;
}

/**
 * The first sequences in stored order (harvests shuffle documents) that have at least two tokens, from rows that come piece by piece: only
 * those of one sequence wait for their end.
 * A gap at position 0 is BOS; another gap can be filled if only one token was dropped, otherwise its sequence is left out.
 */
export class SequenceReader {
  readonly #specials: Specials;
  readonly #limit: SequenceLimit;
  readonly #sequences: StoredSequence[] = [];
  #tokens = 0;
  /** Rows of the sequence that has not ended. */
  #run: Row[] = [];
  #isFirst = true;

  constructor(specials: Specials, limit: SequenceLimit) {
    this.#specials = specials;
    this.#limit = limit;
  }

  get #isFull(): boolean {
    return this.#sequences.length >= this.#limit.sequences || this.#tokens >= this.#limit.tokens;
  }

  /** In the order of the rows. */
  add({ tokens, pos, doc }: RowOrigins): void {
    for (let row = 0; row < doc.length && !this.#isFull; row++) {
      const last = this.#run.at(-1);
      if (last && !(pos[row] > last.pos && (this.#specials.packed || doc[row] === last.doc))) this.#endRun();
      this.#run.push({ token: tokens[row], pos: pos[row], doc: doc[row] });
    }
  }

  /** After the last row. */
  finish(): StoredSequence[] {
    this.#endRun();
    return this.#sequences;
  }

  #endRun(): void {
    const run = this.#run;
    const isFirst = this.#isFirst;
    [this.#run, this.#isFirst] = [[], false];
    if (run.length === 0 || this.#isFull || (isFirst && beginsInside(run[0], this.#specials))) return;
    const sequence = rebuild(run, this.#specials);
    if (!sequence || sequence.tokens.length < 2) return;
    this.#sequences.push(sequence);
    this.#tokens += sequence.tokens.length;
  }
}

/** The same of rows that are all there. */
export function rebuildSequences(origins: RowOrigins, specials: Specials, limit: SequenceLimit): StoredSequence[] {
  const reader = new SequenceReader(specials, limit);
  reader.add(origins);
  return reader.finish();
}

/** The rows begin with a document; in packed folders its context may have begun with another, which is not among them. */
function beginsInside({ pos }: Row, { bosId, dropped, packed }: Specials): boolean {
  return packed && pos > (bosId !== null && dropped.includes(bosId) ? 1 : 0);
}

function rebuild(run: readonly Row[], { bosId, dropped }: Specials): StoredSequence | undefined {
  const length = run[run.length - 1].pos + 1;
  const stored = new Uint8Array(length);
  const tokens = new Int32Array(length);
  for (const { token, pos } of run) {
    tokens[pos] = token;
    stored[pos] = 1;
  }
  for (let i = 0; i < length; i++) {
    if (stored[i] === 1) continue;
    const token = i === 0 && bosId !== null && dropped.includes(bosId) ? bosId : dropped[0];
    if (token === undefined || (i > 0 && dropped.length > 1)) return undefined;
    tokens[i] = token;
  }
  return { doc: run[0].doc, tokens, stored };
}
