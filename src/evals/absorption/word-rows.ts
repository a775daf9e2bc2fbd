/** Words with the model's activations at them: what probes are trained on, whatever the activations come from. */
import type { RowOrigins } from '../../activations/source.ts';
import { Random } from '../../core/random.ts';
import type { HeldOutRows } from '../held-out-rows.ts';
import type { Vocabulary } from './vocabulary.ts';

export interface WordRows {
  readonly d: number;
  /** `[rows, d]` raw activations. */
  readonly x: Float32Array;
  /** `[rows]` the word at each. */
  readonly words: readonly string[];
  /** `[rows]` 1 where the word is kept for the test: all its rows are, and those of its other spellings. */
  readonly isTest: Uint8Array;
}

/** Of each spelling; more rows of usual words would say little new. */
const ROWS_PER_WORD = 8;
const MAX_ROWS = 10_000;
/** Share of the words that probes are not trained on. */
export const TEST_SHARE = 0.2;

/** Whether a word is kept for the test. It depends on the seed and on its letters alone. */
export function isTestWord(word: string, seed: number): boolean {
  return new Random(seed, 'evals', 'absorption', 'test word', word.toLowerCase()).uniform() < TEST_SHARE;
}

/** Words that are one token in running text: the first held-out rows of each, the same number of every word if need be. */
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
  const words = chosen.map((row) => vocabulary.wordOf(origins.tokens[row])!);
  return { d, x, words, isTest: Uint8Array.from(words, (word) => Number(isTestWord(word, seed))) };
}

/** Ascending. */
function chooseRows(rows: number, { tokens, pos, doc }: RowOrigins, vocabulary: Vocabulary): number[] {
  const seen = new Map<number, number>();
  /** How often the word had come before. */
  const found: { row: number; before: number }[] = [];
  for (let row = 0; row < rows; row++) {
    const token = tokens[row];
    const before = seen.get(token) ?? 0;
    if (before === ROWS_PER_WORD || vocabulary.wordOf(token) === undefined) continue;
    const isFollowed = row + 1 < rows && doc[row + 1] === doc[row] && pos[row + 1] === pos[row] + 1;
    if (isFollowed && vocabulary.continues(tokens[row + 1])) continue;
    seen.set(token, before + 1);
    found.push({ row, before });
  }
  let most = ROWS_PER_WORD;
  while (most > 1 && found.filter(({ before }) => before < most).length > MAX_ROWS) most--;
  return found.filter(({ before }) => before < most).slice(0, MAX_ROWS).map(({ row }) => row);
}
