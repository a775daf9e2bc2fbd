/** What config.json says about a language model, under the several names that model families use. */
import { z } from 'zod';
import { InputError } from '../core/errors.ts';
import { readTextFile } from '../core/files.ts';

const size = z.number().int().positive().nullish();

const sizes = z.looseObject({
  num_hidden_layers: size,
  n_layer: size,
  n_layers: size,
  num_layers: size,
  hidden_size: size,
  n_embd: size,
  d_model: size,
  max_position_embeddings: size,
  n_positions: size,
  n_ctx: size,
  max_seq_len: size,
  seq_length: size,
  vocab_size: size,
});

const schema = sizes.extend({
  architectures: z.array(z.string()).nullish(),
  model_type: z.string().nullish(),
  is_encoder_decoder: z.boolean().nullish(),
  /** The language model of one that takes images too. */
  text_config: sizes.nullish(),
});

/** Undefined where config.json does not say. */
export interface ModelConfig {
  readonly architecture: string;
  readonly layers: number | undefined;
  readonly d: number | undefined;
  /** Longest sequence that the model was made for. */
  readonly context: number | undefined;
  readonly vocab: number | undefined;
  readonly isEncoderDecoder: boolean;
}

/** @throws InputError if the file is missing, not JSON, or has values that make no sense */
export function readModelConfig(path: string): ModelConfig {
  const parsed = schema.safeParse(parse(readTextFile(path, "the model's config.json"), path));
  if (!parsed.success) {
    const [{ path: key, message }] = parsed.error.issues;
    throw new InputError(`config.json is damaged: ${key.length > 0 ? `${key.join('.')}: ` : ''}${message}`, {
      where: path,
    });
  }
  const config = { ...parsed.data.text_config, ...parsed.data };
  return {
    architecture: config.architectures?.[0] ?? config.model_type ?? 'unknown',
    layers: config.num_hidden_layers ?? config.n_layer ?? config.n_layers ?? config.num_layers ?? undefined,
    d: config.hidden_size ?? config.n_embd ?? config.d_model ?? undefined,
    context:
      config.max_position_embeddings ??
      config.n_positions ??
      config.n_ctx ??
      config.max_seq_len ??
      config.seq_length ??
      undefined,
    vocab: config.vocab_size ?? undefined,
    isEncoderDecoder: config.is_encoder_decoder ?? false,
  };
}

/** Python writes numbers into JSON that JSON does not have (`"time_step_limit": [0.0, Infinity]`): none matters here. */
function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text.replaceAll(/(?<=[:[,]\s*)(-?Infinity|NaN)(?=\s*[,\]}])/g, 'null'));
  } catch (error) {
    throw new InputError(`the model's config.json is not valid JSON: ${(error as Error).message}`, {
      where,
      cause: error,
    });
  }
}
