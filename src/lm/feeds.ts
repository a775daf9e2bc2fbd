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

/**
 * @param dims as declared; undefined where the graph does not say
 * @param type element type, by its number
 */
type Feed = (batch: TokenBatch, dims: readonly Dimension[] | undefined, type: number) => Values;

const perToken =
  (at: (batch: TokenBatch, i: number) => number): Feed =>
  (batch) => ({ dims: [batch.n, batch.length], at: (i) => at(batch, i) });

const single =
  (of: (batch: TokenBatch) => number): Feed =>
  (batch, dims = []) => ({ dims: dims.map(() => 1), at: () => of(batch) });

/** [n, length], or of one rank more or less: [length], or [3, n, length] for those of text among images. */
const positions: Feed = ({ n, length }, dims) => {
  const sizes = { 1: [length], 3: [typeof dims?.[0] === 'number' ? dims[0] : 3, n, length] }[dims?.length ?? 2];
  return { dims: sizes ?? [n, length], at: (i) => i % length };
};

/**
 * [n, length], or which position sees which, [n, 1, length, length]: as numbers 1 and 0, or, in floating point, as what
 * is added to the scores.
 */
const mask: Feed = ({ n, length, mask }, dims = [], type) => {
  if (dims.length <= 2) return { dims: [n, length], at: (i) => Number(mask[i]) };
  const heads = dims.slice(1, -2).map((size) => (typeof size === 'number' ? size : 1));
  const rows = heads.reduce((a, b) => a * b, 1) * length;
  const [seen, hidden] = type === FLOAT || type === FLOAT16 ? [0, LOWEST] : [1, 0];
  return {
    dims: [n, ...heads, length, length],
    at: (i) => {
      const row = Math.floor(i / length);
      const key = i % length;
      return key <= row % length && mask[Math.floor(row / rows) * length + key] !== 0n ? seen : hidden;
    },
  };
};
/** The most negative number of half precision. */
const LOWEST = -65504;

const CACHE = /^past/;

const FEEDS: readonly (readonly [name: RegExp, feed: Feed])[] = [
  [/^input_ids$/, perToken(({ ids }, i) => Number(ids[i]))],
  [/^(attention|attn|input)_mask$/, mask],
  [/^position_ids$/, positions],
  [/^cache_position$/, ({ length }) => ({ dims: [length], at: (i) => i })],
  [/^token_type_ids$/, perToken(() => 0)],
  [/^use_cache_branch$/, single(() => 0)],
  // How many positions, from the end, get logits: 0 stands for all of them.
  [/^(num_)?logits_to_keep$/, single(() => 0)],
  [/^total_seq(uence)?_len(gth)?$/, single(({ length }) => length)],
  [
    /^(seqlens_k|past_seq_len)$/,
    (batch, dims = []) => ({ dims: dims.map((_, i) => (i === 0 ? batch.n : 1)), at: (i) => tokensOf(batch, i) - 1 }),
  ],
  // What a convolution or recurrence remembers of no tokens.
  [
    /^past.*(conv|ssm|state)/,
    ({ n }, dims = []) => ({ dims: dims.map((size) => (typeof size === 'number' ? size : n)), at: () => 0 }),
  ],
  // A cache of the keys and values of no tokens: past_key_values.0.key, past_0, …
  [CACHE, ({ n }, dims = []) => ({ dims: emptyCache(dims, n), at: () => 0 })],
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
  if (CACHE.test(input.name) && !declared) return 'has no declared shape';
  if (fits(input, MANY) || fits(input, ONE)) return undefined;
  return `is fixed to the shape [${declared?.map((size) => size ?? '?').join(', ')}]`;
}

/** Whether an input takes one sequence only. */
export function takesOne(input: ValueInfoProto): boolean {
  return !fits(input, MANY);
}

/** No dimension of a fixed size is likely to be 3 or 5. */
const MANY = packTokens([new Int32Array(5), new Int32Array(5), new Int32Array(5)], 0);
const ONE = packTokens([new Int32Array(5)], 0);

/** Whether what is fed has the declared shape. */
function fits(input: ValueInfoProto, batch: TokenBatch): boolean {
  const declared = dimensionsOf(input);
  const { dims } = feedInput(input, batch);
  if (!declared) return true;
  return declared.length === dims.length && declared.every((size, i) => typeof size !== 'number' || size === dims[i]);
}

function feedInput(input: ValueInfoProto, batch: TokenBatch): Tensor {
  const [, values] = FEEDS.find(([pattern]) => pattern.test(input.name))!;
  const { elemType } = input.type!.tensorType!;
  return TYPES[elemType](values(batch, dimensionsOf(input), elemType));
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
 * The shape of an empty cache: of the dimensions that are not fixed, one is the batch and the others count tokens. Where
 * one of the two is fixed, the shape contradicts the declaration.
 */
function emptyCache(dims: readonly Dimension[], n: number): number[] {
  const isFree = (size: Dimension): boolean => typeof size !== 'number';
  const isLength = (size: Dimension): boolean => size === 0 || (typeof size === 'string' && /past|seq|len/.test(size));
  const isBatch = (size: Dimension): boolean => typeof size === 'string' && /batch/.test(size);
  const batch = [isBatch, (size: Dimension) => isFree(size) && !isLength(size)]
    .map((test) => dims.findIndex(test))
    .find((place) => place >= 0);
  const shape = dims.map((size, i) => (i === batch ? n : typeof size === 'number' ? size : 0));
  if (batch === undefined) shape[0] = n;
  if (!shape.includes(0)) shape[Math.max(0, shape.length - 2)] = 0;
  return shape;
}
