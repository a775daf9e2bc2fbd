/** What the probes of a data set see of each of its items: pooled codes of the SAE and of random SAEs, pooled activations. */
import { normalize } from '../../activations/normalization.ts';
import type { Codes } from '../../core/codes.ts';
import { InputError } from '../../core/errors.ts';
import { readCodes, type Codes as DeviceCodes, type Tensor } from '../../engine/device.ts';
import { Tape } from '../../engine/tape.ts';
import type { Hook } from '../../lm/site.ts';
import { packTokens } from '../../lm/tokens.ts';
import { planBatches } from '../../lm/windows.ts';
import type { EvalContext, HarvestedModel } from '../context.ts';
import { MeanCodes, MeanRows } from './pooling.ts';
import { DRAWS, RandomSae } from './random-sae.ts';

/** Tokens of a text that are read, the one that begins it included (SAEBench). */
const CONTEXT = 128;
/** Tokens of one run of the model at most. */
const BATCH_TOKENS = 8192;
/** Held-out rows from which random SAEs take mean and L0. */
const FLOOR_ROWS = 4096;

/** By item. */
export interface Features {
  /** `[items, width]` */
  readonly codes: Codes;
  /** The same of each random SAE. */
  readonly random: readonly Codes[];
  /** `[items, d]` raw activations. */
  readonly dense: Float32Array;
}

interface Encode {
  encode(tape: Tape, x: Tensor): DeviceCodes;
}

/** The SAE and the random ones beside it. */
export class Encoders {
  readonly #context: EvalContext;
  readonly #random: readonly RandomSae[];
  /** Active latents of the random SAEs. */
  readonly l0: number;

  private constructor(context: EvalContext, random: readonly RandomSae[], l0: number) {
    this.#context = context;
    this.#random = random;
    this.l0 = l0;
  }

  /** @throws InputError if nothing was held out */
  static async open(context: EvalContext): Promise<Encoders> {
    const { device, sae, source, seed } = context;
    const rows = Math.min(FLOOR_ROWS, source.heldOutRows);
    if (rows === 0) {
      throw new InputError('the activations hold no held-out rows, from which the random SAEs are made', {
        hint: 'harvest more documents, or evaluate on other activations with --acts',
      });
    }
    const x = new Float32Array(rows * sae.d);
    await source.heldOut(0, x);
    normalize(context.normalization, x, sae.d);
    const [{ rowPtr, value }] = await encodeAll(context, [sae], x);
    const l0 = value.subarray(0, rowPtr[rows]).reduce((fired, code) => fired + (code === 0 ? 0 : 1), 0) / rows;
    const sum = new Float64Array(sae.d);
    x.forEach((element, at) => (sum[at % sae.d] += element));
    const center = Float32Array.from(sum, (total) => total / rows);
    const random = Array.from({ length: DRAWS }, (_, draw) => new RandomSae(device, sae.width, center, l0, seed, draw));
    return new Encoders(context, random, l0);
  }

  /** Features of single tokens, one per row. @param raw `[rows, d]` activations */
  async ofTokens(raw: Float32Array): Promise<Features> {
    const rows = raw.length / this.#context.sae.d;
    const pools = this.#pools(rows);
    await this.#add(
      raw,
      Int32Array.from({ length: rows }, (_, row) => row),
      pools,
    );
    return finished(pools);
  }

  /**
   * Features of texts: means over the tokens of the first {@link CONTEXT} that are neither the one that begins the text nor among those
   * that the harvest leaves out.
   * @throws InputError for a text that the tokenizer cannot express
   */
  async ofTexts(texts: readonly string[], harvested: HarvestedModel, name: string): Promise<Features> {
    const { model, layer, hook, bosId, dropped } = harvested;
    const { tokenizer, info } = model;
    const context = Math.min(CONTEXT, info.context ?? CONTEXT);
    const documents = texts.map((text) => ({ tokens: tokenizer.encodeDocument(text).subarray(0, context) }));
    const isSpecial = (token: number): boolean => token === bosId || dropped.includes(token);
    const pools = this.#pools(texts.length);
    const prefix = await model.prefix([{ layer, hook: hook as Hook }]);
    const { d } = prefix;
    try {
      let done = 0;
      for (const chosen of planBatches(documents, BATCH_TOKENS)) {
        const sequences = chosen.map((item) => documents[item].tokens);
        const batch = packTokens(sequences, tokenizer.padId);
        const [acts] = await prefix.run(batch);
        const places = sequences.flatMap((tokens, i) =>
          [...tokens.keys()]
            .filter((position) => !isSpecial(tokens[position]))
            .map((position) => ({ item: chosen[i], at: (i * batch.length + position) * d })),
        );
        const raw = new Float32Array(places.length * d);
        places.forEach(({ at }, row) => raw.set(acts.subarray(at, at + d), row * d));
        await this.#add(
          raw,
          Int32Array.from(places, ({ item }) => item),
          pools,
        );
        this.#context.onProgress(`texts of ${name}`, (done += chosen.length), texts.length);
      }
    } finally {
      await prefix.release();
    }
    return finished(pools);
  }

  release(): void {
    for (const random of this.#random) random.release();
  }

  #pools(items: number): Pools {
    const { sae } = this.#context;
    const codes = [sae, ...this.#random].map(() => new MeanCodes(items, sae.width));
    return { codes, dense: new MeanRows(items, sae.d) };
  }

  async #add(raw: Float32Array, itemOf: Int32Array, { codes: pools, dense }: Pools): Promise<void> {
    const { sae, normalization, batchRows } = this.#context;
    dense.add(itemOf, raw);
    const x = raw.slice();
    normalize(normalization, x, sae.d);
    for (let start = 0; start < itemOf.length; start += batchRows) {
      const end = Math.min(itemOf.length, start + batchRows);
      const items = itemOf.subarray(start, end);
      const codes = await encodeAll(this.#context, [sae, ...this.#random], x.subarray(start * sae.d, end * sae.d));
      pools.forEach((pool, i) => pool.add(items, codes[i]));
    }
  }
}

interface Pools {
  readonly codes: readonly MeanCodes[];
  readonly dense: MeanRows;
}

function finished({ codes, dense }: Pools): Features {
  const [own, ...random] = codes.map((pool) => pool.finish());
  return { codes: own, random, dense: dense.finish() };
}

/** Codes of x `[rows, d]` by each encoder. */
async function encodeAll(
  { device, sae: { d } }: EvalContext,
  encoders: readonly Encode[],
  x: Float32Array,
): Promise<Codes[]> {
  const codes: Codes[] = [];
  for (const encoder of encoders) {
    device.beginStep();
    const tape = new Tape(device);
    const input = device.scratch('f32', x.length / d, d);
    device.write(input, x);
    codes.push(await readCodes(device, encoder.encode(tape, input)));
  }
  return codes;
}
