/** How many tokens and positions a model has, from the tables of embeddings in its graph. */
import { TOKENS } from './feeds.ts';
import type { Graph } from './graph.ts';
import type { NodeProto } from './onnx/onnx_pb.ts';

export interface TableSizes {
  /** Rows of the token embedding; undefined if there is no plain table. */
  readonly tokens: number | undefined;
  /** Positions for which there is a row; undefined if positions are computed. */
  readonly positions: number | undefined;
}

/** Operators that look positions up in tables of cosines and sines: the places of positions and tables. */
const ROTARY: Readonly<Record<string, { readonly positions: number; readonly tables: readonly number[] }>> = {
  RotaryEmbedding: { positions: 1, tables: [2, 3] },
  GroupQueryAttention: { positions: 5, tables: [7, 8] },
};
const LOOKUPS = new Set(['Gather', 'GatherBlockQuantized']);
/** A table is still one after these. */
const CONVERSIONS = new Set(['Cast', 'Identity', 'DequantizeLinear']);
/** Tokens are still tokens after these. */
const LAYOUTS = new Set(['Cast', 'Identity', 'Reshape', 'Squeeze', 'Unsqueeze', 'Flatten', 'Expand', 'Clip']);

/** @param entry what enters the first block: tokens and learned positions are looked up on the way to it */
export function tableSizes(graph: Graph, entry: string): TableSizes {
  const fromTokens = graph.descendants(TOKENS);
  const tokens: number[] = [];
  const positions: number[] = [];
  for (const i of graph.ancestors(entry)) {
    const node = graph.nodes[i];
    const rows = LOOKUPS.has(node.opType) ? rowsOf(graph, node, 0) : undefined;
    const index = node.input[1] ?? '';
    if (rows === undefined || !graph.isDynamic(index)) continue;
    if (isTokens(graph, index)) tokens.push(rows);
    else if (!fromTokens.has(index)) positions.push(rows - offsetOf(graph, index));
  }
  for (const node of graph.nodes) {
    const { tables = [], positions: place = 0 } = ROTARY[node.opType] ?? {};
    if (!graph.isDynamic(node.input[place] ?? '')) continue;
    for (const table of tables) positions.push(rowsOf(graph, node, table) ?? Infinity);
  }
  return { tokens: least(tokens), positions: least(positions) };
}

function least(sizes: readonly number[]): number | undefined {
  const size = Math.min(...sizes);
  return Number.isFinite(size) ? size : undefined;
}

function isTokens(graph: Graph, index: string): boolean {
  const node = graph.producerNode(index);
  return node ? LAYOUTS.has(node.opType) && isTokens(graph, node.input[0]) : index === TOKENS;
}

/** Rows of a weight that is looked up along its first axis; undefined for anything else. */
function rowsOf(graph: Graph, { input, attribute }: NodeProto, table: number): number | undefined {
  let name = input[table] ?? '';
  for (let node = graph.producerNode(name); node && CONVERSIONS.has(node.opType); node = graph.producerNode(name)) {
    [name] = node.input;
  }
  const dims = graph.weights.get(name)?.dims;
  const axis = attribute.find(({ name }) => name === 'axis' || name === 'gather_axis')?.i ?? 0n;
  return dims !== undefined && dims.length > 1 && axis === 0n ? Number(dims[0]) : undefined;
}

/** What is added to positions before they are looked up (2 in OPT). */
function offsetOf(graph: Graph, index: string): number {
  const node = graph.producerNode(index);
  if (!node || (node.opType !== 'Add' && node.opType !== 'Cast')) return 0;
  if (node.opType === 'Cast') return offsetOf(graph, node.input[0]);
  return node.input.map((name) => graph.integer(name) ?? 0).reduce((a, b) => a + b, 0);
}
