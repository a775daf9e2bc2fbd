/** The sequences that a live training reads, found by the numbers of their rows. */
import { countKept } from '../rows.ts';
import { readSequences, type Cut, type Sequence, type SequenceAt, type TokenSource } from '../sequences.ts';

/** A sequence and where its rows lie in the endless stream of rows. */
export interface NumberedSequence extends Sequence {
  readonly firstRow: number;
  readonly rows: number;
}

/** Between two looks at the event loop. */
const BUSY_MS = 50;

export class TrainingStream {
  readonly #source: TokenSource;
  readonly #cut: Cut;
  readonly #dropped: number | undefined;
  #sequences: Generator<SequenceAt>;
  /** Rows before the sequence that comes next. */
  #row = 0;
  /** Was looked at, but not used. */
  #pending: NumberedSequence | undefined;

  /** @param source without end, or longer than anybody reads */
  constructor(source: TokenSource, cut: Cut, dropped: number | undefined) {
    this.#source = source;
    this.#cut = cut;
    this.#dropped = dropped;
    this.#sequences = readSequences(source, cut);
  }

  /**
   * Goes to the sequence that holds row `row`. What lies before is tokenised and counted; going back starts anew.
   * @param onProgress is given the number of the row that was reached
   * @throws InputError for a text that cannot be read, or that the tokenizer cannot express
   */
  async seek(row: number, onProgress: (row: number) => void, isStopped: () => boolean): Promise<void> {
    if (row < (this.#pending?.firstRow ?? this.#row)) this.#restart();
    let look = performance.now();
    for (let next = this.#peek(); next.firstRow + next.rows <= row; next = this.#peek()) {
      this.#pending = undefined;
      if (performance.now() - look < BUSY_MS) continue;
      onProgress(this.#row);
      // Signals, and steps of the training, get their turn.
      await new Promise(setImmediate);
      if (isStopped()) return;
      look = performance.now();
    }
  }

  /** The next sequences, up to the one that holds the row before `end`. One that reaches past it comes again next time. */
  *until(end: number): Generator<NumberedSequence> {
    for (let next = this.#peek(); next.firstRow < end; next = this.#peek()) {
      if (next.firstRow + next.rows <= end) this.#pending = undefined;
      yield next;
      if (this.#pending !== undefined) return;
    }
  }

  #peek(): NumberedSequence {
    if (this.#pending) return this.#pending;
    try {
      const { sequence } = (this.#sequences.next() as IteratorYieldResult<SequenceAt>).value;
      const rows = countKept(sequence.tokens, this.#dropped);
      this.#pending = { ...sequence, firstRow: this.#row, rows };
      this.#row += rows;
      return this.#pending;
    } catch (error) {
      this.#restart();
      throw error;
    }
  }

  #restart(): void {
    this.#sequences = readSequences(this.#source, this.#cut);
    this.#row = 0;
    this.#pending = undefined;
  }
}
