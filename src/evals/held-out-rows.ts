/** The held-out activations of an evaluation, twice: as the model has them and as the SAE sees them. */
import { InputError } from '../core/errors.ts';
import { normalize, type Normalization } from '../activations/normalization.ts';
import type { ActivationSource, RowOrigins } from '../activations/source.ts';
import { blockUnits, DocumentUnits, type RowUnits } from './units.ts';

export interface HeldOutBatch {
  /** Number of the first row in the sample. */
  readonly start: number;
  readonly rows: number;
  /** [rows, d], the model's own activations. */
  readonly raw: Float32Array;
  /** [rows, d], the SAE's input. */
  readonly normalized: Float32Array;
  /** undefined for sources whose rows come from no text. */
  readonly origins: RowOrigins | undefined;
}

/** Told where rows come from, batch by batch; the arrays are valid until the next one. */
export type OnOrigins = (origins: RowOrigins, start: number) => void;

export class HeldOutRows {
  readonly rows: number;
  readonly d: number;
  readonly batchRows: number;
  readonly normalization: Normalization;
  readonly units: RowUnits;
  /** [d], mean of the raw rows. */
  readonly mean: Float64Array;
  /** Whether the rows come from text. */
  readonly hasOrigins: boolean;
  readonly #source: ActivationSource;

  private constructor(
    source: ActivationSource,
    normalization: Normalization,
    rows: number,
    batchRows: number,
    mean: Float64Array,
    units: RowUnits,
    hasOrigins: boolean,
  ) {
    this.#source = source;
    this.d = source.d;
    this.normalization = normalization;
    this.rows = rows;
    this.batchRows = batchRows;
    this.mean = mean;
    this.units = units;
    this.hasOrigins = hasOrigins;
  }

  /**
   * Takes the first held-out rows, `rows` at most, and reads them once for their mean and documents. Nothing that is kept grows with their
   * number.
   * @param source of raw activations: a row's own scale cannot be recovered from a normalised one
   * @param normalization how the SAE wants them
   * @param onOrigins called in that pass where rows come from text
   * @throws InputError if nothing was held out
   */
  static async open(
    source: ActivationSource,
    normalization: Normalization,
    { rows: most, batchRows }: { rows: number; batchRows: number },
    onOrigins: OnOrigins = () => {},
  ): Promise<HeldOutRows> {
    if (source.normalization.kind !== 'none') throw new TypeError('evaluations read raw activations');
    const { d } = source;
    const rows = Math.min(most, source.heldOutRows);
    if (rows === 0) {
      throw new InputError('the activations hold no held-out rows to evaluate on', {
        hint: 'harvest more documents, or evaluate on other activations with --acts',
      });
    }
    const documents = new DocumentUnits();
    const sum = new Float64Array(d);
    const buffer = new Float32Array(Math.min(rows, batchRows) * d);
    const origins = new OriginsBuffer(Math.min(rows, batchRows));
    let hasOrigins = false;
    for (let start = 0; start < rows; start += batchRows) {
      const end = Math.min(rows, start + batchRows);
      const raw = buffer.subarray(0, (end - start) * d);
      const of = origins.first(end - start);
      await source.heldOut(start, raw, of);
      if (start === 0) hasOrigins = origins.isWritten;
      if (hasOrigins) {
        documents.add(of.doc);
        onOrigins(of, start);
      }
      for (let i = 0, column = 0; i < raw.length; i++) {
        sum[column] += raw[i];
        if (++column === d) column = 0;
      }
    }
    const mean = sum.map((value) => value / rows);
    const units = hasOrigins ? documents.finish() : blockUnits(rows);
    return new HeldOutRows(source, normalization, rows, batchRows, mean, units, hasOrigins);
  }

  /** All rows in stored order. The arrays of a batch are valid until the next one. */
  async *batches(): AsyncGenerator<HeldOutBatch> {
    const { d, batchRows } = this;
    const size = Math.min(this.rows, batchRows) * d;
    const [rawBuffer, normalizedBuffer] = [new Float32Array(size), new Float32Array(size)];
    const buffer = new OriginsBuffer(this.hasOrigins ? Math.min(this.rows, batchRows) : 0);
    for (let start = 0; start < this.rows; start += batchRows) {
      const rows = Math.min(batchRows, this.rows - start);
      const raw = rawBuffer.subarray(0, rows * d);
      const origins = this.hasOrigins ? buffer.first(rows) : undefined;
      await this.#source.heldOut(start, raw, origins);
      const normalized = normalizedBuffer.subarray(0, rows * d);
      normalized.set(raw);
      normalize(this.normalization, normalized, d);
      yield { start, rows, raw, normalized, origins };
    }
  }
}

class OriginsBuffer implements RowOrigins {
  readonly tokens: Int32Array;
  readonly pos: Int32Array;
  readonly doc: Int32Array;

  constructor(rows: number) {
    this.tokens = new Int32Array(rows);
    this.pos = new Int32Array(rows);
    // Sources without documents leave the arrays as they are.
    this.doc = new Int32Array(rows).fill(-1);
  }

  get isWritten(): boolean {
    return this.doc[0] !== -1;
  }

  first(rows: number): RowOrigins {
    return {
      tokens: this.tokens.subarray(0, rows),
      pos: this.pos.subarray(0, rows),
      doc: this.doc.subarray(0, rows),
    };
  }
}

/** The origins of all rows, for those who need them at once: 12 bytes each. */
export class KeptOrigins {
  #pieces: RowOrigins[] = [];

  readonly add: OnOrigins = ({ tokens, pos, doc }) => {
    this.#pieces.push({ tokens: tokens.slice(), pos: pos.slice(), doc: doc.slice() });
  };

  /** Once, after the last. */
  take(): RowOrigins {
    const pieces = this.#pieces;
    this.#pieces = [];
    const rows = pieces.reduce((sum, { doc }) => sum + doc.length, 0);
    const all = { tokens: new Int32Array(rows), pos: new Int32Array(rows), doc: new Int32Array(rows) };
    let at = 0;
    for (const piece of pieces) {
      for (const key of ['tokens', 'pos', 'doc'] as const) all[key].set(piece[key], at);
      at += piece.doc.length;
    }
    return all;
  }
}
