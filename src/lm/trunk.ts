/**
 * Finds the residual stream of a language model from the structure of its graph, whoever exported it and whatever the
 * tensors are called.
 *
 * The stream is a chain of additions r' = r + f(r) that are all bottlenecks (see bottlenecks.ts): the sum of one is the
 * skip operand of the next. Other additions do not look like that: an epsilon, a bias or a constant has no f; rotary
 * positions add two products and not the vector itself; a mask is not computed from the scores; the sums inside GELU are
 * by-passed. A sublayer is attention if it multiplies activations with activations, which weights × activations do not.
 *
 * A block starts at each addition whose f contains attention, and ends before the next: sequential blocks have two
 * additions (attention, MLP), parallel ones a single sum of three terms in any grouping.
 */
import { InputError } from '../core/errors.ts';
import { Bottlenecks } from './bottlenecks.ts';
import type { Graph } from './graph.ts';
import type { NodeProto } from './onnx/onnx_pb.ts';

export interface Trunk {
  /** Graph output that everything leads to. */
  readonly logits: string;
  /** What enters the first block. */
  readonly entry: string;
  /** Residual stream after block i. */
  readonly residuals: readonly string[];
  /** The whole stream in order: entry, then the sum of every sublayer. */
  readonly stream: readonly string[];
}

/** One r' = r + f(r). */
interface Addition {
  skip: string;
  sum: string;
  attention: boolean;
}

const SUMS = new Set(['Add', 'Sum']);
/** Between the terms of one sum these change nothing. */
const PASS_THROUGH = new Set(['Add', 'Sum', 'Cast', 'Identity', 'Dropout']);
const PRODUCTS = new Set(['MatMul', 'FusedMatMul', 'MatMulInteger', 'Gemm', 'Einsum']);

/** @throws InputError if there is no residual stream, naming the tensors that come nearest */
export function findTrunk(graph: Graph, where: string): Trunk {
  const logits = findLogits(graph);
  const bottlenecks = new Bottlenecks(graph, logits);
  const additions = findAdditions(graph, bottlenecks);
  const chain = longestChain(graph, bottlenecks, additions);
  const first = chain.findIndex(({ attention }) => attention);
  if (first < 0) throw noTrunk(graph, additions, where);
  // A sum before the first attention belongs to the embedding.
  const blocks = chain.slice(first);
  return {
    logits,
    entry: blocks[0].skip,
    residuals: blocks.filter((_, i) => blocks[i + 1]?.attention ?? true).map(({ sum }) => sum),
    stream: [blocks[0].skip, ...blocks.map(({ sum }) => sum)],
  };
}

/** The output that is computed from most of the graph (caches of keys and values, or hidden states, need less of it). */
function findLogits(graph: Graph): string {
  const sizes = graph.outputs.map((output) => graph.ancestors(output).size);
  return graph.outputs[sizes.indexOf(Math.max(...sizes))];
}

/** Additions of a tensor to something computed from it, by their skip operand. */
function findAdditions(graph: Graph, bottlenecks: Bottlenecks): Map<string, Addition> {
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
    if (bottlenecks.next(term) !== sum) continue;
    const inner = between(graph, bottlenecks, term, sum);
    if (inner.nodes.some(({ opType }) => !PASS_THROUGH.has(opType))) {
      return { skip: term, sum, attention: inner.nodes.some((part) => isAttention(part, inner.tensors)) };
    }
    const producer = graph.producerNode(term);
    if (producer && PASS_THROUGH.has(producer.opType)) terms.push(...producer.input);
  }
  return undefined;
}

/** What is computed from `from` on the way to the bottleneck `to`. */
function between(
  graph: Graph,
  bottlenecks: Bottlenecks,
  from: string,
  to: string,
): { nodes: NodeProto[]; tensors: Set<string> } {
  const tensors = new Set([from]);
  const nodes = new Set<number>();
  const pending = [from];
  for (let tensor = pending.pop(); tensor !== undefined; tensor = pending.pop()) {
    if (tensor === to) continue;
    for (const consumer of graph.valueConsumers(tensor)) {
      if (nodes.has(consumer) || !graph.nodes[consumer].output.some((output) => bottlenecks.matters(output))) continue;
      nodes.add(consumer);
      for (const output of graph.nodes[consumer].output) {
        tensors.add(output);
        pending.push(output);
      }
    }
  }
  return { nodes: [...nodes].map((node) => graph.nodes[node]), tensors };
}

/** Whether a node mixes positions: a product of two activations, or an operator that is attention as a whole. */
function isAttention({ opType, input }: NodeProto, activations: ReadonlySet<string>): boolean {
  if (opType.endsWith('Attention')) return true;
  return PRODUCTS.has(opType) && input.slice(0, 2).every((operand) => activations.has(operand)) && input.length > 1;
}

/**
 * The chain of additions with the most attention sublayers, ties broken by its length: sums inside a sublayer form
 * shorter chains, since each of them lacks at least the attention around or before it.
 */
function longestChain(
  graph: Graph,
  bottlenecks: Bottlenecks,
  additions: ReadonlyMap<string, Addition>,
): readonly Addition[] {
  const score = new Map<string, readonly [attention: number, additions: number]>();
  const starts = [...graph.inputs, ...graph.nodes.flatMap(({ output }) => output)].filter(
    (tensor) => tensor !== '' && bottlenecks.matters(tensor),
  );
  let best: string | undefined;
  for (const start of starts.toReversed()) {
    const [attention, length] = score.get(bottlenecks.next(start) ?? '') ?? [0, 0];
    const addition = additions.get(start);
    const own = addition
      ? ([attention + Number(addition.attention), length + 1] as const)
      : ([attention, length] as const);
    score.set(start, own);
    const [bestAttention, bestLength] = score.get(best ?? '') ?? [0, 0];
    if (own[0] > bestAttention || (own[0] === bestAttention && own[1] > bestLength)) best = start;
  }
  const chain: Addition[] = [];
  for (let tensor = best; tensor !== undefined; tensor = bottlenecks.next(tensor)) {
    const addition = additions.get(tensor);
    if (addition) chain.push(addition);
  }
  return chain;
}

function noTrunk(graph: Graph, additions: ReadonlyMap<string, Addition>, where: string): InputError {
  const sums = graph.nodes.filter(
    ({ opType, input }) => SUMS.has(opType) && input.filter((operand) => graph.isDynamic(operand)).length > 1,
  );
  const candidates =
    additions.size > 0 ? [...additions.values()].map(({ sum }) => sum) : sums.map((node) => node.output[0]);
  const named = candidates.length > 0 ? `; nearest: ${list(candidates)}` : '';
  return new InputError(
    'no residual stream found: no chain of additions r + f(r) with attention in it leads to the output ' +
      `(${graph.nodes.length} nodes, ${sums.length} sums of two activations, ${additions.size} of the form r + f(r))${named}`,
    { where, hint: 'expected a decoder-only transformer exported to ONNX with its blocks as plain operators' },
  );
}

/** At most eight names, for messages. */
export function list(names: readonly string[]): string {
  const shown = names.slice(0, 8).map((name) => `"${name}"`);
  return names.length > 8 ? `${shown.join(', ')} and ${names.length - 8} more` : shown.join(', ');
}
