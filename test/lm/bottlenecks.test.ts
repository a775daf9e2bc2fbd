import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Bottlenecks } from '../../src/lm/bottlenecks.ts';
import { Graph } from '../../src/lm/graph.ts';
import { GraphBuilder } from './tiny.ts';

/** Whether `to` depends on `from` in a graph without the values of `removed`. */
function reaches(graph: Graph, from: string, to: string, removed?: string): boolean {
  if (from === removed) return false;
  if (from === to) return true;
  return graph
    .valueConsumers(from)
    .some((node) => graph.nodes[node].output.some((t) => reaches(graph, t, to, removed)));
}

describe('Bottlenecks', () => {
  it('agrees with the definition: without the tensor, nothing reaches the sink', () => {
    const edges = fc.array(fc.array(fc.nat(1000), { minLength: 1, maxLength: 3 }), { minLength: 2, maxLength: 9 });
    fc.assert(
      fc.property(edges, (picks) => {
        const b = new GraphBuilder();
        const tensors = ['x'];
        for (const pick of picks)
          tensors.push(b.node('Sum', [...new Set(pick.map((i) => tensors[i % tensors.length]))]));
        const sink = tensors.at(-1)!;
        const graph = new Graph(b.graph(['x'], [sink]), 'test.onnx');
        const bottlenecks = new Bottlenecks(graph, sink);
        for (const [i, tensor] of tensors.entries()) {
          const next = tensors
            .slice(i + 1)
            .find((other) => reaches(graph, tensor, sink) && !reaches(graph, tensor, sink, other));
          expect(bottlenecks.next(tensor)).toBe(next);
          expect(bottlenecks.matters(tensor)).toBe(reaches(graph, tensor, sink));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('does not count reading a shape', () => {
    const b = new GraphBuilder();
    const inner = b.node('Relu', ['x']);
    const sink = b.node('Reshape', [inner, b.node('Shape', ['x'])]);
    const bottlenecks = new Bottlenecks(new Graph(b.graph(['x'], [sink]), 'test.onnx'), sink);
    expect(bottlenecks.next('x')).toBe(inner);
  });
});
