/** What the inputs of a language model's graph are fed with. */
import { Tensor } from 'onnxruntime-node';
import type { ValueInfoProto } from './onnx/onnx_pb.ts';
import { positionsOf, type TokenBatch } from './tokens.ts';

/** What each input of a model is fed with. */
const FEEDS: Readonly<Record<string, (batch: TokenBatch) => BigInt64Array>> = {
  input_ids: ({ ids }) => ids,
  attention_mask: ({ mask }) => mask,
  position_ids: positionsOf,
};

/** Names of the model inputs that {@link feed} knows. */
export const FED_INPUTS: readonly string[] = Object.keys(FEEDS);

/** @param inputs of the graph to be run, each one of {@link FED_INPUTS} */
export function feed(inputs: readonly ValueInfoProto[], batch: TokenBatch): Record<string, Tensor> {
  const shape = [batch.n, batch.length];
  return Object.fromEntries(inputs.map(({ name }) => [name, new Tensor('int64', FEEDS[name](batch), shape)]));
}
