/** Which tensor of a graph stands at every site of a model. */
import { create } from '@bufbuild/protobuf';
import { Graph } from './graph.ts';
import type { OnnxModel } from './onnx/model-file.ts';
import { GraphProtoSchema, NodeProtoSchema } from './onnx/onnx_pb.ts';
import { siteName, type Site } from './site.ts';
import type { Trunk } from './trunk.ts';

export interface SiteTensors {
  /** The model's graph, with a tensor for every site. */
  readonly graph: Graph;
  /** All sites, block by block; a block without an MLP has no `mlp_out`. */
  readonly sites: readonly Site[];
  /** By {@link siteName}. */
  readonly tensors: ReadonlyMap<string, string>;
}

/** Where a sublayer's output is spread over several terms of the residual sum, its tensor is added to the graph. */
export function findSiteTensors(model: OnnxModel, graph: Graph, { blocks }: Trunk): SiteTensors {
  const sites: Site[] = [];
  const tensors = new Map<string, string>();
  const sums: { name: string; terms: readonly string[] }[] = [];
  const add = (site: Site, terms: readonly string[]): void => {
    if (terms.length === 0) return;
    const [tensor] = terms.length === 1 ? terms : [graph.unusedName(siteName(site).replace(' ', '.'))];
    if (terms.length > 1) sums.push({ name: tensor, terms });
    sites.push(site);
    tensors.set(siteName(site), tensor);
  };
  for (const [layer, { pre, post, attention, mlp }] of blocks.entries()) {
    add({ layer, hook: 'resid_pre' }, [pre]);
    add({ layer, hook: 'attn_out' }, attention);
    add({ layer, hook: 'mlp_out' }, mlp);
    add({ layer, hook: 'resid_post' }, [post]);
  }
  if (sums.length === 0) return { graph, sites, tensors };
  const node = [...model.graph.node];
  for (const { name, terms } of sums.toReversed()) {
    const sum = create(NodeProtoSchema, { opType: 'Sum', input: [...terms], output: [name] });
    node.splice(Math.max(...terms.map((term) => graph.producer(term) ?? -1)) + 1, 0, sum);
  }
  const { name, initializer, input, output, valueInfo } = model.graph;
  const extended = create(GraphProtoSchema, { node, name, initializer, input, output, valueInfo });
  return { graph: new Graph(extended, model.path), sites, tensors };
}
