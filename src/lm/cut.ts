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
import { renameReads } from './rename.ts';
import type { Trunk } from './trunk.ts';

/**
 * A part of a model, runnable on its own. Activations at its edges are float32 whatever the model computes in; only a
 * prefix may be asked for binary16.
 */
export interface Part {
  readonly proto: ModelProto;
  /** Inputs of the whole model that this part reads (input_ids, attention_mask, …), as the graph declares them. */
  readonly modelInputs: readonly ValueInfoProto[];
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
 * @param as what they are converted to, whatever the model computes them in
 */
export function cutPrefix(model: OnnxModel, graph: Graph, tensors: readonly string[], as: ElementType = FLOAT): Part {
  const kept = new Set(tensors.flatMap((tensor) => [...graph.ancestors(tensor)]));
  const nodes = select(graph, kept);
  // The stream after a block is the stream before the next: two sites may be one tensor.
  const distinct = [...new Set(tensors)];
  const isThere = as === FLOAT && graph.isSinglePrecision;
  const outputs = distinct.map((tensor) => declare(isThere ? tensor : appendCast(nodes, graph, tensor, as), as));
  const part = assemble(model, graph, nodes, outputs);
  return { ...part, outputs: tensors.map((tensor) => part.outputs[distinct.indexOf(tensor)]) };
}

/** Tokens → a tensor as it is, without a conversion to float32: to find out what the model computes it in. */
export function cutRaw(model: OnnxModel, graph: Graph, tensor: string): Part {
  const nodes = select(graph, graph.ancestors(tensor));
  return assemble(model, graph, nodes, [create(ValueInfoProtoSchema, { name: tensor })]);
}

/** Form of a model's residual stream. */
export interface StreamType {
  readonly type: ElementType;
  /** Its width. */
  readonly d: number;
  /** [n·length, d] instead of [n, length, d], which is the same in memory. */
  readonly isFlat: boolean;
  /** The model takes one sequence at a time. */
  readonly isSingle: boolean;
}

/** Residual stream after block `layer` → logits. */
export function cutSuffix(
  model: OnnxModel,
  graph: Graph,
  trunk: Trunk,
  layer: number,
  { type, d, isFlat }: StreamType,
): SuffixPart {
  const residual = trunk.blocks[layer].post;
  // Of the stream further up only the shape can matter from here on, and that is the same before every block.
  const above = new Set(trunk.blocks.slice(0, layer + 1).map(({ pre }) => pre));
  const rename = (read: string): string => (above.has(read) ? residual : read);
  const kept = graph.ancestors(trunk.logits, (read) => (rename(read) === residual ? undefined : read));
  const nodes = select(graph, kept).map((node) => renameReads(node, rename));
  const residualInput = type === FLOAT ? residual : graph.unusedName(`${residual}_float32`);
  if (residualInput !== residual) nodes.unshift(castNode(residualInput, residual, type));
  const declared = model.graph.output.find(({ name }) => name === trunk.logits);
  const isFloat = (declared?.type?.tensorType?.elemType ?? FLOAT) === FLOAT;
  const output = isFloat ? trunk.logits : appendCast(nodes, graph, trunk.logits, FLOAT);
  const part = assemble(
    model,
    graph,
    nodes,
    [declare(output, FLOAT)],
    declare(residualInput, FLOAT, isFlat ? [undefined, d] : [undefined, undefined, d]),
  );
  return { ...part, residualInput };
}

function select(graph: Graph, kept: ReadonlySet<number>): NodeProto[] {
  return graph.nodes.filter((_, i) => kept.has(i));
}

function assemble(
  { proto, graph: whole }: OnnxModel,
  graph: Graph,
  nodes: NodeProto[],
  outputs: ValueInfoProto[],
  ...extraInputs: ValueInfoProto[]
): Part {
  const read = new Set(nodes.flatMap(readsOf));
  // What the whole model returns besides stays an output, though nobody asks for it: else the runtime may take a cache
  // of no tokens for the place to put that of all tokens in.
  const made = new Set(nodes.flatMap(({ output }) => output));
  const own = new Set(outputs.map(({ name }) => name));
  const besides = whole.output.filter(({ name }) => made.has(name) && !own.has(name));
  const inputs = whole.input.filter(({ name }) => read.has(name) && !graph.weights.has(name));
  const part = create(GraphProtoSchema, {
    name: whole.name,
    node: nodes,
    initializer: whole.initializer.filter(({ name }) => read.has(name)),
    input: [...inputs, ...extraInputs],
    output: [...outputs, ...besides],
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
    modelInputs: inputs,
    outputs: outputs.map(({ name }) => name),
  };
}

/** Appends a conversion; returns the name of the result. */
function appendCast(nodes: NodeProto[], graph: Graph, tensor: string, to: ElementType): string {
  const name = graph.unusedName(`${tensor}_${to === FLOAT ? 'float32' : 'float16'}`);
  nodes.push(castNode(tensor, name, to));
  return name;
}

function castNode(from: string, to: string, type: ElementType): NodeProto {
  const attribute = create(AttributeProtoSchema, { name: 'to', i: BigInt(type), type: ATTRIBUTE_INT });
  return create(NodeProtoSchema, { opType: 'Cast', input: [from], output: [to], attribute: [attribute] });
}

/** Declares a tensor: of the given sizes (undefined: any), or of any shape. */
function declare(name: string, elemType: ElementType, sizes?: readonly (number | undefined)[]): ValueInfoProto {
  const dim = sizes?.map((size) =>
    size === undefined ? {} : { value: { case: 'dimValue' as const, value: BigInt(size) } },
  );
  return create(ValueInfoProtoSchema, { name, type: { tensorType: { elemType, ...(dim && { shape: { dim } }) } } });
}
