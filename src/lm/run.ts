/** A batch through a part of a model: all sequences at once, or one after the other in models that take only one. */
import type { Tensor } from 'onnxruntime-node';
import type { Session } from './session.ts';
import type { TokenBatch } from './tokens.ts';

export interface Output {
  readonly dims: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

/**
 * @param feedsOf what to feed for some of the sequences, from row `first` on
 * @returns the part's outputs, their first dimension over all sequences
 */
export async function runBatch(
  session: Session,
  batch: TokenBatch,
  isSingle: boolean,
  feedsOf: (some: TokenBatch, first: number) => Record<string, Tensor>,
): Promise<Output[]> {
  if (!isSingle) return (await session.run(feedsOf(batch, 0))).map(asOutput);
  const rows: Output[][] = [];
  for (let row = 0; row < batch.n; row++) {
    rows.push((await session.run(feedsOf(rowOf(batch, row), row))).map(asOutput));
  }
  return rows[0].map((_, i) => stack(rows.map((outputs) => outputs[i])));
}

function asOutput({ dims, data }: Tensor): Output {
  return { dims, data: data as Float32Array<ArrayBuffer> };
}

function rowOf({ length, ids, mask }: TokenBatch, row: number): TokenBatch {
  const [start, end] = [row * length, (row + 1) * length];
  return { n: 1, length, ids: ids.subarray(start, end), mask: mask.subarray(start, end) };
}

function stack(parts: readonly Output[]): Output {
  const [{ dims, data }] = parts;
  const all = new Float32Array(parts.length * data.length);
  for (const [i, part] of parts.entries()) all.set(part.data, i * data.length);
  return { dims: [dims[0] * parts.length, ...dims.slice(1)], data: all };
}
