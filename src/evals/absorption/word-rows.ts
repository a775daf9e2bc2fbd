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
export async function wordsInContext(
  rows: HeldOutRows,
  origins: RowOrigins,
  vocabulary: Vocabulary,
  seed: number,
): Promise<WordRows> {
  const { d } = rows;
  const chosen = chooseRows(rows.rows, origins, vocabulary);
  const x = new Float32Array(chosen.length * d);
  let next = 0;
  for await (const { start, rows: count, raw } of rows.batches()) {
    for (; next < chosen.length && chosen[next] < start + count; next++) {
      const at = (chosen[next] - start) * d;
      x.set(raw.subarray(at, at + d), next * d);
    }
  }
  const occurrences = chosen.map((row): Occurrence => {
    const before = isNext(origins, row - 1) ? vocabulary.textOf(origins.tokens[row - 1]) : undefined;
    return { word: vocabulary.wordOf(origins.tokens[row])!, before };
  });
  return wordRows(x, d, occurrences, seed);
}

/** Ascending. */
function chooseRows(rows: number, origins: RowOrigins, vocabulary: Vocabulary): number[] {
  const seen = new Map<number, number>();
  /** `before`: how often the token had come before. */
  const found: { row: number; before: number }[] = [];
  for (let row = 0; row < rows; row++) {
    const token = origins.tokens[row];
    const before = seen.get(token) ?? 0;
    if (before === ROWS_PER_WORD || vocabulary.wordOf(token) === undefined) continue;
    if (isNext(origins, row) && vocabulary.continues(origins.tokens[row + 1])) continue;
    seen.set(token, before + 1);
    found.push({ row, before });
  }
  let most = ROWS_PER_WORD;
  while (most > 1 && found.filter(({ before }) => before < most).length > MAX_ROWS) most--;
  return found
    .filter(({ before }) => before < most)
    .slice(0, MAX_ROWS)
    .map(({ row }) => row);
}

/** Whether the row after this one, if both exist, is the next token of the same text. */
function isNext({ doc, pos }: RowOrigins, row: number): boolean {
  return row >= 0 && row + 1 < doc.length && doc[row + 1] === doc[row] && pos[row + 1] === pos[row] + 1;
}
