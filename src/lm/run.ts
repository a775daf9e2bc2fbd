/** A batch through a part of a model: all sequences at once, or one after the other in models that take only one. */
import type { Tensor } from 'onnxruntime-node';
import type { Session } from './session.ts';
import type { TokenBatch } from './tokens.ts';

export type Floats = Float32Array<ArrayBuffer>;
/** The bits of binary16 values. */
export type Halves = Uint16Array<ArrayBuffer>;

export interface Output<A extends Floats | Halves = Floats> {
  readonly dims: readonly number[];
  readonly data: A;
}

/**
 * @param feedsOf what to feed for some of the sequences, from row `first` on
 * @returns the part's outputs, their first dimension over all sequences
 */
export async function runBatch<A extends Floats | Halves = Floats>(
  session: Session,
  batch: TokenBatch,
  isSingle: boolean,
  feedsOf: (some: TokenBatch, first: number) => Record<string, Tensor>,
): Promise<Output<A>[]> {
  if (!isSingle) return (await session.run(feedsOf(batch, 0))).map(asOutput<A>);
  const rows: Output<A>[][] = [];
  for (let row = 0; row < batch.n; row++) {
    rows.push((await session.run(feedsOf(rowOf(batch, row), row))).map(asOutput<A>));
  }
  return rows[0].map((_, i) => stack(rows.map((outputs) => outputs[i])));
}

function asOutput<A extends Floats | Halves>({ dims, data }: Tensor): Output<A> {
  return { dims, data: bitsOf(data as A) };
}

/** Where there is a Float16Array the runtime gives one, elsewhere the bits. */
function bitsOf<A extends Floats | Halves>(values: A): A {
  if (values instanceof Float32Array || values instanceof Uint16Array) return values;
  const { buffer, byteOffset, length } = values as Halves;
  return new Uint16Array(buffer, byteOffset, length) as A;
}

function rowOf({ length, ids, mask }: TokenBatch, row: number): TokenBatch {
  const [start, end] = [row * length, (row + 1) * length];
  return { n: 1, length, ids: ids.subarray(start, end), mask: mask.subarray(start, end) };
}

function stack<A extends Floats | Halves>(parts: readonly Output<A>[]): Output<A> {
  const [{ dims, data }] = parts;
  const size = parts.length * data.length;
  const all = (data instanceof Float32Array ? new Float32Array(size) : new Uint16Array(size)) as A;
  for (const [i, part] of parts.entries()) all.set(part.data, i * data.length);
  return { dims: [dims[0] * parts.length, ...dims.slice(1)], data: all };
}
