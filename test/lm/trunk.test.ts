import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/errors.ts';
import { Graph } from '../../src/lm/graph.ts';
import { findTrunk } from '../../src/lm/trunk.ts';
import type { ModelProto } from '../../src/lm/onnx/onnx_pb.ts';
import { asModel, GraphBuilder, intAttribute, intsAttribute, tinyTransformer, WIRINGS } from './tiny.ts';

const trunkOf = ({ graph }: ModelProto) => findTrunk(new Graph(graph!, 'test.onnx'), 'test.onnx');

const residualsOf = (model: ModelProto) => trunkOf(model).blocks.map(({ post }) => post);

describe('findTrunk', () => {
  it('finds the stream after every block, however the blocks are wired', () => {
    fc.assert(
      fc.property(
        fc.record({
          layers: fc.integer({ min: 1, max: 5 }),
          wiring: fc.constantFrom(...WIRINGS),
          norm: fc.constantFrom('rms' as const, 'layer' as const),
          flip: fc.boolean(),
          half: fc.boolean(),
        }),
        (options) => {
          const { model, residuals } = tinyTransformer(options);
          expect(residualsOf(model)).toEqual(residuals);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('takes the logits, not a cache or hidden state, for the output', () => {
    const { model, residuals } = tinyTransformer({ layers: 2, wiring: 'sequential' });
    const { graph } = model;
    const logits = graph!.output[0].name;
    graph!.output.unshift({ ...graph!.output[0], name: residuals[0] }, { ...graph!.output[0], name: residuals[1] });
    expect(trunkOf(model).logits).toBe(logits);
    expect(residualsOf(model)).toEqual(residuals);
  });

  it('knows attention as one operator, grows through casts and is not misled by adapters and routers', () => {
    const b = new GraphBuilder();
    const cast = (x: string) => b.node('Cast', [x], [intAttribute('to', 1)]);
    let x = b.node('Gather', [b.weight(5, 4), 'input_ids']);
    const residuals: string[] = [];
    for (let layer = 0; layer < 3; layer++) {
      const attention = b.node('GroupQueryAttention', [x, x, x], [], 'com.microsoft');
      // An adapter is a small residual sum inside the sublayer.
      const adapted = b.node('Add', [attention, b.node('MatMul', [attention, b.weight(4, 4)])]);
      x = b.node('Add', [adapted, cast(x)]);
      // A router has a softmax but mixes no positions.
      const gate = b.node('Softmax', [b.node('MatMul', [x, b.weight(4, 1)])]);
      const expert = b.node('Add', [b.node('MatMul', [x, b.weight(4, 4)]), b.weight(4)]);
      x = b.node('Add', [cast(x), b.node('Mul', [gate, expert])]);
      residuals.push(x);
    }
    const logits = b.node('MatMul', [x, b.weight(4, 5)]);
    expect(residualsOf(asModel(b.graph(['input_ids'], [logits])))).toEqual(residuals);
  });

  it('counts a sum before the first attention as part of the embedding', () => {
    const b = new GraphBuilder();
    const token = b.node('Gather', [b.weight(5, 4), 'input_ids']);
    const embedding = b.node('Add', [token, b.node('MatMul', [token, b.weight(4, 4)])]);
    const scores = b.node('MatMul', [embedding, b.node('Transpose', [embedding], [intsAttribute('perm', [0, 2, 1])])]);
    const block = b.node('Add', [embedding, b.node('MatMul', [b.node('Softmax', [scores]), embedding])]);
    const logits = b.node('MatMul', [block, b.weight(4, 5)]);
    expect(trunkOf(asModel(b.graph(['input_ids'], [logits]))).blocks).toMatchObject([{ pre: embedding, post: block }]);
  });

  it('says what it saw in a graph without a residual stream', () => {
    const b = new GraphBuilder();
    const token = b.node('Gather', [b.weight(5, 4), 'input_ids']);
    const other = b.node('Gather', [b.weight(5, 4), 'input_ids']);
    const sum = b.node('Add', [token, other]);
    const logits = b.node('MatMul', [b.node('Relu', [sum]), b.weight(4, 5)]);
    const find = () => trunkOf(asModel(b.graph(['input_ids'], [logits])));
    expect(find).toThrow(InputError);
    expect(find).toThrow(`no residual stream found`);
    expect(find).toThrow(`5 nodes, 1 sums of two activations, 0 of the form r + f(r)); nearest: "${sum}"`);
  });

  it('says so if there are residual sums but no attention', () => {
    const b = new GraphBuilder();
    let x = b.node('Gather', [b.weight(5, 4), 'input_ids']);
    for (let i = 0; i < 10; i++) x = b.node('Add', [x, b.node('MatMul', [x, b.weight(4, 4)])]);
    expect(() => trunkOf(asModel(b.graph(['input_ids'], [x])))).toThrow(
      /10 of the form r \+ f\(r\)\); nearest: .* and 2 more/,
    );
  });
});
