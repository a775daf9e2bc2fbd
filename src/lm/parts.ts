/** The two runnable halves of a language model cut at one layer. */
import { Tensor } from 'onnxruntime-node';
import { InputError } from '../core/errors.ts';
import { cutPrefix, cutSuffix, type StreamType, type SuffixPart } from './cut.ts';
import type { Graph } from './graph.ts';
import { feed } from './feeds.ts';
import { widthsOf } from './measure.ts';
import { FLOAT, FLOAT16, type ElementType } from './onnx/element-types.ts';
import type { OnnxModel } from './onnx/model-file.ts';
import type { ValueInfoProto } from './onnx/onnx_pb.ts';
import { runBatch, type Floats, type Halves } from './run.ts';
import { Session, type RunOptions } from './session.ts';
import type { TokenBatch } from './tokens.ts';
import type { Trunk } from './trunk.ts';

/** Tokens → activations at one or more sites, in one pass that ends at the deepest of them. */
export class Prefix<A extends Floats | Halves = Floats> {
  readonly #session: Session;
  readonly #inputs: readonly ValueInfoProto[];
  readonly #stream: StreamType;

  private constructor(session: Session, inputs: readonly ValueInfoProto[], stream: StreamType) {
    this.#session = session;
    this.#inputs = inputs;
    this.#stream = stream;
  }

  get d(): number {
    return this.#stream.d;
  }

  /**
   * @param tensors at least one; what {@link run} gives, in this order
   * @throws InputError if one does not have the width that the model's own first layer has
   */
  static create(
    model: OnnxModel,
    graph: Graph,
    tensors: readonly string[],
    stream: StreamType,
    options?: RunOptions,
  ): Promise<Prefix> {
    return Prefix.#create<Floats>(model, graph, tensors, stream, FLOAT, options);
  }

  /** The same in binary16: the runtime rounds to nearest even, and what is too large becomes infinite. */
  static createHalf(
    model: OnnxModel,
    graph: Graph,
    tensors: readonly string[],
    stream: StreamType,
    options?: RunOptions,
  ): Promise<Prefix<Halves>> {
    return Prefix.#create<Halves>(model, graph, tensors, stream, FLOAT16, options);
  }

  static async #create<A extends Floats | Halves>(
    model: OnnxModel,
    graph: Graph,
    tensors: readonly string[],
    stream: StreamType,
    as: ElementType,
    options?: RunOptions,
  ): Promise<Prefix<A>> {
    const part = cutPrefix(model, graph, tensors, as);
    const session = await Session.create(model, part, options);
    const widths = await widthsOf(session, part.modelInputs, tensors, stream.isSingle);
    for (const [i, width] of widths.entries()) {
      if (width === stream.d) continue;
      throw new InputError(`"${tensors[i]}" has width ${width}, the residual stream has ${stream.d}`, {
        where: model.path,
      });
    }
    return new Prefix<A>(session, part.modelInputs, stream);
  }

  /** @returns [n, length, d] for every site; rows of padding positions are finite but mean nothing */
  async run(batch: TokenBatch): Promise<A[]> {
    const feeds = (some: TokenBatch) => feed(this.#inputs, some);
    return (await runBatch<A>(this.#session, batch, this.#stream.isSingle, feeds)).map(({ data }) => data);
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

/** Residual stream → logits. */
export class Suffix {
  readonly #session: Session;
  readonly #part: SuffixPart;
  readonly #stream: StreamType;

  private constructor(session: Session, part: SuffixPart, stream: StreamType) {
    this.#session = session;
    this.#part = part;
    this.#stream = stream;
  }

  static async create(
    model: OnnxModel,
    graph: Graph,
    trunk: Trunk,
    layer: number,
    stream: StreamType,
    options?: RunOptions,
  ): Promise<Suffix> {
    const part = cutSuffix(model, graph, trunk, layer, stream);
    return new Suffix(await Session.create(model, part, options), part, stream);
  }

  /**
   * @param residual [n, length, d], as {@link Prefix.run} gives it
   * @returns [n, length, vocab]
   * @throws InputError if the model computes logits of some positions only
   */
  async run(batch: TokenBatch, residual: Float32Array): Promise<Float32Array> {
    const { n, length } = batch;
    const { d, isFlat, isSingle } = this.#stream;
    const { modelInputs, residualInput } = this.#part;
    const [{ dims, data }] = await runBatch(this.#session, batch, isSingle, (some, first) => {
      const rows = residual.subarray(first * length * d, (first + some.n) * length * d);
      const shape = isFlat ? [some.n * length, d] : [some.n, length, d];
      return { ...feed(modelInputs, some), [residualInput]: new Tensor('float32', rows, shape) };
    });
    if (dims.length !== 3 || dims[0] !== n || dims[1] !== length) {
      throw new InputError(
        `the logits have shape [${dims.join(', ')}] for ${n} sequences of ${length} tokens, expected [${n}, ${length}, vocabulary]`,
        { where: this.#session.where, hint: 'export the model with the logits of all positions' },
      );
    }
    return data;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}
