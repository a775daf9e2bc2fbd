/**
 * Puts the operators that a model file defines itself (its functions) in place, as exporters that keep modules whole
 * make them: the residual stream may run inside of them.
 */
import { create } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  GraphProtoSchema,
  NodeProtoSchema,
  type AttributeProto,
  type FunctionProto,
  type ModelProto,
  type NodeProto,
  type OperatorSetIdProto,
} from './onnx/onnx_pb.ts';
import { renameReads } from './rename.ts';

type Key = Pick<NodeProto, 'domain' | 'overload'>;

export interface Inlined {
  readonly node: NodeProto[];
  readonly opsetImport: OperatorSetIdProto[];
}

/** The nodes of the model's graph, those that functions stand for in their places. */
export function inlineFunctions({ graph, functions, opsetImport }: ModelProto): Inlined {
  const node = graph?.node ?? [];
  if (functions.length === 0) return { node, opsetImport };
  const imported = new Set(opsetImport.map(({ domain }) => domain));
  const more = functions
    .flatMap((body) => body.opsetImport)
    .filter(({ domain }) => {
      const isNew = !imported.has(domain);
      imported.add(domain);
      return isNew;
    });
  return { node: new Inliner(functions).expand(node), opsetImport: [...opsetImport, ...more] };
}

class Inliner {
  readonly #functions: ReadonlyMap<string, FunctionProto>;
  #calls = 0;

  constructor(functions: readonly FunctionProto[]) {
    this.#functions = new Map(functions.map((body) => [keyOf(body.name, body), body]));
  }

  expand(nodes: readonly NodeProto[]): NodeProto[] {
    return nodes.flatMap((node) => {
      const body = this.#functions.get(keyOf(node.opType, node));
      return body ? this.expand(this.#call(node, body)) : [this.#expandInside(node)];
    });
  }

  #expandInside(node: NodeProto): NodeProto {
    if (node.attribute.every(({ g }) => !g)) return node;
    const attribute = node.attribute.map((attribute) => {
      if (!attribute.g) return attribute;
      const { name, initializer, input, output, valueInfo } = attribute.g;
      const g = create(GraphProtoSchema, {
        node: this.expand(attribute.g.node),
        name,
        initializer,
        input,
        output,
        valueInfo,
      });
      return create(AttributeProtoSchema, { name: attribute.name, type: attribute.type, g });
    });
    return copyOf(node, { attribute });
  }

  /** The body of a function with the tensors and attributes of one call of it. */
  #call(node: NodeProto, body: FunctionProto): NodeProto[] {
    const prefix = `${node.name || node.opType}@${this.#calls++}/`;
    const names = new Map<string, string>();
    for (const [i, name] of body.output.entries()) if (node.output[i]) names.set(name, node.output[i]);
    const passed = body.output.filter((name) => body.input.includes(name) && names.has(name));
    const aliases = passed.map((name) => {
      const input = node.input[body.input.indexOf(name)];
      return create(NodeProtoSchema, { opType: 'Identity', input: [input], output: [names.get(name)!] });
    });
    for (const [i, name] of body.input.entries()) names.set(name, node.input[i] ?? '');
    const rename = (name: string): string => names.get(name) ?? `${prefix}${name}`;
    const inner = body.node.map((step) => {
      const output = step.output.map((name) => (name === '' ? name : rename(name)));
      return copyOf(renameReads(step, rename), {
        name: prefix + step.name,
        output,
        attribute: bindAttributes(step.attribute, node, body),
      });
    });
    return [...inner, ...aliases];
  }
}

/** Attributes of a step that refer to those of the function get their values from the call, or from the defaults. */
function bindAttributes(attributes: readonly AttributeProto[], call: NodeProto, body: FunctionProto): AttributeProto[] {
  return attributes.flatMap((attribute) => {
    if (attribute.refAttrName === '') return [attribute];
    const given = [...call.attribute, ...body.attributeProto].find(({ name }) => name === attribute.refAttrName);
    return given ? [create(AttributeProtoSchema, { ...given, name: attribute.name })] : [];
  });
}

function keyOf(name: string, { domain, overload }: Key): string {
  return JSON.stringify([domain, name, overload]);
}

function copyOf(node: NodeProto, parts: Partial<Pick<NodeProto, 'name' | 'output' | 'attribute'>>): NodeProto {
  const { input, output, name, opType, attribute, domain, overload } = node;
  return create(NodeProtoSchema, { input, output, name, opType, attribute, domain, overload, ...parts });
}
