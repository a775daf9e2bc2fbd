/** Index of an ONNX graph: who makes each tensor, who reads it, what depends on the inputs. */
import { InputError } from '../core/errors.ts';
import { BFLOAT16, DOUBLE, FLOAT16, INT64 } from './onnx/element-types.ts';
import type { GraphProto, NodeProto, TensorProto } from './onnx/onnx_pb.ts';

/** Nodes that read a tensor's shape and not its values. */
const SHAPE_READERS = new Set(['Shape', 'Size']);

const OTHER_FLOATS: ReadonlySet<number> = new Set([FLOAT16, DOUBLE, BFLOAT16]);
/** Attributes that name the element type of an output. */
const CONVERSIONS = new Set(['to', 'dtype']);

export class Graph {
  /** In topological order, as ONNX demands. */
  readonly nodes: readonly NodeProto[];
  readonly weights: ReadonlyMap<string, TensorProto>;
  /** Graph inputs that are not weights with a default. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Whether all of its floating-point numbers are float32. */
  readonly isSinglePrecision: boolean;
  readonly #reads: readonly (readonly string[])[];
  readonly #producer = new Map<string, number>();
  readonly #consumers = new Map<string, number[]>();
  readonly #dynamic: Set<string>;

  /** @param where file for messages; @throws InputError if a node reads what no earlier node, weight or input provides */
  constructor(graph: GraphProto, where: string) {
    this.nodes = graph.node;
    this.weights = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
    this.inputs = graph.input.map(({ name }) => name).filter((name) => !this.weights.has(name));
    this.outputs = graph.output.map(({ name }) => name);
    this.isSinglePrecision = !hasOtherPrecision(graph);
    this.#reads = graph.node.map(readsOf);
    this.#dynamic = new Set(this.inputs);
    this.#index(where);
  }

  /** Index of the node that computes a tensor; undefined for weights and graph inputs. */
  producer(tensor: string): number | undefined {
    return this.#producer.get(tensor);
  }

  /** The node that computes a tensor. */
  producerNode(tensor: string): NodeProto | undefined {
    const index = this.#producer.get(tensor);
    return index === undefined ? undefined : this.nodes[index];
  }

  /** Nodes that read a tensor's values; nodes that ask for its shape only are left out. */
  valueConsumers(tensor: string): readonly number[] {
    return this.#consumers.get(tensor) ?? [];
  }

  /** Whether a tensor depends on a graph input (weights and constants do not). */
  isDynamic(tensor: string): boolean {
    return this.#dynamic.has(tensor);
  }

  /** Tensors that are computed from the values of one, itself included. */
  descendants(tensor: string): Set<string> {
    const found = new Set([tensor]);
    const pending = [tensor];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      for (const output of this.valueConsumers(next).flatMap((node) => this.nodes[node].output)) {
        if (output === '' || found.has(output)) continue;
        found.add(output);
        pending.push(output);
      }
    }
    return found;
  }

  /** Value of a weight or constant that is one integer. */
  integer(tensor: string): number | undefined {
    const node = this.producerNode(tensor);
    const value = this.weights.get(tensor) ?? node?.attribute.find(({ name }) => name === 'value')?.t;
    if (!value || (node && node.opType !== 'Constant') || value.dataType !== INT64) return undefined;
    if (value.dims.reduce((a, b) => a * b, 1n) !== 1n) return undefined;
    if (value.int64Data.length === 1) return Number(value.int64Data[0]);
    const { rawData } = value;
    if (rawData.length !== 8) return undefined;
    return Number(new DataView(rawData.buffer, rawData.byteOffset).getBigInt64(0, true));
  }

  /** A name that no tensor has, `wish` itself if possible. */
  unusedName(wish: string): string {
    let name = wish;
    while (this.#producer.has(name) || this.weights.has(name) || this.inputs.includes(name)) name += '_';
    return name;
  }

  /**
   * Nodes that a tensor is computed from, itself included.
   * @param rename lets a caller replace the tensors that nodes read by others, or stop at them (undefined)
   */
  ancestors(tensor: string, rename: (read: string) => string | undefined = (read) => read): Set<number> {
    const found = new Set<number>();
    const pending = [tensor];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const node = this.#producer.get(next);
      if (node === undefined || found.has(node)) continue;
      found.add(node);
      for (const read of this.#reads[node]) {
        const target = rename(read);
        if (target !== undefined) pending.push(target);
      }
    }
    return found;
  }

  #index(where: string): void {
    const known = new Set([...this.inputs, ...this.weights.keys()]);
    for (const [i, node] of this.nodes.entries()) {
      for (const read of this.#reads[i]) {
        if (!known.has(read)) {
          throw new InputError(
            `the graph is damaged: node "${node.name}" (${node.opType}) reads "${read}", which nothing before it computes`,
            { where, hint: 'export or download the model again' },
          );
        }
        if (SHAPE_READERS.has(node.opType)) continue;
        const consumers = this.#consumers.get(read);
        if (!consumers) this.#consumers.set(read, [i]);
        else if (consumers.at(-1) !== i) consumers.push(i);
      }
      const dynamic = this.#reads[i].some((read) => this.#dynamic.has(read));
      for (const output of node.output) {
        if (output === '') continue;
        known.add(output);
        this.#producer.set(output, i);
        if (dynamic) this.#dynamic.add(output);
      }
    }
    const missing = this.outputs.find((output) => !known.has(output));
    if (missing !== undefined) {
      throw new InputError(`the graph is damaged: nothing computes its output "${missing}"`, {
        where,
        hint: 'export or download the model again',
      });
    }
  }
}

/** Tensors that a node reads, those captured by its sub-graphs included. */
export function readsOf(node: NodeProto): string[] {
  const reads = node.input.filter((name) => name !== '');
  for (const { g, graphs } of node.attribute) {
    for (const inner of g ? [g, ...graphs] : graphs) reads.push(...capturesOf(inner));
  }
  return [...new Set(reads)];
}

/** Tensors of the enclosing graph that a sub-graph (of If, Loop or Scan) uses. */
function capturesOf(graph: GraphProto): string[] {
  const own = new Set([
    ...graph.input.map(({ name }) => name),
    ...graph.initializer.map(({ name }) => name),
    ...graph.node.flatMap(({ output }) => output),
  ]);
  const used = [...graph.node.flatMap(readsOf), ...graph.output.map(({ name }) => name)];
  return used.filter((name) => !own.has(name));
}

const isOther = (type: number | bigint | undefined): boolean => OTHER_FLOATS.has(Number(type));

/** Whether numbers of another precision than float32 come in by an input, a weight, a constant or a conversion. */
function hasOtherPrecision(graph: GraphProto): boolean {
  if (graph.initializer.some(({ dataType }) => isOther(dataType))) return true;
  if (graph.input.some(({ type }) => isOther(type?.tensorType?.elemType))) return true;
  return graph.node.some(({ attribute }) =>
    attribute.some(
      ({ name, i, t, g, graphs }) =>
        (CONVERSIONS.has(name) && isOther(i)) ||
        isOther(t?.dataType) ||
        (g ? [g, ...graphs] : graphs).some(hasOtherPrecision),
    ),
  );
}
