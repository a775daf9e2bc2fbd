import { describe, expect, it } from 'vitest';
import { Graph } from '../../src/lm/graph.ts';
import { tableSizes } from '../../src/lm/tables.ts';
import { GraphBuilder, intAttribute } from './tiny.ts';

const sizes = (b: GraphBuilder, entry: string, ...outputs: string[]) =>
  tableSizes(
    new Graph(b.graph(['input_ids', 'position_ids', 'attention_mask'], [entry, ...outputs]), 'test.onnx'),
    entry,
  );

const cast = (b: GraphBuilder, x: string, to = 7) => b.node('Cast', [x], [intAttribute('to', to)]);

describe('tableSizes', () => {
  it('counts the rows of tokens and of positions', () => {
    const b = new GraphBuilder();
    const tokens = b.node('Gather', [b.weight(50, 4), b.node('Reshape', [cast(b, 'input_ids'), b.ints(-1, 3)])]);
    const entry = b.node('Add', [tokens, b.node('Gather', [b.weight(32, 4), 'position_ids'])]);
    expect(sizes(b, entry)).toEqual({ tokens: 50, positions: 32 });
  });

  it('takes off what is added to positions', () => {
    const b = new GraphBuilder();
    const counted = b.node('CumSum', ['attention_mask', b.int(1)]);
    const positions = b.node('Gather', [b.weight(34, 4), cast(b, b.node('Add', [counted, b.int(2)]))]);
    expect(sizes(b, b.node('Add', [b.node('Gather', [b.weight(50, 4), 'input_ids']), positions]))).toEqual({
      tokens: 50,
      positions: 32,
    });
  });

  it('knows tables that are quantised, and those of cosines and sines', () => {
    const b = new GraphBuilder();
    const quantised = b.node('GatherBlockQuantized', [b.weight(50, 2), 'input_ids'], [], 'com.microsoft');
    const entry = b.node('DequantizeLinear', [quantised, b.weight(1)]);
    const rotated = b.node(
      'RotaryEmbedding',
      [entry, 'position_ids', b.weight(40, 2), b.weight(40, 2)],
      [],
      'com.microsoft',
    );
    expect(sizes(b, entry, rotated)).toEqual({ tokens: 50, positions: 40 });
  });

  it('does not take other look-ups for tables of positions', () => {
    const b = new GraphBuilder();
    const entry = b.node('Gather', [b.node('Mul', [b.weight(50, 4), b.weight(1)]), 'input_ids']);
    // Buckets of distances inside attention, sizes of tensors, and columns instead of rows.
    const bias = b.node('Gather', [b.weight(8, 2), b.node('Sub', ['position_ids', 'attention_mask'])]);
    const size = b.node('Gather', [b.node('Shape', [entry]), b.ints(0)]);
    const columns = b.node('Gather', [b.weight(6, 4), 'position_ids'], [intAttribute('axis', 1)]);
    expect(sizes(b, entry, bias, size, columns)).toEqual({ tokens: undefined, positions: undefined });
  });
});
