/** What a language model says about the next token, document by document. */
import type { LanguageModel } from '../../lm/model.ts';
import type { Prefix, Suffix } from '../../lm/parts.ts';
import { packTokens } from '../../lm/tokens.ts';

/** Logits of one batch are n · length · vocab numbers. */
const BATCH = 32;

export class NextTokens {
  readonly #prefix: Prefix;
  readonly #suffix: Suffix;
  readonly #vocab: number;
  readonly #padId: number;

  private constructor(model: LanguageModel, prefix: Prefix, suffix: Suffix) {
    this.#prefix = prefix;
    this.#suffix = suffix;
    this.#vocab = model.info.vocab;
    this.#padId = model.tokenizer.padId;
  }

  static async open(model: LanguageModel): Promise<NextTokens> {
    const layer = model.info.layers - 1;
    const prefix = await model.prefix([{ layer, hook: 'resid_post' }]);
    return new NextTokens(model, prefix, await model.suffix(layer));
  }

  /** Calls back with ln p over the vocabulary behind every position; the array is overwritten afterwards. */
  async forEach(
    sequences: readonly Int32Array[],
    visit: (sequence: number, position: number, logProbabilities: Float32Array) => void,
  ): Promise<void> {
    const logProbabilities = new Float32Array(this.#vocab);
    for (let start = 0; start < sequences.length; start += BATCH) {
      const part = sequences.slice(start, start + BATCH);
      const batch = packTokens(part, this.#padId);
      const [residual] = await this.#prefix.run(batch);
      const logits = await this.#suffix.run(batch, residual);
      for (const [i, { length }] of part.entries()) {
        for (let position = 0; position < length; position++) {
          const at = (i * batch.length + position) * this.#vocab;
          normalize(logits, at, logProbabilities);
          visit(start + i, position, logProbabilities);
        }
      }
    }
  }

  /** −ln p of every token behind the first and of the end of the document, which is its first token again, [tokens]. */
  async losses(documents: readonly Int32Array[]): Promise<Float64Array[]> {
    const losses = documents.map(({ length }) => new Float64Array(length));
    await this.forEach(documents, (document, position, logProbabilities) => {
      const tokens = documents[document];
      losses[document][position] = -logProbabilities[tokens[(position + 1) % tokens.length]];
    });
    return losses;
  }

  async release(): Promise<void> {
    await this.#prefix.release();
    await this.#suffix.release();
  }
}

function normalize(logits: Float32Array, at: number, into: Float32Array): void {
  let most = -Infinity;
  for (let v = 0; v < into.length; v++) if (logits[at + v] > most) most = logits[at + v];
  let sum = 0;
  for (let v = 0; v < into.length; v++) sum += Math.exp(logits[at + v] - most);
  const total = most + Math.log(sum);
  for (let v = 0; v < into.length; v++) into[v] = logits[at + v] - total;
}
