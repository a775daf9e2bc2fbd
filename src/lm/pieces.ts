/**
 * Byte-pair encoding word by word, for tokenizers that hand it whole texts (Llama and its kin: no pre-tokenizer, spaces
 * written as ▁). If no token has a ▁ after another character, no merge reaches across the beginning of a run of ▁, so
 * the text may be cut there, and most pieces have been encoded before.
 */
import { z } from 'zod';

const SPACE_MARK = '▁';
const SPACE = 0x20;
const MAX_PIECES = 2 ** 16;
/** Longer pieces are rare and would fill the memory: addresses, rules of dashes. */
const MAX_PIECE_LENGTH = 32;

const normalizer = z.tuple([
  z.object({ type: z.literal('Prepend'), prepend: z.literal(SPACE_MARK) }),
  z.object({
    type: z.literal('Replace'),
    pattern: z.object({ String: z.literal(' ') }),
    content: z.literal(SPACE_MARK),
  }),
]);

/** The tokenizers that can be cut; all that this file does not know of must be absent. */
const schema = z.object({
  added_tokens: z.array(z.object({ content: z.string().regex(/^[^ ▁]+$/u) })),
  normalizer: z.object({ type: z.literal('Sequence'), normalizers: normalizer }),
  pre_tokenizer: z.null().optional(),
  model: z.object({
    type: z.literal('BPE'),
    dropout: z.union([z.null(), z.literal(0)]).optional(),
    continuing_subword_prefix: z.union([z.null(), z.literal('')]).optional(),
    end_of_word_suffix: z.union([z.null(), z.literal('')]).optional(),
    vocab: z.record(z.string(), z.number()),
  }),
});

export class PieceEncoder {
  readonly #encode: (text: string) => Int32Array;
  readonly #added: readonly string[];
  readonly #known = new Map<string, Int32Array>();
  /** Where the tokens of a text are collected. */
  #result = new Int32Array(1024);

  private constructor(encode: (text: string) => Int32Array, added: readonly string[]) {
    this.#encode = encode;
    this.#added = added;
  }

  /**
   * @param tokenizerJson content of tokenizer.json
   * @param encode the tokenizer itself
   * @returns undefined if texts of this tokenizer cannot be cut
   */
  static of(tokenizerJson: unknown, encode: (text: string) => Int32Array): PieceEncoder | undefined {
    const parsed = schema.safeParse(tokenizerJson);
    if (!parsed.success) return undefined;
    const { added_tokens: added, model } = parsed.data;
    const canCut = SPACE_MARK in model.vocab && Object.keys(model.vocab).every((token) => !/[^▁]▁/u.test(token));
    return canCut
      ? new PieceEncoder(
          encode,
          added.map(({ content }) => content),
        )
      : undefined;
  }

  /** The same tokens as the tokenizer gives for the text as a whole. */
  encode(text: string): Int32Array {
    // Added tokens cut the text before it is normalised, and a lone ▁ cannot be asked for on its own.
    if (/(^|[ ▁])$/u.test(text) || this.#added.some((token) => text.includes(token))) return this.#encode(text);
    // With spaces for marks, which are the same to the tokenizer: most texts then keep one byte per letter.
    const marked = ` ${text.replaceAll(SPACE_MARK, ' ')}`;
    let size = 0;
    for (let start = 0, end = 0; start < marked.length; start = end) {
      let word = start + 1;
      while (marked.charCodeAt(word) === SPACE) word++;
      end = marked.indexOf(' ', word);
      if (end < 0) end = marked.length;
      const piece = marked.slice(start, end);
      const ids = this.#known.get(piece) ?? this.#learn(piece);
      if (size + ids.length > this.#result.length) this.#grow(size + ids.length);
      for (const id of ids) this.#result[size++] = id;
    }
    return this.#result.slice(0, size);
  }

  #grow(size: number): void {
    const longer = new Int32Array(2 * size);
    longer.set(this.#result);
    this.#result = longer;
  }

  #learn(piece: string): Int32Array {
    // The tokenizer itself puts the first mark in front.
    const ids = this.#encode(piece.slice(1));
    if (piece.length > MAX_PIECE_LENGTH) return ids;
    if (this.#known.size === MAX_PIECES) this.#known.clear();
    this.#known.set(piece, ids);
    return ids;
  }
}
