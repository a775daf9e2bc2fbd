import { create } from '@bufbuild/protobuf';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { Graph } from '../../src/lm/graph.ts';
import {
  AttributeProtoSchema,
  FunctionProtoSchema,
  GraphProtoSchema,
  NodeProtoSchema,
  ValueInfoProtoSchema,
  type AttributeProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
} from '../../src/lm/onnx/onnx_pb.ts';
import { asPlain } from '../../src/lm/plain.ts';
import { findTrunk } from '../../src/lm/trunk.ts';
import { asModel, encode, GraphBuilder, intAttribute, intsAttribute, tinyTransformer } from './tiny.ts';

const BOOL = 9;

const plain = (proto: ModelProto) =>
  asPlain({ path: 'test.onnx', proto, graph: proto.graph!, externalFiles: [], externalFolder: '.' });

async function run(proto: ModelProto, feeds: Record<string, Tensor>): Promise<number[]> {
  const session = await InferenceSession.create(encode(proto), { logSeverityLevel: 4 });
  const [output] = Object.values(await session.run(feeds)) as Tensor[];
  return Array.from(output.data as Float32Array);
}

const tokens = (name: string) => ({ [name]: new Tensor('int64', BigInt64Array.of(1n, 2n, 3n, 0n), [2, 2]) });

function expectClose(got: number[], wanted: number[]): void {
  expect(got).toHaveLength(wanted.length);
  for (const [i, value] of got.entries()) expect(value).toBeCloseTo(wanted[i], 5);
}

/** One head of attention, which fused operators stand around. */
function attention(b: GraphBuilder, x: string): string {
  const keys = b.node('Transpose', [x], [intsAttribute('perm', [0, 2, 1])]);
  return b.node('MatMul', [b.node('Softmax', [b.node('MatMul', [x, keys])]), x]);
}

function step(
  opType: string,
  input: string[],
  output: string,
  domain = '',
  attribute: AttributeProto[] = [],
): NodeProto {
  return create(NodeProtoSchema, { opType, input, output: [output], domain, attribute, name: output });
}

/** A branch that multiplies a tensor of the graph around it by a weight of its own. */
function branch(name: string, value: number, reads: string, output: string): GraphProto {
  const inner = new GraphBuilder();
  inner.floats([], [value]);
  inner.weights[0].name = `${name}_factor`;
  const node = [step('Mul', [reads, `${name}_factor`], output)];
  return create(GraphProtoSchema, { name, node, initializer: inner.weights, output: [{ name: output }] });
}

describe('asPlain', () => {
  it.each([
    ['SkipLayerNormalization', ['gamma', 'beta'], false],
    ['SkipLayerNormalization', ['gamma', 'beta', 'bias'], false],
    ['SkipLayerNormalization', ['gamma', '', 'bias'], true],
    ['SkipSimplifiedLayerNormalization', ['gamma'], true],
    ['SkipSimplifiedLayerNormalization', ['gamma', 'bias'], false],
  ])('takes %s with %j apart, and the stream runs through it', async (opType, weights, isNamed) => {
    const b = new GraphBuilder();
    const x = b.node('Gather', [b.weight(5, 4), 'input_ids']);
    const a = attention(b, x);
    const own = weights.map((name) => (name === '' ? '' : b.weight(4)));
    const skipNorm = b.node(
      opType,
      [a, x, ...own],
      [create(AttributeProtoSchema, { name: 'epsilon', f: 1e-3, type: 1 })],
      'com.microsoft',
    );
    if (isNamed) b.nodes.at(-1)!.output.push('', '', 'sum');
    const logits = b.node('MatMul', [skipNorm, b.weight(4, 5)]);
    const proto = asModel(b.graph(['input_ids'], [logits]));
    const { graph, proto: made } = plain(proto);
    const [{ pre, post, attention: terms, mlp }] = findTrunk(new Graph(graph, 'test.onnx'), 'test.onnx').blocks;
    expect([pre, mlp]).toEqual([x, []]);
    expect(terms).toHaveLength(1);
    if (isNamed) expect(post).toBe('sum');
    expect(graph.node.some((node) => node.opType.startsWith('Skip'))).toBe(false);
    expectClose(await run(made, tokens('input_ids')), await run(proto, tokens('input_ids')));
  });

  it('takes the stream out of a Gemm, and leaves one with a bias alone', async () => {
    const b = new GraphBuilder();
    const x = b.node('Gather', [b.weight(5, 4), b.node('Reshape', ['input_ids', b.ints(-1)])]);
    const keys = b.node('Transpose', [x], [intsAttribute('perm', [1, 0])]);
    const mixed = b.node('MatMul', [b.node('Softmax', [b.node('MatMul', [x, keys])]), x]);
    const y = b.node('Gemm', [mixed, b.weight(4, 4), x]);
    const logits = b.node('Gemm', [y, b.weight(4, 5), b.weight(5)]);
    const proto = asModel(b.graph(['input_ids'], [logits]));
    const { graph, proto: made } = plain(proto);
    expect(findTrunk(new Graph(graph, 'test.onnx'), 'test.onnx').blocks[0]).toMatchObject({ pre: x, post: y });
    expect(graph.node.filter(({ opType }) => opType === 'Gemm')).toHaveLength(2);
    expectClose(await run(made, tokens('input_ids')), await run(proto, tokens('input_ids')));
  });

  it('takes the branch without a cache, with its weights, and drops the inputs of the other', async () => {
    const outer = new GraphBuilder();
    const embedding = outer.node('Gather', [outer.weight(5, 4), 'input_ids']);
    const attribute = [
      create(AttributeProtoSchema, {
        name: 'then_branch',
        g: branch('then', 2, 'past_key_values.0.key', 'inside'),
        type: 5,
      }),
      create(AttributeProtoSchema, { name: 'else_branch', g: branch('else', 3, embedding, 'within'), type: 5 }),
    ];
    const logits = outer.node('If', ['use_cache_branch'], attribute);
    const graph = outer.graph(['input_ids', 'use_cache_branch', 'past_key_values.0.key'], [logits]);
    graph.input[1] = create(ValueInfoProtoSchema, {
      name: 'use_cache_branch',
      type: { tensorType: { elemType: BOOL, shape: { dim: [{ value: { case: 'dimValue', value: 1n } }] } } },
    });
    graph.input[2].type!.tensorType!.elemType = 1;
    const proto = asModel(graph);
    const made = plain(proto);
    expect(made.graph.input.map(({ name }) => name)).toEqual(['input_ids']);
    expect(made.graph.node.map(({ opType }) => opType)).toEqual(['Gather', 'Mul', 'Identity']);
    const feeds = {
      ...tokens('input_ids'),
      use_cache_branch: new Tensor('bool', Uint8Array.of(0), [1]),
      'past_key_values.0.key': new Tensor('float32', new Float32Array(4), [2, 2]),
    };
    expectClose(await run(made.proto, tokens('input_ids')), await run(proto, feeds));
  });

  it('puts functions in place, those within functions too, with their attributes', async () => {
    const b = new GraphBuilder();
    const x = b.node('Gather', [b.weight(5, 4), 'input_ids']);
    const own = (opType: string, input: string[], i?: number) =>
      b.node(opType, input, i === undefined ? [] : [intAttribute('dim', i)], 'own');
    const y = own('Block', [own('Block', [x, b.weight(4)], 1), b.weight(4)]);
    const logits = b.node('MatMul', [y, b.weight(4, 5)]);
    const proto = asModel(b.graph(['input_ids'], [logits]));
    const reference = create(AttributeProtoSchema, { name: 'axis', refAttrName: 'dim', type: 2 });
    const opsetImport = [
      { domain: '', version: 17n },
      { domain: 'own', version: 1n },
    ] as never;
    proto.functions = [
      create(FunctionProtoSchema, {
        name: 'Block',
        domain: 'own',
        input: ['in', 'scale'],
        output: ['out'],
        attribute: ['dim'],
        opsetImport,
        attributeProto: [intAttribute('dim', 2)],
        node: [
          step('Scaled', ['in', 'scale'], 'f', 'own'),
          step('Softmax', ['f'], 'g', '', [reference]),
          step('Add', ['in', 'g'], 'out'),
        ],
      }),
      create(FunctionProtoSchema, {
        name: 'Scaled',
        domain: 'own',
        input: ['in', 'scale'],
        output: ['out'],
        opsetImport,
        node: [step('Mul', ['in', 'scale'], 'f'), step('Neg', ['f'], 'out')],
      }),
    ];
    proto.opsetImport.push({ ...proto.opsetImport[0], domain: 'own', version: 1n });
    const made = plain(proto);
    expect(made.graph.node.map(({ opType }) => opType)).toEqual([
      'Gather',
      'Mul',
      'Neg',
      'Softmax',
      'Add',
      'Mul',
      'Neg',
      'Softmax',
      'Add',
      'MatMul',
    ]);
    expect(made.graph.node.filter(({ opType }) => opType === 'Softmax').map(({ attribute }) => attribute[0].i)).toEqual(
      [1n, 2n],
    );
    expectClose(await run(made.proto, tokens('input_ids')), await run(proto, tokens('input_ids')));
  });

  it('orders nodes, and leaves those that go round in a circle to be reported', () => {
    const { model } = tinyTransformer({ layers: 3, wiring: 'sequential' });
    const order = model.graph!.node.map(({ output }) => output[0]);
    expect(plain(model).graph.node.map(({ output }) => output[0])).toEqual(order);
    model.graph!.node.reverse();
    const { graph } = plain(model);
    expect(new Set(graph.node.map(({ output }) => output[0]))).toEqual(new Set(order));
    expect(() => new Graph(graph, 'test.onnx')).not.toThrow();
    const b = new GraphBuilder();
    const x = b.node('Add', ['input_ids', 't1']);
    const y = b.node('Relu', [x]);
    expect(() => plain(asModel(b.graph(['input_ids'], [y])))).toThrow('which nothing before it computes');
  });

  it('finds the tokens under another name, also where only a sub-graph reads them', async () => {
    const inner = create(GraphProtoSchema, {
      name: 'inner',
      node: [
        create(NodeProtoSchema, {
          opType: 'Cast',
          input: ['idx'],
          output: ['floats'],
          attribute: [intAttribute('to', 1)],
        }),
      ],
      output: [{ name: 'floats' }],
    });
    const b = new GraphBuilder();
    const attribute = ['then_branch', 'else_branch'].map((name) =>
      create(AttributeProtoSchema, { name, g: inner, type: 5 }),
    );
    const shape = b.node('Shape', ['attention_mask']);
    const out = b.node(
      'If',
      [b.node('Cast', [b.node('ReduceMax', [shape], [intAttribute('keepdims', 0)])], [intAttribute('to', BOOL)])],
      attribute,
    );
    const proto = asModel(b.graph(['idx', 'attention_mask'], [out]));
    const made = plain(proto);
    expect(made.graph.input.map(({ name }) => name)).toEqual(['input_ids', 'attention_mask']);
    const mask = { attention_mask: new Tensor('int64', BigInt64Array.of(1n, 1n), [1, 2]) };
    expect(await run(made.proto, { ...tokens('input_ids'), ...mask })).toEqual([1, 2, 3, 0]);
    expect(await run(proto, { ...tokens('idx'), ...mask })).toEqual([1, 2, 3, 0]);
  });
});
