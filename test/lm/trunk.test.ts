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
          const { model, residuals, attention, mlp } = tinyTransformer(options);
          const { blocks } = trunkOf(model);
          expect(blocks.map(({ post }) => post)).toEqual(residuals);
          expect(blocks.slice(1).map(({ pre }) => pre)).toEqual(residuals.slice(0, -1));
          expect(blocks.map((block) => block.attention)).toEqual(attention.map((tensor) => [tensor]));
          expect(blocks.map((block) => block.mlp)).toEqual(mlp.map((tensor) => [tensor]));
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

  it('finds the stream after the norm where every sum is normalised', () => {
    const b = new GraphBuilder();
    const norm = (x: string) => b.node('LayerNormalization', [x, b.weight(4), b.weight(4)]);
    let x = b.node('Gather', [b.weight(5, 4), 'input_ids']);
    const blocks = Array.from({ length: 3 }, () => {
      const pre = x;
      const attention = b.node('MultiHeadAttention', [x, x, x], [], 'com.microsoft');
      x = norm(b.node('Add', [x, attention]));
      const mlp = b.node('Relu', [b.node('MatMul', [x, b.weight(4, 4)])]);
      x = norm(b.node('Add', [mlp, x]));
      return { pre, post: x, attention: [attention], mlp: [mlp] };
    });
    const logits = b.node('MatMul', [x, b.weight(4, 5)]);
    expect(trunkOf(asModel(b.graph(['input_ids'], [logits]))).blocks).toEqual(blocks);
  });

  it('counts the final norm of other models to the head', () => {
    const b = new GraphBuilder();
    const norm = (x: string) => b.node('LayerNormalization', [x, b.weight(4), b.weight(4)]);
    let x = b.node('Gather', [b.weight(5, 4), 'input_ids']);
    for (let layer = 0; layer < 2; layer++) {
      const n = norm(x);
      x = b.node('Add', [x, b.node('MultiHeadAttention', [n, n, n], [], 'com.microsoft')]);
    }
    const logits = b.node('MatMul', [norm(x), b.weight(4, 5)]);
    expect(trunkOf(asModel(b.graph(['input_ids'], [logits]))).blocks[1].post).toBe(x);
  });

  it('follows a stream that is weighed, converted and flattened on the way', () => {
    const b = new GraphBuilder();
    const cast = (x: string, to: number) => b.node('Cast', [x], [intAttribute('to', to)]);
    let x = b.node('Gather', [b.weight(5, 4), 'input_ids']);
    const residuals: string[] = [];
    for (let layer = 0; layer < 2; layer++) {
      const a = b.node('MultiHeadAttention', [x, x, x], [], 'com.microsoft');
      const half = b.node('Add', [b.node('Mul', [x, b.floats([], [0.7])]), cast(a, 10)]);
      const flat = b.node('Reshape', [cast(half, 1), b.ints(-1, 4)]);
      const sum = b.node('Add', [flat, b.node('Gemm', [flat, b.weight(4, 4), b.weight(4)])]);
      x = b.node('Reshape', [sum, b.node('Shape', [x])]);
      residuals.push(x);
    }
    const logits = b.node('MatMul', [x, b.weight(4, 5)]);
    expect(residualsOf(asModel(b.graph(['input_ids'], [logits])))).toEqual(residuals);
  });

  it('takes a convolution along the sequence for attention, and one of width 1 for a product', () => {
    const b = new GraphBuilder();
    let x = b.node('Gather', [b.weight(5, 4), 'input_ids']);
    const blocks = Array.from({ length: 2 }, () => {
      const pre = x;
      const conv = (input: string, width: number) =>
        b.node('Conv', [input, b.weight(4, 4, width)], [intsAttribute('kernel_shape', [width])]);
      const mixer = conv(x, 3);
      x = b.node('Add', [x, mixer]);
      const mlp = conv(x, 1);
      x = b.node('Add', [x, mlp]);
      return { pre, post: x, attention: [mixer], mlp: [mlp] };
    });
    const logits = b.node('MatMul', [x, b.weight(4, 5)]);
    expect(trunkOf(asModel(b.graph(['input_ids'], [logits]))).blocks).toEqual(blocks);
  });

  it('is not misled by a factor that all blocks share', () => {
    const b = new GraphBuilder();
    const factor = b.floats([], [0.22]);
    const constant = b.node('Identity', [factor]);
    let x = b.node('Gather', [b.weight(5, 4), 'input_ids']);
    const blocks = Array.from({ length: 2 }, () => {
      const pre = x;
      const attention = b.node('Mul', [b.node('MultiHeadAttention', [x, x, x], [], 'com.microsoft'), constant]);
      x = b.node('Add', [x, attention]);
      const mlp = b.node('Mul', [b.node('MatMul', [x, b.weight(4, 4)]), constant]);
      x = b.node('Add', [x, mlp]);
      return { pre, post: x, attention: [attention], mlp: [mlp] };
    });
    const logits = b.node('MatMul', [x, b.weight(4, 5)]);
    expect(trunkOf(asModel(b.graph(['input_ids'], [logits]))).blocks).toEqual(blocks);
  });

  it('takes the outer of two chains that join: sums inside a sublayer may contain its attention', () => {
    const b = new GraphBuilder();
    let x = b.node('Gather', [b.weight(5, 4), 'input_ids']);
    const residuals: string[] = [];
    for (let layer = 0; layer < 3; layer++) {
      const inner = b.node('MatMul', [x, b.weight(4, 4)]);
      const mixed = b.node('Add', [inner, b.node('MultiHeadAttention', [inner, inner, inner], [], 'com.microsoft')]);
      x = b.node('Add', [x, b.node('Add', [mixed, b.node('MatMul', [mixed, b.weight(4, 4)])])]);
      residuals.push(x);
    }
    const logits = b.node('MatMul', [x, b.weight(4, 5)]);
    expect(residualsOf(asModel(b.graph(['input_ids'], [logits])))).toEqual(residuals);
  });

  it('gives a sublayer all of its terms, and a bias that stands alone to the sublayer that is there', () => {
    const b = new GraphBuilder();
    const x = b.node('Gather', [b.weight(5, 4), 'input_ids']);
    const a = b.node('MultiHeadAttention', [x, x, x], [], 'com.microsoft');
    const bias = b.weight(4);
    const h = b.node('Add', [b.node('Add', [a, x]), bias]);
    const [shared, routed] = [0, 1].map(() => b.node('MatMul', [h, b.weight(4, 4)]));
    const y = b.node('Add', [b.node('Add', [h, shared]), routed]);
    const logits = b.node('MatMul', [y, b.weight(4, 5)]);
    expect(trunkOf(asModel(b.graph(['input_ids'], [logits]))).blocks).toEqual([
      { pre: x, post: y, attention: [a, bias], mlp: [shared, routed] },
    ]);
  });

  it('names the candidates where several chains could be the stream, and takes the one that has the known layers', () => {
    const b = new GraphBuilder();
    const tower = (layers: number): string[] => {
      const stream = [b.node('Gather', [b.weight(5, 4), 'input_ids'])];
      for (let layer = 0; layer < layers; layer++) {
        const x = stream[layer];
        stream.push(b.node('Add', [x, b.node('MultiHeadAttention', [x, x, x], [], 'com.microsoft')]));
      }
      return stream;
    };
    const [one, other, short] = [tower(3), tower(3), tower(1)];
    const both = b.node('Concat', [one[3], other[3], short[1]], [intAttribute('axis', -1)]);
    const { graph } = asModel(b.graph(['input_ids'], [b.node('MatMul', [both, b.weight(12, 5)])]));
    const find = (layers?: number) => findTrunk(new Graph(graph!, 'test.onnx'), 'test.onnx', layers);
    const named = [`3 blocks from "${one[0]}" to "${one[3]}"`, `3 blocks from "${other[0]}" to "${other[3]}"`];
    for (const layers of [undefined, 3]) {
      expect(() => find(layers)).toThrow(InputError);
      expect(() => find(layers)).toThrow(`the residual stream is ambiguous: ${named.join('; ')}`);
    }
    expect(() => find()).toThrow(`1 block from "${short[0]}" to "${short[1]}"`);
    expect(find(1).blocks.map(({ post }) => post)).toEqual([short[1]]);
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
