/** Words with the model's activations at them: what probes are trained on, whatever the activations come from. */
import type { RowOrigins } from '../../activations/source.ts';
import { Random } from '../../core/random.ts';
import type { HeldOutRows } from '../held-out-rows.ts';
import type { Vocabulary } from './vocabulary.ts';
import type { Occurrence } from './word-properties.ts';

export interface WordRows {
  readonly d: number;
  /** `[rows, d]` raw activations. */
  readonly x: Float32Array;
  /** `[rows]` what stands at each. */
  readonly occurrences: readonly Occurrence[];
  /** `[rows]` 1 where the word is kept for the test: all its rows are, and those of its other spellings. */
  readonly isTest: Uint8Array;
}

/** Of each token; more rows of usual words would say little new. */
const ROWS_PER_WORD = 32;
const MAX_ROWS = 10_000;
/** Share of the words that probes are not trained on. */
const TEST_SHARE = 0.2;

/** Whether a word is kept for the test. It depends on the seed and on its letters alone. */
export function isTestWord(word: string, seed: number): boolean {
  return new Random(seed, 'evals', 'absorption', 'test word', word.toLowerCase()).uniform() < TEST_SHARE;
}

export function wordRows(x: Float32Array, d: number, occurrences: readonly Occurrence[], seed: number): WordRows {
  return { d, x, occurrences, isTest: Uint8Array.from(occurrences, ({ word }) => Number(isTestWord(word, seed))) };
}

/** Words that are one token in running text: the first held-out rows of each, as many of every word as there is room for. */
export async function wordsInContext(rows: HeldOutRows, chooser: WordChooser, seed: number): Promise<WordRows> {
  const { d } = rows;
  const chosen = chooser.finish();
  const x = new Float32Array(chosen.length * d);
  let next = 0;
  for await (const { start, rows: count, raw } of rows.batches()) {
    for (; next < chosen.length && chosen[next].row < start + count; next++) {
      const at = (chosen[next].row - start) * d;
      x.set(raw.subarray(at, at + d), next * d);
    }
  }
  return wordRows(
    x,
    d,
    chosen.map(({ occurrence }) => occurrence),
    seed,
  );
}

interface WordRow {
  readonly row: number;
  readonly occurrence: Occurrence;
}

/** Finds words in rows that come piece by piece. What it keeps has a bound: {@link ROWS_PER_WORD} of every token of the vocabulary. */
export class WordChooser {
  readonly #vocabulary: Vocabulary;
  /** How often each token was a word. */
  readonly #seen = new Map<number, number>();
  /** `times`: how often the token had come before. */
  readonly #found: (WordRow & { readonly times: number })[] = [];
  /** The row that may be one, which its next token tells. */
  #candidate: (WordRow & { readonly token: number }) | undefined;
  #before: Place | undefined;

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
  }

  /** @param start row of the first; pieces come in the order of the rows */
  add({ tokens, pos, doc }: RowOrigins, start: number): void {
    for (let i = 0; i < tokens.length; i++) {
      const place = { token: tokens[i], pos: pos[i], doc: doc[i] };
      const isNext = this.#before !== undefined && follows(place, this.#before);
      if (!isNext || !this.#vocabulary.continues(place.token)) this.#keep();
      this.#candidate = undefined;
      const word = this.#isFull(place.token) ? undefined : this.#vocabulary.wordOf(place.token);
      if (word !== undefined) {
        const before = isNext ? this.#vocabulary.textOf(this.#before!.token) : undefined;
        this.#candidate = { row: start + i, token: place.token, occurrence: { word, before } };
      }
      this.#before = place;
    }
  }

  #isFull(token: number): boolean {
    return this.#seen.get(token) === ROWS_PER_WORD;
  }

  #keep(): void {
    if (!this.#candidate) return;
    const { token, row, occurrence } = this.#candidate;
    const times = this.#seen.get(token) ?? 0;
    this.#seen.set(token, times + 1);
    this.#found.push({ row, occurrence, times });
    this.#candidate = undefined;
  }

  /** The rows that are taken, ascending; after the last one. */
  finish(): WordRow[] {
    this.#keep();
    let most = ROWS_PER_WORD;
    while (most > 1 && this.#found.filter(({ times }) => times < most).length > MAX_ROWS) most--;
    return this.#found.filter(({ times }) => times < most).slice(0, MAX_ROWS);
  }
}

interface Place {
  readonly token: number;
  readonly pos: number;
  readonly doc: number;
}

/** Whether it is the next token of the same text. */
function follows(place: Place, before: Place): boolean {
  return place.doc === before.doc && place.pos === before.pos + 1;
}
