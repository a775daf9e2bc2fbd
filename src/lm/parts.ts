/** The two runnable halves of a language model cut at one layer. */
import { Tensor } from 'onnxruntime-node';
import { InputError } from '../core/errors.ts';
import { cutPrefix, cutSuffix, type StreamType, type SuffixPart } from './cut.ts';
import type { Graph } from './graph.ts';
import { feed } from './feeds.ts';
import { widthOf } from './measure.ts';
import type { OnnxModel } from './onnx/model-file.ts';
import type { ValueInfoProto } from './onnx/onnx_pb.ts';
import { Session, type RunOptions } from './session.ts';
import type { TokenBatch } from './tokens.ts';
import type { Trunk } from './trunk.ts';

/** Tokens → residual stream. */
export class Prefix {
  readonly d: number;
  readonly #session: Session;
  readonly #inputs: readonly ValueInfoProto[];

  private constructor(session: Session, inputs: readonly ValueInfoProto[], d: number) {
    this.#session = session;
    this.#inputs = inputs;
    this.d = d;
  }

  /** @throws InputError if the stream does not have the width that the model's own first layer has */
  static async create(
    model: OnnxModel,
    graph: Graph,
    tensor: string,
    { d }: StreamType,
    options?: RunOptions,
  ): Promise<Prefix> {
    const part = cutPrefix(model, graph, tensor);
    const session = await Session.create(model, part, options);
    const width = await widthOf(session, part.modelInputs, tensor);
    if (width !== d) {
      throw new InputError(`"${tensor}" has width ${width}, the residual stream has ${d}`, { where: model.path });
    }
    return new Prefix(session, part.modelInputs, d);
  }

  /**
   * @param into at least n·length·d numbers that are used for the result, which is then a view of it
   * @returns [n, length, d]; rows of padding positions are finite but mean nothing
   */
  async run(batch: TokenBatch, into?: Float32Array): Promise<Float32Array> {
    const shape = [batch.n, batch.length, this.d];
    const result = await this.#session.run(
      feed(this.#inputs, batch),
      into && new Tensor('float32', into.subarray(0, batch.n * batch.length * this.d), shape),
    );
    return result.data as Float32Array;
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
    const { d, isFlat } = this.#stream;
    const feeds = feed(this.#part.modelInputs, batch);
    feeds[this.#part.residualInput] = new Tensor('float32', residual, isFlat ? [n * length, d] : [n, length, d]);
    const { dims, data } = await this.#session.run(feeds);
    if (dims.length !== 3 || dims[0] !== n || dims[1] !== length) {
      throw new InputError(
        `the logits have shape [${dims.join(', ')}] for ${n} sequences of ${length} tokens, expected [${n}, ${length}, vocabulary]`,
        { where: this.#session.where, hint: 'export the model with the logits of all positions' },
      );
    }
    return data as Float32Array;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}
