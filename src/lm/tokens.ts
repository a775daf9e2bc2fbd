/** Batches of token sequences as language models read them. */
import { InputError } from '../core/errors.ts';

/** Sequences padded on the right to one length; positions past a sequence's end have mask 0 and mean nothing. */
export interface TokenBatch {
  /** Number of sequences. */
  readonly n: number;
  /** Positions of each, padding included. */
  readonly length: number;
  /** [n, length] */
  readonly ids: BigInt64Array;
  /** [n, length]: 1 for a token, 0 for padding. */
  readonly mask: BigInt64Array;
}

/** @throws InputError if there is not a single token */
export function packTokens(sequences: readonly Int32Array[], padId: number): TokenBatch {
  const length = sequences.reduce((longest, sequence) => Math.max(longest, sequence.length), 0);
  if (length === 0) throw new InputError('there are no tokens to run the model on');
  const n = sequences.length;
  const ids = new BigInt64Array(n * length).fill(BigInt(padId));
  const mask = new BigInt64Array(n * length);
  for (const [row, sequence] of sequences.entries()) {
    for (let i = 0; i < sequence.length; i++) ids[row * length + i] = BigInt(sequence[i]);
    mask.fill(1n, row * length, row * length + sequence.length);
  }
  return { n, length, ids, mask };
}

/** Position of every token in its sequence, [n, length]. */
export function positionsOf({ n, length }: TokenBatch): BigInt64Array {
  return BigInt64Array.from({ length: n * length }, (_, i) => BigInt(i % length));
}
