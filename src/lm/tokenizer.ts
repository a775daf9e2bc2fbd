/** Text ↔ tokens, by the model's own tokenizer.json. */
import { join } from 'node:path';
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { z } from 'zod';
import { InputError } from '../core/errors.ts';
import { readJsonFile } from '../core/files.ts';
import { PieceEncoder } from './pieces.ts';

/** Files of a model folder that decide its tokens. */
export const TOKENIZER_FILES = ['tokenizer.json', 'tokenizer_config.json'] as const;

/** A special token is written as text or as an object with its text. */
const special = z
  .union([z.string(), z.looseObject({ content: z.string() }).transform(({ content }) => content)])
  .nullish();

const configSchema = z.looseObject({
  add_bos_token: z.boolean().nullish(),
  bos_token: special,
  eos_token: special,
  pad_token: special,
});

export class Tokenizer {
  /** Token that begins every document, if the model uses one. */
  readonly bosId: number | undefined;
  /** What to fill batches with; the attention mask hides it. */
  readonly padId: number;
  /** Number of tokens, added ones included. */
  readonly size: number;
  readonly #tokenizer: HuggingFaceTokenizer;
  readonly #pieces: PieceEncoder | undefined;
  readonly #where: string;

  private constructor(
    tokenizer: HuggingFaceTokenizer,
    json: unknown,
    config: z.output<typeof configSchema>,
    rows: number,
    where: string,
  ) {
    this.#tokenizer = tokenizer;
    this.#pieces = PieceEncoder.of(json, (text) => this.#encodeWhole(text));
    this.#where = where;
    this.size = tokenizer.get_vocab(true).size;
    this.bosId = config.add_bos_token === false ? undefined : findBos(tokenizer, config);
    const id = (token: string | null | undefined): number | undefined =>
      typeof token === 'string' ? tokenizer.token_to_id(token) : undefined;
    checkIds(tokenizer, rows, this.bosId, where);
    this.padId = [id(config.pad_token), id(config.eos_token)].find((id) => id !== undefined && id < rows) ?? 0;
  }

  /**
   * @param folder with tokenizer.json and tokenizer_config.json
   * @param rows of the model's token embedding, if that is known
   * @throws InputError if a file is missing or damaged, describes a tokenizer of an unknown kind, or has tokens that the
   * model has no embedding for
   */
  static open(folder: string, rows = Infinity): Tokenizer {
    const path = join(folder, 'tokenizer.json');
    const configPath = join(folder, 'tokenizer_config.json');
    const json = readJsonFile(path, "the model's tokenizer.json");
    const config = configSchema.safeParse(readJsonFile(configPath, "the model's tokenizer_config.json"));
    if (!config.success) {
      const [{ path: key, message }] = config.error.issues;
      throw new InputError(`tokenizer_config.json is damaged: ${key.join('.')}: ${message}`, { where: configPath });
    }
    try {
      // The library knows the unknown token of plain word lists by the configuration only.
      const unknown = (json as { model: { unk_token?: unknown } }).model.unk_token;
      const tokenizer = new HuggingFaceTokenizer(json as object, { unk_token: unknown, ...config.data });
      return new Tokenizer(tokenizer, json, config.data, rows, path);
    } catch (error) {
      if (error instanceof InputError) throw error;
      throw new InputError(`tokenizer.json is damaged or of an unknown kind: ${(error as Error).message}`, {
        where: path,
        hint: 'download the tokenizer again',
        cause: error,
      });
    }
  }

  /** Tokens of a text, without any that the text does not contain. @throws InputError for text that the vocabulary cannot express */
  encode(text: string): Int32Array {
    return this.#pieces?.encode(text) ?? this.#encodeWhole(text);
  }

  #encodeWhole(text: string): Int32Array {
    const { ids, tokens } = this.#tokenizer.encode(text, { add_special_tokens: false });
    const unknown = (ids as (number | undefined)[]).findIndex((id) => id === undefined);
    if (unknown >= 0) {
      throw new InputError(`the tokenizer has no token for "${tokens[unknown]}" and no token for unknown text`, {
        where: this.#where,
      });
    }
    return Int32Array.from(ids);
  }

  /** Tokens of a whole document: as the model saw documents in training, it begins with BOS if the model uses one. */
  encodeDocument(text: string): Int32Array {
    const ids = this.encode(text);
    if (this.bosId === undefined) return ids;
    const document = new Int32Array(ids.length + 1);
    document[0] = this.bosId;
    document.set(ids, 1);
    return document;
  }

  /** Text of some tokens; special tokens are left out. */
  decode(ids: Int32Array): string {
    return ids.length === 0 ? '' : this.#tokenizer.decode([...ids], { skip_special_tokens: true });
  }

  /** A token as it is written in the vocabulary (▁the, Ġthe, <0x0A>), for display. */
  token(id: number): string {
    return this.#tokenizer.id_to_token(id) ?? `<${id}>`;
  }
}

/** What the template puts before a text; without a template, `bos_token` if the configuration asks for it. */
function findBos(tokenizer: HuggingFaceTokenizer, config: z.output<typeof configSchema>): number | undefined {
  const plain = tokenizer.encode('a', { add_special_tokens: false }).ids;
  const framed = tokenizer.encode('a', { add_special_tokens: true }).ids;
  if (framed.length > plain.length && framed[0] !== plain[0]) return framed[0];
  return config.add_bos_token && config.bos_token ? tokenizer.token_to_id(config.bos_token) : undefined;
}

/**
 * Refuses tokens past the end of the embedding table. Special tokens, which no text contains, may be there (for images,
 * or for padding); a table with more rows than tokens is usual.
 */
function checkIds(tokenizer: HuggingFaceTokenizer, rows: number, bos: number | undefined, where: string): void {
  const special = new Set(
    [...tokenizer.get_added_tokens_decoder()].filter(([, { special }]) => special).map(([id]) => id),
  );
  let last: [token: string, id: number] = ['', -1];
  for (const [token, id] of tokenizer.get_vocab(true)) {
    if (id > last[1] && (!special.has(id) || id === bos)) last = [token, id];
  }
  if (last[1] < rows) return;
  throw new InputError(
    `tokenizer and model do not belong together: "${last[0]}" is token ${last[1]}, but the model has embeddings for ` +
      `${rows} tokens only`,
    { where, hint: 'take the tokenizer.json that the model came with' },
  );
}
