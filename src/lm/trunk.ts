/**
 * Finds the residual stream of a language model from the structure of its graph, whoever exported it and whatever the
 * tensors are called.
 *
 * The stream is a chain of additions r' = r + f(r) that are all bottlenecks (see bottlenecks.ts): the sum of one leads to
 * the skip operand of the next. Other additions do not look like that: an epsilon, a bias or a constant has no f; rotary
 * positions add two products and not the vector itself; a mask is not computed from the scores; the sums inside GELU are
 * by-passed. A sublayer is attention if it mixes positions: it multiplies activations with activations, which weights ×
 * activations do not, or is a convolution or recurrence in the place of attention.
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
}

/** These change how the stream is written, not what it is. */
const CONVERSIONS = new Set(['Cast', 'Identity']);

/**
 * @param layers number of blocks, if it is known
 * @throws InputError if there is no residual stream, another number of blocks, or no telling which of several streams it
 * is, naming the tensors that come nearest
 */
export function findTrunk(graph: Graph, where: string, layers?: number): Trunk {
  const logits = findLogits(graph);
  const bottlenecks = new Bottlenecks(graph, logits);
  const additions = findAdditions(graph, bottlenecks);
  const candidates = findStreams(graph, bottlenecks, additions);
  if (candidates.length === 0) throw noTrunk(graph, additions, where);
  const fitting = candidates.filter((stream) => stream.filter(isAttention).length === layers);
  const [stream, ...others] = fitting.length > 0 ? fitting : candidates;
  if (others.length > 0) throw ambiguous([stream, ...others], where);
  const blocks = asBlocks(graph, bottlenecks, stream);
  if (layers === undefined || layers === blocks.length) return { logits, blocks };
  throw new InputError(
    `config.json says ${layers} layers, but ${blocks.length} blocks were found in the graph, ` +
      `with these residual tensors: ${list(blocks.map(({ post }) => post))}`,
    { where, hint: 'check that config.json and the ONNX file belong together; every block must have attention' },
  );
}

const isAttention = ({ attention }: Addition): boolean => attention.length > 0;

function asBlocks(graph: Graph, bottlenecks: Bottlenecks, additions: readonly Addition[]): Block[] {
  const starts = [...additions.keys()].filter((i) => isAttention(additions[i]));
  const members = starts.map((start, i) => additions.slice(start, starts[i + 1]));
  const sums = members.map((block) => block[block.length - 1].sum);
  const streams = sums.slice(0, -1).map((sum, i) => streamAfter(graph, bottlenecks, sum, members[i + 1][0].skip));
  streams.push(streamAtEnd(graph, bottlenecks, sums, streams));
  return members.map((block, i) => ({
    pre: i === 0 ? block[0].skip : streams[i - 1],
    post: streams[i],
    attention: block.flatMap(({ attention }) => attention),
    mlp: block.flatMap(({ other }) => other),
  }));
}

/** What the sum of a block is when it enters the next one: most often the sum itself; a norm of it, in post-norm models. */
function streamAfter(graph: Graph, bottlenecks: Bottlenecks, sum: string, next: string): string {
  let stream = sum;
  for (let tensor = sum; tensor !== next;) {
    tensor = bottlenecks.next(tensor)!;
    if (!CONVERSIONS.has(graph.producerNode(tensor)!.opType)) stream = tensor;
  }
  return stream;
}

/**
 * The stream after the last block. Where something stands between the sums and the blocks after them, it belongs to the
 * last block as well, if it is there: the same operators follow its sum.
 */
function streamAtEnd(
  graph: Graph,
  bottlenecks: Bottlenecks,
  sums: readonly string[],
  streams: readonly string[],
): string {
  const last = sums[sums.length - 1];
  let end = last;
  for (let tensor = sums[0]; streams.length > 0 && tensor !== streams[0];) {
    tensor = bottlenecks.next(tensor)!;
    const candidate = bottlenecks.next(end);
    if (candidate === undefined) return last;
    if (graph.producerNode(tensor)?.opType !== graph.producerNode(candidate)?.opType) return last;
    end = candidate;
  }
  return end;
}

/**
 * The output by that name, or the one that is computed from most of the graph (caches of keys and values, or hidden
 * states, need less of it).
 */
function findLogits(graph: Graph): string {
  if (graph.outputs.includes('logits')) return 'logits';
  const sizes = graph.outputs.map((output) => graph.ancestors(output).size);
  return graph.outputs[sizes.indexOf(Math.max(...sizes))];
}

/**
 * Chains of additions with attention that do not lie inside another, the one with the most attention first; the sums
 * before the first attention are left out, since they belong to the embedding. (Sums inside a sublayer form chains too,
 * and may join the chain around them.)
 */
function findStreams(graph: Graph, bottlenecks: Bottlenecks, additions: ReadonlyMap<string, Addition>): Addition[][] {
  const streams = new Map<string, { chain: Addition[]; blocks: number; inside: ReadonlySet<string> }>();
  for (const whole of findChains(bottlenecks, additions)) {
    const chain = whole.slice(Math.max(0, whole.findIndex(isAttention)));
    const [{ skip }] = chain;
    const blocks = chain.filter(isAttention).length;
    if (blocks > 0) streams.set(skip, { chain, blocks, inside: graph.descendants(skip) });
  }
  const isInside = (skip: string, blocks: number): boolean =>
    [...streams].some(([start, other]) => start !== skip && other.inside.has(skip) && other.blocks >= blocks);
  return [...streams]
    .filter(([skip, { blocks }]) => !isInside(skip, blocks))
    .map(([, { chain }]) => chain)
    .sort((a, b) => b.filter(isAttention).length - a.filter(isAttention).length);
}

/** Additions that lead from one to the next by bottlenecks only; chains may join. */
function findChains(bottlenecks: Bottlenecks, additions: ReadonlyMap<string, Addition>): Addition[][] {
  const next = new Map<Addition, Addition>();
  for (const addition of additions.values()) {
    for (let tensor: string | undefined = addition.sum; tensor !== undefined; tensor = bottlenecks.next(tensor)) {
      const following = additions.get(tensor);
      if (!following) continue;
      next.set(addition, following);
      break;
    }
  }
  const reached = new Set(next.values());
  return [...additions.values()]
    .filter((addition) => !reached.has(addition))
    .map((first) => {
      const chain = [first];
      for (let addition = next.get(first); addition; addition = next.get(addition)) chain.push(addition);
      return chain;
    });
}

function ambiguous(candidates: readonly (readonly Addition[])[], where: string): InputError {
  const named = candidates.map((chain) => {
    const blocks = chain.filter(isAttention).length;
    return `${blocks} ${blocks === 1 ? 'block' : 'blocks'} from "${chain[0].skip}" to "${chain[chain.length - 1].sum}"`;
  });
  return new InputError(`the residual stream is ambiguous: ${named.join('; ')}`, {
    where,
    hint: 'only models with one residual stream can be cut',
  });
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
