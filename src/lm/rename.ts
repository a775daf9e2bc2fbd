/** Nodes with other tensor names, sub-graphs included. Nothing is changed in place. */
import { create } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  GraphProtoSchema,
  NodeProtoSchema,
  type AttributeProto,
  type GraphProto,
  type NodeProto,
} from './onnx/onnx_pb.ts';

export type Rename = (name: string) => string;

/** A node that reads other tensors; its outputs keep their names. */
export function renameReads(node: NodeProto, rename: Rename): NodeProto {
  const input = node.input.map((name) => (name === '' ? name : rename(name)));
  const attribute = node.attribute.map((attribute) => renameCaptures(attribute, rename));
  const isSame =
    input.every((name, i) => name === node.input[i]) && attribute.every((value, i) => value === node.attribute[i]);
  if (isSame) return node;
  const { output, name, opType, domain, overload } = node;
  const copy = create(NodeProtoSchema, { input, output, name, opType, attribute, domain, overload });
  return Object.assign(copy, node.$unknown && { $unknown: node.$unknown });
}

function renameCaptures(attribute: AttributeProto, rename: Rename): AttributeProto {
  if (!attribute.g && attribute.graphs.length === 0) return attribute;
  const { name, type, g } = attribute;
  const graphs = attribute.graphs.map((graph) => renameInside(graph, rename));
  return create(AttributeProtoSchema, { name, type, graphs, ...(g && { g: renameInside(g, rename) }) });
}

/** Names that a sub-graph defines itself hide those outside. */
function renameInside(graph: GraphProto, rename: Rename): GraphProto {
  const own = new Set([
    ...graph.input.map(({ name }) => name),
    ...graph.initializer.map(({ name }) => name),
    ...graph.node.flatMap(({ output }) => output),
  ]);
  const outer: Rename = (name) => (own.has(name) ? name : rename(name));
  const node = graph.node.map((inner) => renameReads(inner, outer));
  const output = graph.output.map((value) => {
    const name = outer(value.name);
    return name === value.name ? value : { ...value, name };
  });
  const { name, initializer, input, valueInfo } = graph;
  return create(GraphProtoSchema, { node, name, initializer, input, output, valueInfo });
}
