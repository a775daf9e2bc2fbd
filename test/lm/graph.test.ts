import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/errors.ts';
import { Graph } from '../../src/lm/graph.ts';
import { AttributeProtoSchema, GraphProtoSchema } from '../../src/lm/onnx/onnx_pb.ts';
import { GraphBuilder } from './tiny.ts';

describe('Graph', () => {
  it('knows producers, readers of values, and what depends on the inputs', () => {
    const b = new GraphBuilder();
    const weight = b.weight(4, 4);
    const constant = b.node('Relu', [weight]);
    const product = b.node('MatMul', ['x', constant]);
    const shape = b.node('Shape', [product]);
    const out = b.node('Reshape', [product, shape]);
    const graph = new Graph(b.graph(['x'], [out]), 'test.onnx');
    expect(graph.producerNode(product)?.opType).toBe('MatMul');
    expect(graph.producer('x')).toBeUndefined();
    expect(graph.valueConsumers(product)).toEqual([3]);
    expect([weight, constant, product, out].map((name) => graph.isDynamic(name))).toEqual([false, false, true, true]);
    expect(graph.ancestors(product)).toEqual(new Set([0, 1]));
  });

  it('follows what a sub-graph captures', () => {
    const b = new GraphBuilder();
    const first = b.node('Neg', ['x']);
    const branch = create(GraphProtoSchema, {
      node: [{ opType: 'Relu', input: [first], output: ['inner'] }],
      output: [{ name: 'inner' }],
    });
    const out = b.node('If', ['flag'], [create(AttributeProtoSchema, { name: 'then_branch', g: branch, type: 5 })]);
    const graph = new Graph(b.graph(['x', 'flag'], [out]), 'test.onnx');
    expect(graph.ancestors(out)).toEqual(new Set([0, 1]));
  });

  it('refuses a graph that reads or returns what nothing computes', () => {
    const b = new GraphBuilder();
    const out = b.node('Relu', ['nowhere']);
    expect(() => new Graph(b.graph(['x'], [out]), 'test.onnx')).toThrow(InputError);
    expect(() => new Graph(b.graph(['x'], [out]), 'test.onnx')).toThrow('reads "nowhere"');
    const c = new GraphBuilder();
    c.node('Relu', ['x']);
    expect(() => new Graph(c.graph(['x'], ['missing']), 'test.onnx')).toThrow('output "missing"');
  });
});
