/**
 * Finds the residual stream of a language model from the structure of its graph, whoever exported it and whatever the
 * tensors are called.
 *
 * The stream is a chain of additions r' = r + f(r) that are all bottlenecks (see bottlenecks.ts): the sum of one leads to
 * the skip operand of the next. Other additions do not look like that: an epsilon, a bias or a constant has no f; rotary
 * positions add two products and not the vector itself; a mask is not computed from the scores; the sums inside GELU are
 * by-passed. A sublayer is attention if it multiplies activations with activations, which weights × activations do not.
 *
 * A block starts at each addition whose f contains attention, and ends before the next: sequential blocks have two
 * additions (attention, MLP), parallel ones a single sum of three terms in any grouping.
 */
import { InputError } from '../core/errors.ts';
import { findAdditions, SUMS, type Addition } from './additions.ts';
import { Bottlenecks } from './bottlenecks.ts';
import type { Graph } from './graph.ts';

/** One block of a transformer, by its tensors. */
export interface Block {
  /** Residual stream before the block. */
  readonly pre: string;
  /** Residual stream after it. */
  readonly post: string;
  /** Tensors whose sum its attention adds to the stream. */
  readonly attention: readonly string[];
  /** Tensors whose sum its MLP adds to the stream; none if it has no MLP. */
  readonly mlp: readonly string[];
}

export interface Trunk {
  /** Graph output that everything leads to. */
  readonly logits: string;
  readonly blocks: readonly Block[];
  /** The whole stream in order: what enters the first block, then the sum of every sublayer. */
  readonly stream: readonly string[];
}

/** @throws InputError if there is no residual stream, naming the tensors that come nearest */
export function findTrunk(graph: Graph, where: string): Trunk {
  const logits = findLogits(graph);
  const bottlenecks = new Bottlenecks(graph, logits);
  const additions = findAdditions(graph, bottlenecks);
  const chain = longestChain(graph, bottlenecks, additions);
  const first = chain.findIndex(isAttention);
  if (first < 0) throw noTrunk(graph, additions, where);
  // A sum before the first attention belongs to the embedding.
  const inBlocks = chain.slice(first);
  const end = endOfStream(graph, bottlenecks, inBlocks);
  const stream = inBlocks.flatMap(({ skip, sum }) => [skip, sum]);
  return { logits, blocks: asBlocks(inBlocks, end), stream: [...new Set([...stream, end])] };
}

const isAttention = ({ attention }: Addition): boolean => attention.length > 0;

function asBlocks(additions: readonly Addition[], end: string): Block[] {
  const bounds = [...additions.keys(), additions.length].filter(
    (i) => i === additions.length || isAttention(additions[i]),
  );
  return bounds.slice(0, -1).map((start, i) => {
    const members = additions.slice(start, bounds[i + 1]);
    return {
      pre: additions[start].skip,
      post: additions[bounds[i + 1]]?.skip ?? end,
      attention: members.flatMap(({ attention }) => attention),
      mlp: members.flatMap(({ other }) => other),
    };
  });
}

/**
 * The stream after the last block. Where the sums are normalised before they go on (post-norm models), the last one has
 * such a norm as well, and it belongs to the block: the operators between the last sum and the head are those that
 * stand between every other block's last sum and the next block.
 */
function endOfStream(graph: Graph, bottlenecks: Bottlenecks, additions: readonly Addition[]): string {
  const last = additions[additions.length - 1];
  const before = additions.findIndex((_, i) => i + 1 < additions.length && isAttention(additions[i + 1]));
  if (before < 0) return last.sum;
  const pattern = additions[before];
  const next = additions[before + 1].skip;
  let end = last.sum;
  for (let tensor = pattern.sum; tensor !== next;) {
    const following = bottlenecks.next(tensor);
    const candidate = bottlenecks.next(end);
    if (following === undefined || candidate === undefined) return last.sum;
    if (graph.producerNode(following)?.opType !== graph.producerNode(candidate)?.opType) return last.sum;
    tensor = following;
    end = candidate;
  }
  return end;
}

/** The output that is computed from most of the graph (caches of keys and values, or hidden states, need less of it). */
function findLogits(graph: Graph): string {
  const sizes = graph.outputs.map((output) => graph.ancestors(output).size);
  return graph.outputs[sizes.indexOf(Math.max(...sizes))];
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
      ? ([attention + Number(isAttention(addition)), length + 1] as const)
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
