/** What a run on a few tokens says about a model: the form of its residual stream, and whether it is causal. */
import { InputError } from '../core/errors.ts';
import { cutPrefix, cutRaw, type StreamType } from './cut.ts';
import { feed, takesOne } from './feeds.ts';
import type { Graph } from './graph.ts';
import { elementTypeOf, FLOAT, type ElementType } from './onnx/element-types.ts';
import type { OnnxModel } from './onnx/model-file.ts';
import type { ValueInfoProto } from './onnx/onnx_pb.ts';
import { runBatch, type Output } from './run.ts';
import { Session } from './session.ts';
import { packTokens, type TokenBatch } from './tokens.ts';

/** Tokens tried in the last place: two could happen to have the same embedding. */
const LAST_TOKENS = 4;
/** Of what a token changes at its own position, rounding may change this much at others. */
const ROUNDING = 2e-3;

/**
 * @param tensor the residual stream after the first block
 * @param vocab rows of the token embedding, as far as is known
 * @throws InputError if it is not [n, length, d] or [n·length, d], or if a token changes it at positions before its own
 */
export async function measureStream(model: OnnxModel, graph: Graph, tensor: string, vocab = 2): Promise<StreamType> {
  const type = await elementType(model, graph, tensor);
  const part = cutPrefix(model, graph, [tensor]);
  const session = await Session.create(model, part);
  try {
    const batch = probe(Math.max(2, Math.min(LAST_TOKENS, vocab)));
    const { dims, data, isSingle } = await trial(session, part.modelInputs, batch);
    const d = checkShape(dims, batch, tensor, model.path);
    checkCausal(data, batch, d, model.path);
    return { type, d, isFlat: dims.length === 2, isSingle };
  } finally {
    await session.release();
  }
}

/** All sequences at once, or one after the other if that fails: some exports promise batches, but cannot run them. */
async function trial(
  session: Session,
  inputs: readonly ValueInfoProto[],
  batch: TokenBatch,
): Promise<Output & { isSingle: boolean }> {
  const run = async (isSingle: boolean): Promise<Output & { isSingle: boolean }> => {
    const [output] = await runBatch(session, batch, isSingle, (some) => feed(inputs, some));
    return { ...output, isSingle };
  };
  try {
    return await run(inputs.some(takesOne));
  } catch (error) {
    return run(true).catch(() => {
      throw new InputError(
        `a trial of ${batch.n} sequences of ${batch.length} tokens failed: ${(error as Error).message}`,
        {
          where: session.where,
          hint: 'the model may have been exported for sequences or batches of one size: export it with dynamic ones',
          cause: error,
        },
      );
    });
  }
}

/** Widths of the activations that a session gives. @throws InputError if one is none: see {@link measureStream} */
export async function widthsOf(
  session: Session,
  inputs: readonly ValueInfoProto[],
  tensors: readonly string[],
  isSingle: boolean,
): Promise<number[]> {
  const batch = probe(2);
  const results = await runBatch(session, batch, isSingle, (some) => feed(inputs, some));
  return results.map(({ dims }, i) => checkShape(dims, batch, tensors[i], session.where));
}

/** Sequences that differ in their last token; of unequal numbers, so that a layout other than [n, length, d] shows. */
const probe = (n: number): TokenBatch =>
  packTokens(
    Array.from({ length: n }, (_, i) => Int32Array.of(0, 1, i)),
    0,
  );

async function elementType(model: OnnxModel, graph: Graph, tensor: string): Promise<ElementType> {
  if (graph.isSinglePrecision) return FLOAT;
  const session = await Session.create(model, cutRaw(model, graph, tensor));
  try {
    const type = elementTypeOf(session.outputType);
    if (type !== undefined) return type;
    throw new InputError(`"${tensor}" is of type ${session.outputType}: not a residual stream`, { where: model.path });
  } finally {
    await session.release();
  }
}

function checkShape(dims: readonly number[], { n, length }: TokenBatch, tensor: string, where: string): number {
  const rows = dims.slice(0, -1).join();
  if (rows === `${n},${length}` || rows === `${n * length}`) return dims[dims.length - 1];
  throw new InputError(
    `"${tensor}" has shape [${dims.join(', ')}] for ${n} sequences of ${length} tokens, expected [${n}, ${length}, d]: ` +
      'not a residual stream',
    { where },
  );
}

/** Where activations are quantised by their range, it is the same for all sequences of one run. */
function checkCausal(acts: Float32Array, { n, length }: TokenBatch, d: number, where: string): void {
  const change = (pos: number): number => {
    let most = 0;
    for (let row = 1; row < n; row++) {
      for (let i = pos * d; i < (pos + 1) * d; i++)
        most = Math.max(most, Math.abs(acts[row * length * d + i] - acts[i]));
    }
    return most;
  };
  const early = Math.max(...Array.from({ length: length - 1 }, (_, pos) => change(pos)));
  if (early <= ROUNDING * change(length - 1)) return;
  throw new InputError('not a causal language model: a token changes the activations of the tokens before it', {
    where,
    hint: 'encoders (BERT and the like) predict no next token: take a decoder-only model',
  });
}
