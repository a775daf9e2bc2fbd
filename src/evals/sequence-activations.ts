/** Activations of whole token sequences. */
import type { Prefix } from '../lm/parts.ts';
import { packTokens } from '../lm/tokens.ts';

/**
 * @param texts run as one batch, padded to the longest
 * @returns for each text `[its length, d]` at the prefix's first site, views of one array
 */
export async function activationsOf(
  prefix: Prefix,
  texts: readonly Int32Array[],
  padId: number,
): Promise<Float32Array[]> {
  const batch = packTokens(texts, padId);
  const [all] = await prefix.run(batch);
  return texts.map(({ length }, i) => {
    const start = i * batch.length * prefix.d;
    return all.subarray(start, start + length * prefix.d);
  });
}
