/** Sequences through the model, in even batches. */
import { BATCH_TOKENS, type ForwardPool } from './forward-pool.ts';
import type { Floats, Halves } from './run.ts';
import type { Sequence } from './sequences.ts';
import { packTokens } from './tokens.ts';
import { planBatches } from './windows.ts';

/**
 * Hands all sequences to the pool at once.
 * @param d width of an activation
 * @param store is given every sequence's activations at every site, [≥ tokens, d], valid during the call
 * @returns for every batch the positions that were computed for it, padding included, once its sequences are stored
 */
export function forward<S extends Pick<Sequence, 'tokens'>, A extends Floats | Halves>(
  pool: ForwardPool<A>,
  sequences: readonly S[],
  { padId, d }: { padId: number; d: number },
  store: (sequence: S, acts: readonly A[]) => void,
): Promise<number>[] {
  return planBatches(sequences, BATCH_TOKENS).map(async (chosen) => {
    const members = chosen.map((i) => sequences[i]);
    const batch = packTokens(
      members.map(({ tokens }) => tokens),
      padId,
    );
    const { n, length } = batch;
    const sites = await pool.run(batch);
    for (const [row, sequence] of members.entries()) {
      const [start, end] = [row * length * d, (row + 1) * length * d];
      store(
        sequence,
        sites.map((acts) => acts.subarray(start, end) as A),
      );
    }
    return n * length;
  });
}
