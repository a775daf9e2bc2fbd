/** The held-out activations of an evaluation, twice: as the model has them and as the SAE sees them. */
import { InputError } from '../core/errors.ts';
import { normalize, type Normalization } from '../activations/normalization.ts';
import type { ActivationSource, RowOrigins } from '../activations/source.ts';
import { blockUnits, documentUnits, type Units } from './units.ts';

export interface HeldOutBatch {
  /** Number of the first row in the sample. */
  readonly start: number;
  readonly rows: number;
  /** [rows, d], the model's own activations. */
  readonly raw: Float32Array;
  /** [rows, d], the SAE's input. */
  readonly normalized: Float32Array;
}

export class HeldOutRows {
  readonly rows: number;
  readonly d: number;
  readonly batchRows: number;
  readonly normalization: Normalization;
  readonly units: Units;
  /** [d], mean of the raw rows. */
  readonly mean: Float64Array;
  /** undefined for sources whose rows come from no text. */
  readonly origins: RowOrigins | undefined;
  readonly #source: ActivationSource;

  private constructor(
    source: ActivationSource,
    normalization: Normalization,
    rows: number,
    batchRows: number,
    mean: Float64Array,
    origins: RowOrigins | undefined,
  ) {
    this.#source = source;
    this.d = source.d;
    this.normalization = normalization;
    this.rows = rows;
    this.batchRows = batchRows;
    this.mean = mean;
    this.origins = origins;
    this.units = origins ? documentUnits(origins.doc) : blockUnits(rows);
  }

  /**
   * Takes the first held-out rows, `rows` at most, and reads them once for their mean and origins.
   * @param source of raw activations: a row's own scale cannot be recovered from a normalised one
   * @param normalization how the SAE wants them
   * @throws InputError if nothing was held out
   */
  static async open(
    source: ActivationSource,
    normalization: Normalization,
    { rows: most, batchRows }: { rows: number; batchRows: number },
  ): Promise<HeldOutRows> {
    if (source.normalization.kind !== 'none') throw new TypeError('evaluations read raw activations');
    const { d } = source;
    const rows = Math.min(most, source.heldOutRows);
    if (rows === 0) {
      throw new InputError('the activations hold no held-out rows to evaluate on', {
        hint: 'harvest more documents, or evaluate on other activations with --acts',
      });
    }
    const tokens = new Int32Array(rows);
    const pos = new Int32Array(rows);
    // Sources without documents leave the arrays as they are.
    const doc = new Int32Array(rows).fill(-1);
    const sum = new Float64Array(d);
    const buffer = new Float32Array(Math.min(rows, batchRows) * d);
    for (let start = 0; start < rows; start += batchRows) {
      const end = Math.min(rows, start + batchRows);
      const raw = buffer.subarray(0, (end - start) * d);
      await source.heldOut(start, raw, {
        tokens: tokens.subarray(start, end),
        pos: pos.subarray(start, end),
        doc: doc.subarray(start, end),
      });
      for (let i = 0, column = 0; i < raw.length; i++) {
        sum[column] += raw[i];
        if (++column === d) column = 0;
      }
    }
    const origins = doc[0] === -1 ? undefined : { tokens, pos, doc };
    const mean = sum.map((value) => value / rows);
    return new HeldOutRows(source, normalization, rows, batchRows, mean, origins);
  }

  /** All rows in stored order. The arrays of a batch are valid until the next one. */
  async *batches(): AsyncGenerator<HeldOutBatch> {
    const { d, batchRows } = this;
    const size = Math.min(this.rows, batchRows) * d;
    const [rawBuffer, normalizedBuffer] = [new Float32Array(size), new Float32Array(size)];
    for (let start = 0; start < this.rows; start += batchRows) {
      const rows = Math.min(batchRows, this.rows - start);
      const raw = rawBuffer.subarray(0, rows * d);
      await this.#source.heldOut(start, raw);
      const normalized = normalizedBuffer.subarray(0, rows * d);
      normalized.set(raw);
      normalize(this.normalization, normalized, d);
      yield { start, rows, raw, normalized };
    }
  }
}
