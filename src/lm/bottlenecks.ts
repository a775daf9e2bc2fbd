/**
 * The bottlenecks between a tensor and the output of a graph: tensors that everything computed from its values must pass
 * through (its post-dominators). The residual stream is made of them: whatever a block does, the output depends on the
 * embedding only by way of the stream after that block. Masks, positions and shapes join from the side and do not matter,
 * because only paths that start at the tensor count.
 */
import type { Graph } from './graph.ts';

export class Bottlenecks {
  readonly sink: string;
  readonly #next = new Map<string, string>();

  constructor(graph: Graph, sink: string) {
    this.sink = sink;
    // Elements of the tree are tensors and nodes alike; a node stands between what it reads and its several outputs.
    const tree = new Tree();
    const tensors = new Map<string, Element>([[sink, tree.root]]);
    const nodes: (Element | undefined)[] = [];
    const visit = (tensor: string): Element | undefined => {
      if (tensor !== sink) {
        const parent = tree.meet(graph.valueConsumers(tensor).map((node) => nodes[node]));
        if (parent) tensors.set(tensor, { parent, depth: parent.depth + 1, tensor });
      }
      return tensors.get(tensor);
    };
    // Backwards through a topological order: everything that reads a tensor has been seen before the tensor itself.
    for (let node = graph.nodes.length - 1; node >= 0; node--) {
      const parent = tree.meet(graph.nodes[node].output.map(visit));
      if (parent) nodes[node] = { parent, depth: parent.depth + 1, tensor: undefined };
    }
    graph.inputs.forEach(visit);
    for (const [tensor, { parent }] of tensors) {
      let above = parent;
      while (above && above !== tree.root && above.tensor === undefined) above = above.parent;
      if (above) this.#next.set(tensor, above.tensor ?? sink);
    }
  }

  /** The nearest bottleneck after a tensor; undefined for the sink and for tensors that it does not depend on. */
  next(tensor: string): string | undefined {
    return this.#next.get(tensor);
  }

  /** Whether the sink depends on the values of a tensor. */
  matters(tensor: string): boolean {
    return tensor === this.sink || this.#next.has(tensor);
  }
}

interface Element {
  readonly parent: Element | undefined;
  readonly depth: number;
  readonly tensor: string | undefined;
}

class Tree {
  readonly root: Element = { parent: undefined, depth: 0, tensor: undefined };

  /** Lowest common ancestor of those elements that are in the tree; undefined if none is. */
  meet(elements: readonly (Element | undefined)[]): Element | undefined {
    let result: Element | undefined;
    for (const element of elements) {
      if (element) result = result ? common(result, element) : element;
    }
    return result;
  }
}

function common(one: Element, other: Element): Element {
  let a = one;
  let b = other;
  while (a !== b) {
    // The root is above everything, so the deeper of two different elements always has a parent.
    if (a.depth >= b.depth) a = a.parent!;
    else b = b.parent!;
  }
  return a;
}
