/**
 * What the inputs of a language model's graph are fed with: whole sequences from their beginning, without a cache. What
 * an input is, its name says; its type and shape are those that the graph declares.
 */
import { Tensor } from 'onnxruntime-node';
import { f32ToF16 } from '../core/floats.ts';
import { BOOL, FLOAT, FLOAT16, INT32, INT64 } from './onnx/element-types.ts';
import type { ValueInfoProto } from './onnx/onnx_pb.ts';
import { packTokens, type TokenBatch } from './tokens.ts';

/** The input that takes the tokens. */
export const TOKENS = 'input_ids';

/** What a dimension of an input is declared as: a number, a name, or nothing. */
type Dimension = number | string | undefined;

/** Numbers, to be given in whatever type an input has. */
interface Values {
  readonly dims: readonly number[];
  at(i: number): number;
}

/** @param dims as declared; undefined where the graph does not say */
type Feed = (batch: TokenBatch, dims: readonly Dimension[] | undefined) => Values;

const perToken =
  (at: (batch: TokenBatch, i: number) => number): Feed =>
  (batch) => ({ dims: [batch.n, batch.length], at: (i) => at(batch, i) });

const single =
  (of: (batch: TokenBatch) => number): Feed =>
  (batch, dims = []) => ({ dims: dims.map(() => 1), at: () => of(batch) });

const FEEDS: readonly (readonly [name: RegExp, feed: Feed])[] = [
  [/^input_ids$/, perToken(({ ids }, i) => Number(ids[i]))],
  [/^attention_mask$/, perToken(({ mask }, i) => Number(mask[i]))],
  [/^position_ids$/, perToken(({ length }, i) => i % length)],
  [/^token_type_ids$/, perToken(() => 0)],
  [/^cache_position$/, ({ length }) => ({ dims: [length], at: (i) => i })],
  [/^use_cache_branch$/, single(() => 0)],
  // How many positions, from the end, get logits: 0 stands for all of them.
  [/^(num_)?logits_to_keep$/, single(() => 0)],
  [/^total_seq(uence)?_len(gth)?$/, single(({ length }) => length)],
  [
    /^(seqlens_k|past_seq_len)$/,
    (batch, dims = []) => ({ dims: dims.map((_, i) => (i === 0 ? batch.n : 1)), at: (i) => tokensOf(batch, i) - 1 }),
  ],
  // A cache of the keys and values of no tokens: past_key_values.0.key, past_0, …
  [/^past/, ({ n }, dims = []) => ({ dims: emptyCache(dims, n), at: () => 0 })],
];

const TYPES: Readonly<Record<number, (values: Values) => Tensor>> = {
  [INT64]: (values) => new Tensor('int64', BigInt64Array.from(listed(values), BigInt), values.dims),
  [INT32]: (values) => new Tensor('int32', Int32Array.from(listed(values)), values.dims),
  [BOOL]: (values) => new Tensor('bool', Uint8Array.from(listed(values)), values.dims),
  [FLOAT]: (values) => new Tensor('float32', Float32Array.from(listed(values)), values.dims),
  [FLOAT16]: (values) => new Tensor('float16', Uint16Array.from(listed(values), f32ToF16), values.dims),
};

/** @param inputs of a graph, none of which {@link refusal} objects to */
export function feed(inputs: readonly ValueInfoProto[], batch: TokenBatch): Record<string, Tensor> {
  return Object.fromEntries(inputs.map((input) => [input.name, feedInput(input, batch)]));
}

/** Whether a name says what an input is. */
export function isKnownInput(name: string): boolean {
  return FEEDS.some(([pattern]) => pattern.test(name));
}

/** Why an input cannot be fed; undefined if it can. */
export function refusal(input: ValueInfoProto): string | undefined {
  const { elemType = 0 } = input.type?.tensorType ?? {};
  if (!isKnownInput(input.name)) return 'is not one that a language model is fed with';
  if (!(elemType in TYPES)) return `has a type that cannot be given (number ${elemType} of ONNX)`;
  const declared = dimensionsOf(input);
  const { dims } = feedInput(input, PROBE);
  const isFree = declared?.every((size, i) => typeof size !== 'number' || size === dims[i]) ?? true;
  if (isFree && (declared?.length ?? dims.length) === dims.length) return undefined;
  return `is fixed to the shape [${declared?.map((size) => size ?? '?').join(', ')}]`;
}

/** No dimension of a fixed size is likely to be 3 or 5. */
const PROBE = packTokens([new Int32Array(5), new Int32Array(5), new Int32Array(5)], 0);

function feedInput(input: ValueInfoProto, batch: TokenBatch): Tensor {
  const [, values] = FEEDS.find(([pattern]) => pattern.test(input.name))!;
  return TYPES[input.type!.tensorType!.elemType](values(batch, dimensionsOf(input)));
}

function dimensionsOf({ type }: ValueInfoProto): Dimension[] | undefined {
  return type?.tensorType?.shape?.dim.map(({ value }) => {
    if (value.case === 'dimValue') return Number(value.value);
    return value.case === 'dimParam' && value.value !== '' ? value.value : undefined;
  });
}

function listed({ dims, at }: Values): number[] {
  return Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => at(i));
}

/** Tokens of a sequence, padding not counted. */
function tokensOf({ length, mask }: TokenBatch, row: number): number {
  return mask.subarray(row * length, (row + 1) * length).reduce((sum, bit) => sum + Number(bit), 0);
}

/**
 * The shape of an empty cache: the batch is the dimension whose name says so, or the first that is not fixed; the others
 * that are not fixed count tokens.
 */
function emptyCache(dims: readonly Dimension[], n: number): number[] {
  const named = dims.findIndex((size) => typeof size === 'string' && size.includes('batch'));
  const batch = named < 0 ? dims.findIndex((size) => typeof size !== 'number') : named;
  return dims.map((size, i) => (typeof size === 'number' ? size : i === batch ? n : 0));
}
