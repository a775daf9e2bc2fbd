import { create } from '@bufbuild/protobuf';
import type { Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { feed, refusal, takesOne } from '../../src/lm/feeds.ts';
import { ValueInfoProtoSchema, type ValueInfoProto } from '../../src/lm/onnx/onnx_pb.ts';
import { packTokens } from '../../src/lm/tokens.ts';

const [FLOAT, INT32, INT64, BOOL, FLOAT16] = [1, 6, 7, 9, 10];
const batch = packTokens([Int32Array.of(4, 5, 6), Int32Array.of(7)], 0);

function declared(name: string, elemType: number, dims?: (number | string)[]): ValueInfoProto {
  const dim = dims?.map((size) => ({
    value:
      typeof size === 'number'
        ? { case: 'dimValue' as const, value: BigInt(size) }
        : { case: 'dimParam' as const, value: size },
  }));
  return create(ValueInfoProtoSchema, { name, type: { tensorType: { elemType, ...(dim && { shape: { dim } }) } } });
}

function fed(name: string, elemType: number, dims?: (number | string)[]): [string, readonly number[], number[]] {
  const input = declared(name, elemType, dims);
  expect(refusal(input)).toBeUndefined();
  const { type, dims: shape, data } = feed([input], batch)[name] as Tensor;
  return [type, shape, Array.from(data as Int32Array, Number)];
}

describe('feed', () => {
  it.each([
    ['input_ids', INT64, ['b', 's'], 'int64', [2, 3], [4, 5, 6, 7, 0, 0]],
    ['input_ids', INT32, undefined, 'int32', [2, 3], [4, 5, 6, 7, 0, 0]],
    ['attention_mask', BOOL, ['b', 's'], 'bool', [2, 3], [1, 1, 1, 1, 0, 0]],
    ['attention_mask', FLOAT, ['b', 's'], 'float32', [2, 3], [1, 1, 1, 1, 0, 0]],
    ['input_mask', FLOAT16, ['b', 's'], 'float16', [2, 3], [0x3c00, 0x3c00, 0x3c00, 0x3c00, 0, 0]],
    ['position_ids', INT64, ['b', 's'], 'int64', [2, 3], [0, 1, 2, 0, 1, 2]],
    ['position_ids', INT64, ['s'], 'int64', [3], [0, 1, 2]],
    ['position_ids', INT64, [3, 'b', 's'], 'int64', [3, 2, 3], [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]],
    ['cache_position', INT64, ['s'], 'int64', [3], [0, 1, 2]],
    ['token_type_ids', INT64, ['b', 's'], 'int64', [2, 3], [0, 0, 0, 0, 0, 0]],
    ['use_cache_branch', BOOL, [1], 'bool', [1], [0]],
    ['num_logits_to_keep', INT64, [], 'int64', [], [0]],
    ['total_sequence_length', INT32, [1], 'int32', [1], [3]],
    ['seqlens_k', INT32, ['b', 1], 'int32', [2, 1], [2, 0]],
    ['past_key_values.0.key', FLOAT, ['batch_size', 4, 'past_sequence_length', 8], 'float32', [2, 4, 0, 8], []],
    ['past_key_values.0.value', FLOAT16, ['s0', 4, 's1', 8], 'float16', [2, 4, 0, 8], []],
    ['past_conv.0', FLOAT, ['batch', 2, 3], 'float32', [2, 2, 3], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['past_key_values.0.key', FLOAT, ['batch', 4, 0, 8], 'float32', [2, 4, 0, 8], []],
    ['past_0', FLOAT, [2, 'batch', 4, 'past_seq_len', 8], 'float32', [2, 2, 4, 0, 8], []],
  ])('gives %s of type %i and shape %j', (name, elemType, dims, type, shape, values) => {
    expect(fed(name, elemType, dims)).toEqual([type, shape, values]);
  });

  it('gives a mask of pairs of positions where the graph asks for one', () => {
    const seen = [1, 0, 0, 1, 1, 0, 1, 1, 1, 1, 0, 0, 1, 0, 0, 1, 0, 0];
    expect(fed('attention_mask', BOOL, ['b', 1, 's', 't'])).toEqual(['bool', [2, 1, 3, 3], seen]);
    const [type, , added] = fed('attention_mask', FLOAT, ['b', 1, 's', 't']);
    expect([type, added]).toEqual(['float32', seen.map((bit) => (bit === 1 ? 0 : -65504))]);
    const perHead = fed('attention_mask', INT64, ['b', 2, 's', 't']);
    expect(perHead[1]).toEqual([2, 2, 3, 3]);
    expect(perHead[2]).toEqual([...seen.slice(0, 9), ...seen.slice(0, 9), ...seen.slice(9), ...seen.slice(9)]);
  });
});

describe('refusal', () => {
  it.each([
    ['pixel_values', FLOAT, ['b', 3, 224, 224], 'is not one that a language model is fed with'],
    ['input_ids', 8, ['b', 's'], 'has a type that cannot be given (number 8 of ONNX)'],
    ['input_ids', INT64, [2, 's'], 'is fixed to the shape [2, s]'],
    ['input_ids', INT64, ['b', 128], 'is fixed to the shape [b, 128]'],
    ['input_ids', INT64, ['s'], 'is fixed to the shape [s]'],
    ['past_key_values.0.key', FLOAT, undefined, 'has no declared shape'],
    ['past_key_values.0.key', FLOAT, ['batch', 4, 16, 8], 'is fixed to the shape [batch, 4, 16, 8]'],
    ['past_key_values.0.key', FLOAT, [1, 4, 16, 8], 'is fixed to the shape [1, 4, 16, 8]'],
  ])('of %s of type %i and shape %j', (name, elemType, dims, reason) => {
    expect(refusal(declared(name, elemType, dims))).toBe(reason);
  });
});

describe('takesOne', () => {
  it.each([
    ['input_ids', INT64, [1, 's'], true],
    ['past_key_values.0.key', FLOAT, [1, 4, 'past', 8], true],
    ['input_ids', INT64, ['b', 's'], false],
    ['input_ids', INT64, undefined, false],
    ['use_cache_branch', BOOL, [1], false],
  ])('of %s of type %i and shape %j: %s', (name, elemType, dims, expected) => {
    const input = declared(name, elemType, dims);
    expect(refusal(input)).toBeUndefined();
    expect(takesOne(input)).toBe(expected);
  });
});
