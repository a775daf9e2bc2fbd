/** The two runnable halves of a language model cut at one layer. */
import { Tensor } from 'onnxruntime-node';
import { InputError } from '../core/errors.ts';
import { cutPrefix, cutRaw, cutSuffix, type StreamType } from './cut.ts';
import type { Graph } from './graph.ts';
import { feed } from './feeds.ts';
import { elementTypeOf } from './onnx/element-types.ts';
import type { OnnxModel } from './onnx/model-file.ts';
import type { ValueInfoProto } from './onnx/onnx_pb.ts';
import { Session, type RunOptions } from './session.ts';
import { packTokens, type TokenBatch } from './tokens.ts';
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
    const width = await widthOf(session, part.modelInputs, tensor, model.path);
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
  readonly #inputs: readonly ValueInfoProto[];
  readonly #residualInput: string;
  readonly #d: number;

  private constructor(session: Session, inputs: readonly ValueInfoProto[], residualInput: string, d: number) {
    this.#session = session;
    this.#inputs = inputs;
    this.#residualInput = residualInput;
    this.#d = d;
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
    const session = await Session.create(model, part, options);
    return new Suffix(session, part.modelInputs, part.residualInput, stream.d);
  }

  /**
   * @param residual [n, length, d], as {@link Prefix.run} gives it
   * @returns [n, length, vocab]
   */
  async run(batch: TokenBatch, residual: Float32Array): Promise<Float32Array> {
    const feeds = feed(this.#inputs, batch);
    feeds[this.#residualInput] = new Tensor('float32', residual, [batch.n, batch.length, this.#d]);
    return (await this.#session.run(feeds)).data as Float32Array;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

/** Type and width of the residual stream, found by running one token up to `tensor`. */
export async function measureStream(model: OnnxModel, graph: Graph, tensor: string): Promise<StreamType> {
  const part = cutRaw(model, graph, tensor);
  const session = await Session.create(model, part);
  try {
    const type = elementTypeOf(session.outputType);
    if (type === undefined) {
      throw new InputError(`"${tensor}" is of type ${session.outputType}: not a residual stream`, {
        where: model.path,
      });
    }
    return { type, d: await widthOf(session, part.modelInputs, tensor, model.path) };
  } finally {
    await session.release();
  }
}

/** Two sequences, so that a layout other than [n, length, d] shows. */
const PROBE = packTokens([Int32Array.of(0, 1, 0), Int32Array.of(0, 1, 1)], 0);

/** @throws InputError if a tensor is no activation: [n, length, d], or [n·length, d], which is the same in memory */
async function widthOf(
  session: Session,
  inputs: readonly ValueInfoProto[],
  tensor: string,
  where: string,
): Promise<number> {
  const { dims } = await session.run(feed(inputs, PROBE));
  const { n, length } = PROBE;
  const rows = dims.slice(0, -1).join();
  if (rows === `${n},${length}` || rows === `${n * length}`) return dims[dims.length - 1];
  throw new InputError(
    `"${tensor}" has shape [${dims.join(', ')}] for ${n} sequences of ${length} tokens, expected [${n}, ${length}, d]: ` +
      'not a residual stream',
    { where },
  );
}
