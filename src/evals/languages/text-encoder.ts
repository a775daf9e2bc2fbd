/** Codes of an SAE at the tokens of texts. */
import { normalize } from '../../activations/normalization.ts';
import type { Codes } from '../../core/codes.ts';
import type { LatentRange } from '../../engine/kernels.ts';
import type { Prefix } from '../../lm/parts.ts';
import type { Hook } from '../../lm/site.ts';
import { Reconstructor } from '../../sae/reconstructor.ts';
import type { EvalContext, HarvestedModel } from '../context.ts';
import { contributing, rootMeanSquare, rowNorms } from '../live-latents.ts';
import { activationsOf } from '../sequence-activations.ts';
import { TOP, topLatents } from './top-latents.ts';

export interface EncodedPiece {
  /** Number of its first row. */
  readonly from: number;
  readonly all: Codes;
  /** Without entries that add next to nothing (live-latents.ts). */
  readonly codes: Codes;
}

/** Rows are the tokens of the texts one after the other, without those that a harvest leaves out. */
export class EncodedTexts {
  readonly pieces: readonly EncodedPiece[];
  /** `[rows]` text and position of each. */
  readonly places: readonly (readonly [text: number, position: number])[];
  readonly #rowOf: ReadonlyMap<string, number>;

  constructor(pieces: readonly EncodedPiece[], places: readonly (readonly [text: number, position: number])[]) {
    this.pieces = pieces;
    this.places = places;
    this.#rowOf = new Map(places.map((place, row) => [place.join(), row]));
  }

  /** The strongest latents at a token; none at one that a harvest leaves out. */
  top(text: number, position: number, range: LatentRange): Int32Array {
    const row = this.#rowOf.get([text, position].join()) ?? -1;
    const piece = this.pieces.findLast(({ from }) => from <= row);
    return piece ? topLatents(piece.all, row - piece.from, range) : new Int32Array(TOP).fill(-1);
  }
}

export class SaeTextEncoder {
  readonly #context: EvalContext;
  readonly #model: HarvestedModel;
  readonly #prefix: Prefix;
  readonly #reconstructor: Reconstructor;
  readonly #norms: Float64Array;
  /** Root mean square norm of the inputs, from the first texts. */
  #scale: number | undefined;

  private constructor(
    context: EvalContext,
    model: HarvestedModel,
    prefix: Prefix,
    reconstructor: Reconstructor,
    dictionary: Float32Array,
  ) {
    this.#context = context;
    this.#model = model;
    this.#prefix = prefix;
    this.#reconstructor = reconstructor;
    this.#norms = rowNorms(dictionary, context.sae.d);
  }

  static async open(context: EvalContext, harvested: HarvestedModel): Promise<SaeTextEncoder> {
    const { model, layer, hook } = harvested;
    const prefix = await model.prefix([{ layer, hook: hook as Hook }]);
    const reconstructor = await Reconstructor.create(context.device, context.sae);
    return new SaeTextEncoder(context, harvested, prefix, reconstructor, await reconstructor.readDictionary());
  }

  /** @param texts go through the model at once, and through the SAE in pieces of the context's `batchRows` */
  async encode(texts: readonly Int32Array[]): Promise<EncodedTexts> {
    const { sae, normalization, batchRows } = this.#context;
    const { d } = sae;
    const { model, dropped } = this.#model;
    const acts = await activationsOf(this.#prefix, texts, model.tokenizer.padId);
    const places = texts.flatMap((tokens, text) =>
      Array.from(tokens, (_, position) => [text, position] as const).filter(([, at]) => !dropped.includes(tokens[at])),
    );
    const x = new Float32Array(places.length * d);
    places.forEach(([text, at], row) => x.set(acts[text].subarray(at * d, (at + 1) * d), row * d));
    normalize(normalization, x, d);
    this.#scale ??= rootMeanSquare(x, d);
    const pieces: EncodedPiece[] = [];
    for (let from = 0; from < places.length; from += batchRows) {
      const { codes: all } = await this.#reconstructor.run(x.subarray(from * d, (from + batchRows) * d), []);
      pieces.push({ from, all, codes: contributing(all, this.#norms, this.#scale) });
    }
    return new EncodedTexts(pieces, places);
  }

  async release(): Promise<void> {
    this.#reconstructor.release();
    await this.#prefix.release();
  }
}
