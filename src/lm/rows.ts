/** Which positions of a sequence become rows of activations, and where they are put. */
import type { RowOrigins } from '../activations/source.ts';
import type { Sequence } from './sequences.ts';

/** Tokens other than `dropped`: each of them is a row. */
export function countKept(tokens: Int32Array, dropped: number | undefined): number {
  let kept = 0;
  for (const token of tokens) if (token !== dropped) kept++;
  return kept;
}

/** Writes the origins of a sequence's rows to `firstRow` and after. */
export function storeOrigins(
  into: RowOrigins,
  firstRow: number,
  { tokens, docs }: Sequence,
  dropped: number | undefined,
): void {
  let row = firstRow;
  for (let pos = 0; pos < tokens.length; pos++) {
    if (tokens[pos] === dropped) continue;
    into.tokens[row] = tokens[pos];
    into.pos[row] = pos;
    into.doc[row] = docs[pos];
    row++;
  }
}

/**
 * Copies the rows of a sequence to `firstRow` and after.
 * @param acts [≥ tokens, d], dropped tokens included; @param into [rows, d]
 */
export function storeRows<A extends Float32Array | Uint16Array>(
  into: A,
  firstRow: number,
  tokens: Int32Array,
  acts: A,
  d: number,
  dropped: number | undefined,
): void {
  let row = firstRow;
  for (let pos = 0; pos < tokens.length;) {
    if (tokens[pos] === dropped) {
      pos++;
      continue;
    }
    const start = pos;
    while (pos < tokens.length && tokens[pos] !== dropped) pos++;
    into.set(acts.subarray(start * d, pos * d), row * d);
    row += pos - start;
  }
}
