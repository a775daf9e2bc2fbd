/** The two runnable halves of a language model cut at one layer. */
import { Tensor } from 'onnxruntime-node';
import { InputError } from '../core/errors.ts';
import { cutPrefix, cutSuffix, type StreamType } from './cut.ts';
import type { Graph } from './graph.ts';
import { feed } from './feeds.ts';
import { elementTypeOf } from './onnx/element-types.ts';
import type { OnnxModel } from './onnx/model-file.ts';
import { Session, type RunOptions } from './session.ts';
import { packTokens, type TokenBatch } from './tokens.ts';
import type { Trunk } from './trunk.ts';

/** Tokens → activations at one or more sites, in one pass that ends at the deepest of them. */
export class Prefix {
  readonly d: number;
  readonly #session: Session;
  readonly #inputs: readonly string[];

  private constructor(session: Session, inputs: readonly string[], d: number) {
    this.#session = session;
    this.#inputs = inputs;
    this.d = d;
  }

  /**
   * @param tensors at least one; what {@link run} gives, in this order
   * @throws InputError if one does not have the width that the model's own first layer has
   */
  static async create(
    model: OnnxModel,
    graph: Graph,
    tensors: readonly string[],
    { type, d }: StreamType,
    options?: RunOptions,
  ): Promise<Prefix> {
    const part = cutPrefix(model, graph, tensors, type);
    const session = await Session.create(model, part, options);
    const widths = await widthsOf(session, part.modelInputs, tensors, model.path);
    for (const [i, width] of widths.entries()) {
      if (width === d) continue;
      throw new InputError(`"${tensors[i]}" has width ${width}, the residual stream has ${d}`, { where: model.path });
    }
    return new Prefix(session, part.modelInputs, d);
  }

  /** @returns [n, length, d] for every site; rows of padding positions are finite but mean nothing */
  async run(batch: TokenBatch): Promise<Float32Array<ArrayBuffer>[]> {
    const results = await this.#session.run(feed(this.#inputs, batch));
    return results.map(({ data }) => data as Float32Array<ArrayBuffer>);
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

/** Residual stream → logits. */
export class Suffix {
  readonly #session: Session;
  readonly #inputs: readonly string[];
  readonly #residualInput: string;
  readonly #d: number;

  private constructor(session: Session, inputs: readonly string[], residualInput: string, d: number) {
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
    const [logits] = await this.#session.run(feeds);
    return logits.data as Float32Array;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

/** Type and width of the residual stream, found by running one token up to `tensor`. */
export async function measureStream(model: OnnxModel, graph: Graph, tensor: string): Promise<StreamType> {
  const part = cutPrefix(model, graph, [tensor]);
  const session = await Session.create(model, part);
  try {
    const type = elementTypeOf(session.outputType);
    if (type === undefined) {
      throw new InputError(`"${tensor}" is of type ${session.outputType}: not a residual stream`, {
        where: model.path,
      });
    }
    const [d] = await widthsOf(session, part.modelInputs, [tensor], model.path);
    return { type, d };
  } finally {
    await session.release();
  }
}

async function widthsOf(
  session: Session,
  inputs: readonly string[],
  tensors: readonly string[],
  where: string,
): Promise<number[]> {
  const results = await session.run(feed(inputs, packTokens([Int32Array.of(0)], 0)));
  return results.map(({ dims }, i) => {
    if (dims.length === 3 && dims[0] === 1 && dims[1] === 1) return dims[2];
    throw new InputError(
      `"${tensors[i]}" has shape [${dims.join(', ')}] for one token, expected [1, 1, d]: not a residual stream`,
      { where },
    );
  });
}
