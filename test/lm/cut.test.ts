import * as fc from 'fast-check';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { cutPrefix, cutSuffix } from '../../src/lm/cut.ts';
import { Graph } from '../../src/lm/graph.ts';
import { FLOAT, FLOAT16 } from '../../src/lm/onnx/element-types.ts';
import type { ModelProto } from '../../src/lm/onnx/onnx_pb.ts';
import { packTokens, positionsOf, type TokenBatch } from '../../src/lm/tokens.ts';
import { findTrunk } from '../../src/lm/trunk.ts';
import { asModel, encode, GraphBuilder, intsAttribute, tinyTransformer, WIRINGS } from './tiny.ts';

function parts(proto: ModelProto) {
  const model = { path: 'test.onnx', proto, graph: proto.graph!, externalFiles: [], externalFolder: '.' };
  const graph = new Graph(proto.graph!, 'test.onnx');
  return { model, graph, trunk: findTrunk(graph, 'test.onnx') };
}

function feeds({ n, length, ids, mask }: TokenBatch, positions: BigInt64Array, names: readonly string[]) {
  const all = { input_ids: ids, attention_mask: mask, position_ids: positions };
  return Object.fromEntries(
    names.map((name) => [name, new Tensor('int64', all[name as keyof typeof all], [n, length])]),
  );
}

async function run(proto: ModelProto, input: Record<string, Tensor>): Promise<Tensor> {
  const session = await InferenceSession.create(encode(proto), { logSeverityLevel: 3 });
  return Object.values(await session.run(input))[0] as Tensor;
}

function maxDifference(a: Tensor, b: Tensor): number {
  expect(a.dims).toEqual(b.dims);
  const [x, y] = [a.data as Float32Array, b.data as Float32Array];
  return x.reduce((most, value, i) => Math.max(most, Math.abs(value - y[i])), 0);
}

const outputsOf = (proto: ModelProto) => new Set(proto.graph!.node.flatMap(({ output }) => output));
const namesOf = (inputs: readonly { name: string }[]) => inputs.map(({ name }) => name);

const batch = packTokens([Int32Array.of(1, 2, 3, 4, 5), Int32Array.of(7, 8)], 0);
const positions = positionsOf(batch);

describe('cutPrefix and cutSuffix', () => {
  it('compose to the whole model, at every layer of every wiring', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          layers: fc.integer({ min: 1, max: 3 }),
          wiring: fc.constantFrom(...WIRINGS),
          norm: fc.constantFrom('rms' as const, 'layer' as const),
          flip: fc.boolean(),
        }),
        async (options) => {
          const tiny = tinyTransformer(options);
          const { model, graph, trunk } = parts(tiny.model);
          const whole = await run(tiny.model, feeds(batch, positions, graph.inputs));
          for (let layer = 0; layer < options.layers; layer++) {
            const prefix = cutPrefix(model, graph, [trunk.blocks[layer].post]);
            const suffix = cutSuffix(model, graph, trunk, layer, { type: FLOAT, d: 8, isFlat: false, isSingle: false });
            const residual = await run(prefix.proto, feeds(batch, positions, namesOf(prefix.modelInputs)));
            const logits = await run(suffix.proto, {
              ...feeds(batch, positions, namesOf(suffix.modelInputs)),
              [suffix.residualInput]: residual,
            });
            expect(maxDifference(logits, whole)).toBeLessThan(1e-5);
          }
        },
      ),
      { numRuns: 12 },
    );
  });

  it('gives and takes float32 where the model computes in float16', async () => {
    const half = tinyTransformer({ layers: 2, wiring: 'sequential', norm: 'layer', half: true });
    const { model, graph, trunk } = parts(half.model);
    const prefix = cutPrefix(model, graph, [trunk.blocks[0].post]);
    const suffix = cutSuffix(model, graph, trunk, 0, { type: FLOAT16, d: 8, isFlat: false, isSingle: false });
    const residual = await run(prefix.proto, feeds(batch, positions, namesOf(prefix.modelInputs)));
    const logits = await run(suffix.proto, {
      ...feeds(batch, positions, namesOf(suffix.modelInputs)),
      [suffix.residualInput]: residual,
    });
    const single = tinyTransformer({ layers: 2, wiring: 'sequential', norm: 'layer' });
    const whole = await run(single.model, feeds(batch, positions, graph.inputs));
    expect([residual.type, logits.type]).toEqual(['float32', 'float32']);
    expect(maxDifference(logits, whole)).toBeLessThan(0.05);
  });

  it('leave out what the other part computes, and its weights', () => {
    const tiny = tinyTransformer({ layers: 3, wiring: 'sequential' });
    const { model, graph, trunk } = parts(tiny.model);
    const prefix = cutPrefix(model, graph, [trunk.blocks[1].post]);
    const suffix = cutSuffix(model, graph, trunk, 1, { type: FLOAT, d: 8, isFlat: false, isSingle: false });
    expect(outputsOf(prefix.proto).has(trunk.blocks[2].post)).toBe(false);
    expect(outputsOf(suffix.proto).has(trunk.blocks[0].post)).toBe(false);
    expect(outputsOf(suffix.proto).has(trunk.blocks[0].pre)).toBe(false);
    // Only the mask is computed twice; its shape comes from the residual, not from an embedding.
    expect(namesOf(suffix.modelInputs)).toEqual(['attention_mask']);
    const weights = [prefix, suffix].map(({ proto }) => proto.graph!.initializer.length);
    expect(weights[0] + weights[1]).toBeLessThan(tiny.model.graph!.initializer.length + 16);
  });

  it('keep a head that is tied to the embedding', async () => {
    const b = new GraphBuilder();
    const table = b.weight(5, 4);
    const x = b.node('Gather', [table, 'input_ids']);
    const scores = b.node('MatMul', [x, b.node('Transpose', [x], [intsAttribute('perm', [0, 2, 1])])]);
    const y = b.node('Add', [x, b.node('MatMul', [b.node('Softmax', [scores]), x])]);
    const logits = b.node('MatMul', [y, b.node('Transpose', [table], [intsAttribute('perm', [1, 0])])]);
    const proto = asModel(b.graph(['input_ids'], [logits]));
    const { model, graph, trunk } = parts(proto);
    const suffix = cutSuffix(model, graph, trunk, 0, { type: FLOAT, d: 4, isFlat: false, isSingle: false });
    expect(namesOf(suffix.modelInputs)).toEqual([]);
    const prefix = cutPrefix(model, graph, [y]);
    const input = feeds(packTokens([Int32Array.of(1, 2, 3)], 0), positions, ['input_ids']);
    const residual = await run(prefix.proto, input);
    expect(maxDifference(await run(suffix.proto, { [suffix.residualInput]: residual }), await run(proto, input))).toBe(
      0,
    );
  });
});
