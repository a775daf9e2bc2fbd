/**
 * Cuts a model at the residual stream after a block: the prefix computes the stream from the tokens, the suffix the
 * logits from the stream. Each part keeps only what its output needs, so nothing past the layer is computed or held.
 */
import { create } from '@bufbuild/protobuf';
import { FLOAT, type ElementType } from './onnx/element-types.ts';
import { readsOf, type Graph } from './graph.ts';
import type { OnnxModel } from './onnx/model-file.ts';
import {
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  ValueInfoProtoSchema,
  type ModelProto,
  type NodeProto,
  type ValueInfoProto,
} from './onnx/onnx_pb.ts';
import type { Trunk } from './trunk.ts';

/** A part of a model, runnable on its own. Activations at its edges are float32 whatever the model computes in. */
export interface Part {
  readonly proto: ModelProto;
  /** Inputs of the whole model that this part reads (input_ids, attention_mask, …). */
  readonly modelInputs: readonly string[];
  /** Names of what it computes; one of them twice if it was asked for twice. */
  readonly outputs: readonly string[];
}

export interface SuffixPart extends Part {
  /** Name of the input that takes the residual stream. */
  readonly residualInput: string;
}

const ATTRIBUTE_INT = 2;

/**
 * Tokens → some tensors, all of them in one pass; nothing that none of them needs is computed.
 * @param type what the model computes them in; left out where that is what is to be found out: then nothing is converted
 */
export function cutPrefix(model: OnnxModel, graph: Graph, tensors: readonly string[], type?: ElementType): Part {
  const kept = new Set(tensors.flatMap((tensor) => [...graph.ancestors(tensor)]));
  const nodes = select(graph, kept);
  // The stream after a block is the stream before the next: two sites may be one tensor.
  const distinct = [...new Set(tensors)];
  const outputs = distinct.map((name) =>
    type === undefined ? create(ValueInfoProtoSchema, { name }) : floats(toFloat(nodes, graph, name, type)),
  );
  const part = assemble(model, graph, nodes, outputs);
  return { ...part, outputs: tensors.map((tensor) => part.outputs[distinct.indexOf(tensor)]) };
}

/** What the model computes its residual stream in, and the stream's width. */
export interface StreamType {
  readonly type: ElementType;
  readonly d: number;
}

/** Residual stream after block `layer` → logits. */
export function cutSuffix(
  model: OnnxModel,
  graph: Graph,
  trunk: Trunk,
  layer: number,
  { type, d }: StreamType,
): SuffixPart {
  const residual = trunk.blocks[layer].post;
  // Of the stream further up only the shape can matter from here on, and that is the same everywhere on the stream.
  const above = new Set(trunk.stream.slice(0, trunk.stream.indexOf(residual)));
  const rename = (read: string): string => (above.has(read) ? residual : read);
  const kept = graph.ancestors(trunk.logits, (read) => (rename(read) === residual ? undefined : read));
  const nodes = select(graph, kept).map((node) => renameReads(node, rename));
  const residualInput = type === FLOAT ? residual : graph.unusedName(`${residual}_float32`);
  if (residualInput !== residual) nodes.unshift(castNode(residualInput, residual, type));
  const declared = model.graph.output.find(({ name }) => name === trunk.logits);
  const output = toFloat(nodes, graph, trunk.logits, declared?.type?.tensorType?.elemType ?? FLOAT);
  const part = assemble(model, graph, nodes, [floats(output)], floats(residualInput, d));
  return { ...part, residualInput };
}

function select(graph: Graph, kept: ReadonlySet<number>): NodeProto[] {
  return graph.nodes.filter((_, i) => kept.has(i));
}

function renameReads(node: NodeProto, rename: (read: string) => string): NodeProto {
  const input = node.input.map(rename);
  if (input.every((name, i) => name === node.input[i])) return node;
  const { output, name, opType, attribute, domain } = node;
  const copy = create(NodeProtoSchema, { input, output, name, opType, attribute, domain });
  return Object.assign(copy, node.$unknown && { $unknown: node.$unknown });
}

function assemble(
  { proto, graph: whole }: OnnxModel,
  graph: Graph,
  nodes: NodeProto[],
  outputs: ValueInfoProto[],
  ...extraInputs: ValueInfoProto[]
): Part {
  const read = new Set(nodes.flatMap(readsOf));
  const inputs = whole.input.filter(({ name }) => read.has(name) && !graph.weights.has(name));
  const part = create(GraphProtoSchema, {
    name: whole.name,
    node: nodes,
    initializer: whole.initializer.filter(({ name }) => read.has(name)),
    input: [...inputs, ...extraInputs],
    output: outputs,
  });
  const { irVersion, producerName, producerVersion, opsetImport, metadataProps } = proto;
  const model = create(ModelProtoSchema, {
    irVersion,
    producerName,
    producerVersion,
    opsetImport,
    metadataProps,
    graph: Object.assign(part, whole.$unknown && { $unknown: whole.$unknown }),
  });
  return {
    proto: Object.assign(model, proto.$unknown && { $unknown: proto.$unknown }),
    modelInputs: inputs.map(({ name }) => name),
    outputs: outputs.map(({ name }) => name),
  };
}

/** Appends a conversion to float32 if it is needed; returns the name of the result. */
function toFloat(nodes: NodeProto[], graph: Graph, tensor: string, type: number): string {
  if (type === FLOAT) return tensor;
  const name = graph.unusedName(`${tensor}_float32`);
  nodes.push(castNode(tensor, name, FLOAT));
  return name;
}

function castNode(from: string, to: string, type: ElementType): NodeProto {
  const attribute = create(AttributeProtoSchema, { name: 'to', i: BigInt(type), type: ATTRIBUTE_INT });
  return create(NodeProtoSchema, { opType: 'Cast', input: [from], output: [to], attribute: [attribute] });
}

/** Declares a float32 tensor: [any, any, d] if a width is given, of any shape otherwise. */
function floats(name: string, d?: number): ValueInfoProto {
  const dim = [{}, {}, { value: { case: 'dimValue' as const, value: BigInt(d ?? 0) } }];
  const tensorType = d === undefined ? { elemType: FLOAT } : { elemType: FLOAT, shape: { dim } };
  return create(ValueInfoProtoSchema, { name, type: { tensorType } });
}
