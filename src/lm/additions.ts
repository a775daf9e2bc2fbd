/**
 * The residual additions r' = r + f(r) of a graph, and what their terms are: sums of two or more terms in any grouping,
 * conversions and constant factors between them included.
 */
import type { Bottlenecks } from './bottlenecks.ts';
import { readsOf, type Graph } from './graph.ts';
import type { NodeProto } from './onnx/onnx_pb.ts';

/** One r' = r + f(r), or α r + f(r) with a constant α. */
export interface Addition {
  /** r */
  readonly skip: string;
  /** r' */
  readonly sum: string;
  /** Terms of f that attention has gone into; several where r stands between them: (attention + r) + bias. */
  readonly attention: readonly string[];
  /** All other terms. */
  readonly other: readonly string[];
}

export const SUMS: ReadonlySet<string> = new Set(['Add', 'Sum']);
/** Between the terms of one sum these change nothing. */
export const PASS_THROUGH: ReadonlySet<string> = new Set(['Add', 'Sum', 'Cast', 'Identity', 'Dropout']);
const PRODUCTS = new Set(['MatMul', 'FusedMatMul', 'MatMulInteger', 'Gemm', 'Einsum']);

/** Additions of a tensor to something computed from it, by their skip operand. */
export function findAdditions(graph: Graph, bottlenecks: Bottlenecks): Map<string, Addition> {
  const additions = new Map<string, Addition>();
  for (const node of graph.nodes) {
    const [sum] = node.output;
    if (!SUMS.has(node.opType) || !bottlenecks.matters(sum)) continue;
    const addition = asAddition(graph, bottlenecks, node, sum);
    if (addition) additions.set(addition.skip, addition);
  }
  return additions;
}

/** Looks for the skip operand among the terms of a sum, nested sums included: (attention + x) + mlp has it one level down. */
function asAddition(graph: Graph, bottlenecks: Bottlenecks, node: NodeProto, sum: string): Addition | undefined {
  const terms = [...node.input];
  for (let term = terms.pop(); term !== undefined; term = terms.pop()) {
    // A constant that all blocks share leads to the last sum as well.
    if (bottlenecks.next(term) !== sum || !graph.isDynamic(term)) continue;
    const inner = between(graph, bottlenecks, term, sum);
    if ([...inner].some((i) => !PASS_THROUGH.has(graph.nodes[i].opType))) {
      const end = withBias(graph, sum);
      return { skip: term, sum: end, ...sortTerms(graph, term, end, inner) };
    }
    const producer = graph.producerNode(term);
    if (producer && (PASS_THROUGH.has(producer.opType) || isScaling(graph, producer))) terms.push(...producer.input);
  }
  return undefined;
}

/** A sum to which a constant is added at once is not complete before that. */
function withBias(graph: Graph, sum: string): string {
  const [consumer, ...others] = graph.valueConsumers(sum);
  if (consumer === undefined || others.length > 0) return sum;
  const { opType, input, output } = graph.nodes[consumer];
  const isBias = SUMS.has(opType) && input.every((operand) => operand === sum || !graph.isDynamic(operand));
  return isBias ? withBias(graph, output[0]) : sum;
}

/** Nodes that are computed from `from` on the way to the bottleneck `to`. */
function between(graph: Graph, bottlenecks: Bottlenecks, from: string, to: string): Set<number> {
  const nodes = new Set<number>();
  const pending = [from];
  for (let tensor = pending.pop(); tensor !== undefined; tensor = pending.pop()) {
    if (tensor === to) continue;
    for (const consumer of graph.valueConsumers(tensor)) {
      if (nodes.has(consumer) || !graph.nodes[consumer].output.some((output) => bottlenecks.matters(output))) continue;
      nodes.add(consumer);
      pending.push(...graph.nodes[consumer].output);
    }
  }
  return nodes;
}

/** The terms of a sum other than its skip operand: those computed by attention, and the rest. */
function sortTerms(
  graph: Graph,
  skip: string,
  sum: string,
  inner: ReadonlySet<number>,
): Pick<Addition, 'attention' | 'other'> {
  const mixed = mixedTensors(graph, skip, inner);
  const terms: Record<Kind, string[]> = { skip: [], attention: [], other: [], constant: [] };
  const sort = (term: SumTerm): void => {
    if (term.kind) terms[term.kind].push(term.tensor);
    else term.terms.forEach(sort);
  };
  sort(expand(sum, { graph, skip, mixed }));
  // A bias that stands by itself goes with the sublayer that is there.
  const { attention, other, constant } = terms;
  if (other.length > 0) return { attention, other: [...other, ...constant] };
  return { attention: [...attention, ...constant], other };
}

/** Tensors that activations of several positions have gone into, among those computed from `from` by `inner` nodes. */
function mixedTensors(graph: Graph, from: string, inner: ReadonlySet<number>): ReadonlySet<string> {
  const activations = new Set([from]);
  const mixed = new Set<string>();
  for (const i of [...inner].sort((a, b) => a - b)) {
    const node = graph.nodes[i];
    const isMixed = mixesPositions(node, activations) || readsOf(node).some((read) => mixed.has(read));
    for (const output of node.output) {
      activations.add(output);
      if (isMixed) mixed.add(output);
    }
  }
  return mixed;
}

/**
 * Whether a node mixes positions: a product of two activations, an operator that is attention as a whole, or, in models
 * that have something else for attention, a convolution or a recurrence.
 */
function mixesPositions(node: NodeProto, activations: ReadonlySet<string>): boolean {
  const { opType, input, attribute } = node;
  if (opType.endsWith('Attention') || opType === 'Scan') return true;
  if (opType === 'Conv')
    return attribute.some(({ name, ints }) => name === 'kernel_shape' && ints.some((size) => size > 1n));
  return PRODUCTS.has(opType) && input.length > 1 && input.slice(0, 2).every((operand) => activations.has(operand));
}

/** Whether a node multiplies by a constant, as models do that weigh the stream: r' = α r + f(r). */
function isScaling(graph: Graph, { opType, input }: NodeProto): boolean {
  return (opType === 'Mul' || opType === 'Div') && input.filter((operand) => graph.isDynamic(operand)).length === 1;
}

type Kind = 'skip' | 'attention' | 'other' | 'constant';

/** A tensor as the sum that it is. */
interface SumTerm {
  readonly tensor: string;
  /** Undefined for a sum of several kinds. */
  readonly kind: Kind | undefined;
  readonly terms: readonly SumTerm[];
}

interface SumContext {
  readonly graph: Graph;
  readonly skip: string;
  readonly mixed: ReadonlySet<string>;
}

function expand(tensor: string, context: SumContext): SumTerm {
  const { graph, skip, mixed } = context;
  if (tensor === skip) return { tensor, kind: 'skip', terms: [] };
  if (!graph.isDynamic(tensor)) return { tensor, kind: 'constant', terms: [] };
  const producer = graph.producerNode(tensor);
  const isSum = producer !== undefined && PASS_THROUGH.has(producer.opType);
  const operands = isSum ? producer.input.slice(0, producer.opType === 'Dropout' ? 1 : undefined) : [];
  const terms = operands.map((operand) => expand(operand, context));
  if (producer && isScaling(graph, producer)) {
    const isSkip = producer.input.some((operand) => expand(operand, context).kind === 'skip');
    if (isSkip) return { tensor, kind: 'skip', terms };
  }
  if (terms.length === 0) return { tensor, kind: mixed.has(tensor) ? 'attention' : 'other', terms };
  return { tensor, kind: commonKind(terms), terms };
}

/** Biases count with what they are added to, the skip operand excepted. */
function commonKind(terms: readonly SumTerm[]): Kind | undefined {
  const kinds = new Set(terms.map(({ kind }) => kind));
  if (!kinds.has('skip')) kinds.delete('constant');
  return kinds.size === 1 ? [...kinds][0] : undefined;
}
