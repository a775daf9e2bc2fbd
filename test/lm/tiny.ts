/** Small transformers built in code, in the many shapes that exporters give them, with names that mean nothing. */
import { create, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
  ValueInfoProtoSchema,
  type AttributeProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TensorProto,
} from '../../src/lm/onnx/onnx_pb.ts';
import { Random } from '../../src/core/random.ts';

const FLOAT = 1;
const INT64 = 7;
const FLOAT16 = 10;

export class GraphBuilder {
  readonly nodes: NodeProto[] = [];
  readonly weights: TensorProto[] = [];
  readonly #random = new Random(7, 'tiny');
  #names = 0;

  /** Adds a node with one output. */
  node(opType: string, input: string[], attribute: AttributeProto[] = [], domain = ''): string {
    const output = `t${this.#names++}`;
    this.nodes.push(create(NodeProtoSchema, { opType, input, output: [output], attribute, domain }));
    return output;
  }

  /** A random weight. */
  weight(...dims: number[]): string {
    const size = dims.reduce((a, b) => a * b, 1);
    return this.floats(
      dims,
      Array.from({ length: size }, () => this.#random.normal() / Math.sqrt(dims[0])),
    );
  }

  floats(dims: number[], values: number[]): string {
    return this.#tensor(dims, FLOAT, new Uint8Array(Float32Array.from(values).buffer));
  }

  ints(...values: number[]): string {
    return this.#tensor([values.length], INT64, new Uint8Array(BigInt64Array.from(values, BigInt).buffer));
  }

  int(value: number): string {
    return this.#tensor([], INT64, new Uint8Array(BigInt64Array.of(BigInt(value)).buffer));
  }

  graph(inputs: string[], outputs: string[], outputType = FLOAT): GraphProto {
    const dim = [
      { value: { case: 'dimParam' as const, value: 'n' } },
      { value: { case: 'dimParam' as const, value: 't' } },
    ];
    return create(GraphProtoSchema, {
      name: 'g',
      node: this.nodes,
      initializer: this.weights,
      input: inputs.map((name) =>
        create(ValueInfoProtoSchema, { name, type: { tensorType: { elemType: INT64, shape: { dim } } } }),
      ),
      output: outputs.map((name) =>
        create(ValueInfoProtoSchema, { name, type: { tensorType: { elemType: outputType } } }),
      ),
    });
  }

  #tensor(dims: number[], dataType: number, rawData: Uint8Array): string {
    const name = `w${this.weights.length}`;
    this.weights.push(create(TensorProtoSchema, { name, dims: dims.map(BigInt), dataType, rawData }));
    return name;
  }
}

export function intAttribute(name: string, i: number): AttributeProto {
  return create(AttributeProtoSchema, { name, i: BigInt(i), type: 2 });
}

export function intsAttribute(name: string, ints: number[]): AttributeProto {
  return create(AttributeProtoSchema, { name, ints: ints.map(BigInt), type: 7 });
}

export function asModel(graph: GraphProto): ModelProto {
  return create(ModelProtoSchema, {
    irVersion: 8n,
    producerName: 'test',
    opsetImport: [
      { domain: '', version: 17n },
      { domain: 'com.microsoft', version: 1n },
    ],
    graph,
  });
}

export const encode = (model: ModelProto): Uint8Array => toBinary(ModelProtoSchema, model);

/** How the two sublayers of a block are added to the stream; `(a+m)+x` is parallel, `x+a, +m` sequential, and so on. */
export const WIRINGS = ['sequential', '(a+m)+x', '(a+x)+m', '(m+x)+a'] as const;

export interface TinyOptions {
  layers: number;
  wiring: (typeof WIRINGS)[number];
  norm?: 'rms' | 'layer';
  /** Exchange the operands of every residual addition. */
  flip?: boolean;
  half?: boolean;
  d?: number;
  vocab?: number;
}

export interface Tiny {
  model: ModelProto;
  /** Residual stream after each block. */
  residuals: string[];
  /** What attention and MLP of each block add to it. */
  attention: string[];
  mlp: string[];
}

/** A runnable transformer with one head, learned positions, GELU written out (by-passed sums) and a causal and a padding mask. */
export function tinyTransformer(options: TinyOptions): Tiny {
  const { layers, wiring, norm = 'rms', flip = false, half = false, d = 8, vocab = 11 } = options;
  const b = new GraphBuilder();
  const float = half ? FLOAT16 : FLOAT;
  const cast = (x: string, to: number) => b.node('Cast', [x], [intAttribute('to', to)]);
  const half16 = (x: string) => (half ? cast(x, FLOAT16) : x);
  const weight = (...dims: number[]) => half16(b.weight(...dims));
  const scalar = (value: number) => half16(b.floats([], [value]));
  const add = (x: string, y: string) => b.node('Add', [x, y]);
  const residualAdd = (x: string, y: string) => (flip ? add(y, x) : add(x, y));

  const tokens = b.node('Gather', [weight(vocab, d), 'input_ids']);
  const positions = b.node('Gather', [weight(32, d), 'position_ids']);
  let x = add(tokens, positions);
  // The mask takes its shape from the embedding, as in many exports: the stream is read there, but not its values.
  const visible = b.node('Cast', [b.node('Unsqueeze', ['attention_mask', b.ints(1)])], [intAttribute('to', float)]);
  const size = (axis: number) => b.node('Gather', [b.node('Shape', [x]), b.ints(axis)]);
  const shape = (...sizes: string[]) => b.node('Concat', sizes, [intAttribute('axis', 0)]);
  const masked = b.node('Mul', [b.node('Sub', [visible, scalar(1)]), scalar(1e4)]);
  const ones = b.node('Expand', [b.floats([], [-1e4]), shape(size(1), size(1))]);
  const future = half16(b.node('Trilu', [ones, b.int(1)], [intAttribute('upper', 1)]));
  const mask = add(b.node('Expand', [masked, shape(size(0), b.ints(1, 1))]), future);

  const normalise = (input: string): string => {
    if (norm === 'layer') {
      return b.node('LayerNormalization', [input, weight(d), weight(d)], [intAttribute('axis', -1)]);
    }
    const squares = b.node('Pow', [input, scalar(2)]);
    const mean = b.node('ReduceMean', [squares], [intsAttribute('axes', [-1])]);
    return b.node('Mul', [weight(d), b.node('Div', [input, b.node('Sqrt', [add(mean, scalar(1e-5))])])]);
  };
  const attention = (input: string): string => {
    const rotate = (q: string) => add(b.node('Mul', [q, weight(d)]), b.node('Mul', [b.node('Neg', [q]), weight(d)]));
    const q = rotate(b.node('MatMul', [input, weight(d, d)]));
    const k = rotate(b.node('MatMul', [input, weight(d, d)]));
    const v = b.node('MatMul', [input, weight(d, d)]);
    const scores = b.node('MatMul', [q, b.node('Transpose', [k], [intsAttribute('perm', [0, 2, 1])])]);
    const pattern = b.node('Softmax', [add(scores, mask)], [intAttribute('axis', -1)]);
    return b.node('MatMul', [b.node('MatMul', [pattern, v]), weight(d, d)]);
  };
  const mlp = (input: string): string => {
    const h = add(b.node('MatMul', [input, weight(d, 2 * d)]), weight(2 * d));
    const inner = add(h, b.node('Mul', [scalar(0.044715), b.node('Pow', [h, scalar(3)])]));
    const gate = add(b.node('Tanh', [b.node('Mul', [inner, scalar(0.8)])]), scalar(1));
    return add(b.node('MatMul', [b.node('Mul', [h, gate]), weight(2 * d, d)]), weight(d));
  };

  const residuals: string[] = [];
  const outputs = { attention: [] as string[], mlp: [] as string[] };
  for (let layer = 0; layer < layers; layer++) {
    if (wiring === 'sequential') {
      const a = attention(normalise(x));
      x = residualAdd(x, a);
      const m = mlp(normalise(x));
      x = residualAdd(x, m);
      outputs.attention.push(a);
      outputs.mlp.push(m);
    } else {
      const a = attention(normalise(x));
      const m = mlp(normalise(x));
      outputs.attention.push(a);
      outputs.mlp.push(m);
      if (wiring === '(a+m)+x') x = residualAdd(add(a, m), x);
      if (wiring === '(a+x)+m') x = residualAdd(add(a, x), m);
      if (wiring === '(m+x)+a') x = residualAdd(add(m, x), a);
    }
    residuals.push(x);
  }
  const logits = b.node('MatMul', [normalise(x), weight(d, vocab)]);
  return {
    model: asModel(b.graph(['input_ids', 'attention_mask', 'position_ids'], [logits], float)),
    residuals,
    ...outputs,
  };
}
