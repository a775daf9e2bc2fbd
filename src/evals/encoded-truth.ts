/** Rows with known truth as an SAE encodes them, batch by batch. */
import { normalize, type Normalization } from '../activations/normalization.ts';
import type { Codes } from '../core/codes.ts';
import type { Device } from '../engine/device.ts';
import type { Sae } from '../sae/architecture.ts';
import { Reconstructor } from '../sae/reconstructor.ts';
import { contributing, rootMeanSquare, rowNorms } from './live-latents.ts';
import type { TruthRows } from './truth-rows.ts';

/** Rows that tell the scale of the inputs. */
const SCALE_ROWS = 1024;

export interface EncodedBatch {
  /** Number of the first row. */
  readonly start: number;
  /** [rows, d], as the model has them. */
  readonly raw: Float32Array;
  /** [rows, d], the SAE's input. */
  readonly x: Float32Array;
  /** Features that are on. */
  readonly truth: Codes;
  readonly all: Codes;
  /** The codes without entries that add next to nothing (live-latents.ts). */
  readonly codes: Codes;
  /** [rows, d] of the whole SAE, in its input space. */
  readonly reconstruction: Float32Array;
}

export class EncodedTruth {
  /** Decoder rows [F, d]. */
  readonly dictionary: Float32Array;
  readonly #source: TruthRows;
  readonly #normalization: Normalization;
  readonly #reconstructor: Reconstructor;
  readonly #norms: Float64Array;
  readonly #scale: number;
  readonly #batchRows: number;

  private constructor(
    source: TruthRows,
    normalization: Normalization,
    reconstructor: Reconstructor,
    dictionary: Float32Array,
    scale: number,
    batchRows: number,
  ) {
    this.#source = source;
    this.#normalization = normalization;
    this.#reconstructor = reconstructor;
    this.dictionary = dictionary;
    this.#norms = rowNorms(dictionary, source.d);
    this.#scale = scale;
    this.#batchRows = batchRows;
  }

  /** @param normalization of the SAE's inputs, fitted */
  static async open(
    device: Device,
    sae: Sae,
    source: TruthRows,
    normalization: Normalization,
    { rows, batchRows }: { rows: number; batchRows: number },
  ): Promise<EncodedTruth> {
    const { acts } = await source.rows(0, Math.min(rows, SCALE_ROWS));
    const scale = rootMeanSquare(normalized(normalization, acts, source.d), source.d);
    const reconstructor = await Reconstructor.create(device, sae);
    const dictionary = await reconstructor.readDictionary();
    return new EncodedTruth(source, normalization, reconstructor, dictionary, scale, batchRows);
  }

  /** Rows from ≤ row < to. */
  async *batches(from: number, to: number): AsyncGenerator<EncodedBatch> {
    const full = this.#reconstructor.sae.views.find(({ name }) => name === 'full')!;
    for (let start = from; start < to; start += this.#batchRows) {
      const { acts: raw, truth } = await this.#source.rows(start, Math.min(this.#batchRows, to - start));
      const x = normalized(this.#normalization, raw, this.#source.d);
      const { codes: all, views } = await this.#reconstructor.run(x, [full]);
      const codes = contributing(all, this.#norms, this.#scale);
      yield { start, raw, x, truth, all, codes, reconstruction: views[0] };
    }
  }

  /** Gives the device's memory back. */
  release(): void {
    this.#reconstructor.release();
  }
}

function normalized(normalization: Normalization, raw: Float32Array, d: number): Float32Array {
  if (normalization.kind === 'none') return raw;
  const x = raw.slice();
  normalize(normalization, x, d);
  return x;
}
