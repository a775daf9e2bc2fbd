/**
 * Takes operators apart that hide an addition to the residual stream, as optimisers and model builders make them:
 *
 * - SkipLayerNormalization, SkipSimplifiedLayerNormalization: norm(input + skip + bias), the sum an optional output;
 * - Gemm whose third operand is no bias but the stream.
 */
import { create } from '@bufbuild/protobuf';
import type { Graph } from './graph.ts';
import { NodeProtoSchema, type GraphProto, type NodeProto } from './onnx/onnx_pb.ts';

interface SkipNorm {
  readonly norm: string;
  /** Places of the norm's own weights among the inputs. */
  readonly weights: readonly number[];
  readonly bias: number;
}

/** https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md */
const SKIP_NORMS: Readonly<Record<string, SkipNorm>> = {
  SkipLayerNormalization: { norm: 'LayerNormalization', weights: [2, 3], bias: 4 },
  SkipSimplifiedLayerNormalization: { norm: 'SimplifiedLayerNormalization', weights: [2], bias: 3 },
};
/** Outputs: normalised, mean, inverse deviation, sum. */
const SUM = 3;

/** The nodes of a graph, those taken apart in the place of the whole. */
export function unfuse({ node }: GraphProto, graph: Graph): NodeProto[] {
  return node.flatMap((node) => {
    if (node.opType in SKIP_NORMS) return unfuseNorm(node, SKIP_NORMS[node.opType], graph);
    if (node.opType === 'Gemm' && graph.isDynamic(node.input[2] ?? '')) return unfuseGemm(node, graph);
    return [node];
  });
}

function unfuseNorm(node: NodeProto, { norm, weights, bias }: SkipNorm, graph: Graph): NodeProto[] {
  const [output, mean = '', deviation = ''] = node.output;
  const [input, skip] = node.input;
  const nodes: NodeProto[] = [];
  let term = input;
  if (node.input[bias]) {
    term = graph.unusedName(`${output}_biased`);
    nodes.push(create(NodeProtoSchema, { opType: 'Add', input: [input, node.input[bias]], output: [term] }));
  }
  const sum = node.output[SUM] || graph.unusedName(`${output}_sum`);
  const own = weights.map((place) => node.input[place] ?? '').filter((name) => name !== '');
  nodes.push(
    create(NodeProtoSchema, { opType: 'Add', input: [term, skip], output: [sum] }),
    create(NodeProtoSchema, {
      opType: norm,
      name: node.name,
      input: [sum, ...own],
      output: trimmed([output, mean, deviation]),
      attribute: node.attribute.filter(({ name }) => name === 'epsilon'),
    }),
  );
  return nodes;
}

/** The default factor of the third operand is 1; with another the node is left as it is. */
function unfuseGemm(node: NodeProto, graph: Graph): NodeProto[] {
  if (node.attribute.some(({ name, f }) => name === 'beta' && f !== 1)) return [node];
  const [a, b, c] = node.input;
  const [output] = node.output;
  const product = graph.unusedName(`${output}_product`);
  const { name, attribute } = node;
  return [
    create(NodeProtoSchema, { opType: 'Gemm', name, input: [a, b], output: [product], attribute }),
    create(NodeProtoSchema, { opType: 'Add', input: [product, c], output: [output] }),
  ];
}

/** Without empty names at the end. */
function trimmed(names: readonly string[]): string[] {
  return names.slice(0, names.findLastIndex((name) => name !== '') + 1);
}
