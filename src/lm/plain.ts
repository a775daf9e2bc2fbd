/**
 * Makes a graph plain before it is searched and cut, so that there is one form of everything that matters:
 *
 * - operators that the file defines itself, in place (inline.ts);
 * - of a decoder with and without a cache of keys and values in one file (`decoder_model_merged.onnx`: an If on the input
 *   `use_cache_branch`), the one without;
 * - operators that add to the residual stream and do something else as well, taken apart (unfuse.ts): ONNX Runtime fuses
 *   them again when it loads the graph;
 * - tokens under another name, called `input_ids`;
 * - nodes in an order in which each can be computed, as ONNX asks for and not every tool sees to.
 *
 * Inputs that nothing reads any more are dropped.
 */
import { create } from '@bufbuild/protobuf';
import { isKnownInput, TOKENS } from './feeds.ts';
import { Graph, readsOf } from './graph.ts';
import { BOOL, INT32, INT64 } from './onnx/element-types.ts';
import { inlineFunctions } from './inline.ts';
import type { OnnxModel } from './onnx/model-file.ts';
import { GraphProtoSchema, NodeProtoSchema, type GraphProto, type NodeProto } from './onnx/onnx_pb.ts';
import { renameReads } from './rename.ts';
import { unfuse } from './unfuse.ts';

/** @throws InputError if the graph is damaged */
export function asPlain(model: OnnxModel): OnnxModel {
  const { node: inlined, opsetImport } = inlineFunctions(model.proto);
  const branched = takeBranches(withParts(model.graph, { node: inlined }));
  const ordered = withParts(branched, { node: inOrder(branched.node) });
  const named = nameTokens(ordered);
  const node = unfuse(named, new Graph(named, model.path));
  const read = new Set(node.flatMap(readsOf));
  const input = named.input.filter(({ name }) => read.has(name));
  const graph = withParts(named, { node, input });
  return { ...model, graph, proto: { ...model.proto, graph, opsetImport, functions: [] } };
}

function withParts(graph: GraphProto, parts: Partial<Pick<GraphProto, 'node' | 'input' | 'initializer'>>): GraphProto {
  const { node, name, initializer, input, output, valueInfo } = graph;
  const copy = create(GraphProtoSchema, { node, name, initializer, input, output, valueInfo, ...parts });
  return Object.assign(copy, graph.$unknown && { $unknown: graph.$unknown });
}

/** Replaces every If on a Boolean input of the graph by its else branch: such inputs are fed false (feeds.ts). */
function takeBranches(graph: GraphProto): GraphProto {
  const flags = new Set(graph.input.filter(({ type }) => type?.tensorType?.elemType === BOOL).map(({ name }) => name));
  const chosen = graph.node.map((node) =>
    node.opType === 'If' && flags.has(node.input[0]) ? elseBranch(node) : undefined,
  );
  if (chosen.every((branch) => branch === undefined)) return graph;
  const node = graph.node.flatMap((node, i) => {
    const branch = chosen[i];
    if (!branch) return [node];
    return [...branch.node, ...branch.output.flatMap(({ name }, k) => alias(name, node.output[k]))];
  });
  const initializer = [...graph.initializer, ...chosen.flatMap((branch) => branch?.initializer ?? [])];
  return withParts(graph, { node, initializer });
}

function elseBranch({ attribute }: NodeProto): GraphProto | undefined {
  return attribute.find(({ name }) => name === 'else_branch')?.g;
}

function alias(from: string, to: string): NodeProto[] {
  return from === to ? [] : [create(NodeProtoSchema, { opType: 'Identity', input: [from], output: [to] })];
}

/** Each node after those that it reads from; the order stays where it is one. */
function inOrder(nodes: readonly NodeProto[]): NodeProto[] {
  const makers = new Map(nodes.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const ordered = new Set<NodeProto>();
  const begun = new Set<NodeProto>();
  const pending = nodes.toReversed();
  for (let node = pending.pop(); node; node = pending.pop()) {
    if (ordered.has(node)) continue;
    const before = readsOf(node).flatMap((name) => makers.get(name) ?? []);
    const missing = before.filter((maker) => !ordered.has(maker) && !begun.has(maker));
    if (missing.length === 0) ordered.add(node);
    else {
      // A second time, it is done: what is still missing then waits for this node, and the graph is damaged.
      begun.add(node);
      pending.push(node, ...missing);
    }
  }
  return [...ordered];
}

/** Where no input is called `input_ids`, the only one of integers whose use is not known by its name must be it. */
function nameTokens(graph: GraphProto): GraphProto {
  const weights = new Set(graph.initializer.map(({ name }) => name));
  const inputs = graph.input.filter(({ name }) => !weights.has(name));
  if (inputs.some(({ name }) => name === TOKENS)) return graph;
  const unknown = inputs.filter(({ name, type }) => {
    const { elemType } = type?.tensorType ?? {};
    return (elemType === INT64 || elemType === INT32) && !isKnownInput(name);
  });
  if (unknown.length !== 1) return graph;
  const [{ name: tokens }] = unknown;
  const rename = (name: string): string => (name === tokens ? TOKENS : name);
  return withParts(graph, {
    node: graph.node.map((node) => renameReads(node, rename)),
    input: graph.input.map((input) => (input.name === tokens ? { ...input, name: TOKENS } : input)),
  });
}
