/** What training and evaluation know about activations: numbered batches and held-out rows, wherever they come from. */
import type { Normalization } from './normalization.ts';

/** Values that survive JSON unchanged. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Says which data a source yields; stored with a run and compared when it is resumed. */
export interface SourceIdentity {
  /** Kind of source, e.g. `shards`. */
  readonly kind: string;
  /** Equal hashes mean equal batches: covers the data, the split, the normalisation and the seed. */
  readonly hash: string;
  /** The same for the reader. */
  readonly description: Json;
}

/** Where held-out rows come from; each array holds at least as many elements as rows are asked for. */
export interface RowOrigins {
  readonly tokens: Int32Array;
  /** Position in the model's context, counted from 0. */
  readonly pos: Int32Array;
  readonly doc: Int32Array;
}

export interface ActivationSource {
  /** Width of an activation. */
  readonly d: number;
  /** Rows per epoch; Infinity for generated sources. */
  readonly trainRows: number;
  readonly heldOutRows: number;
  /** With fitted constants; already applied to every row that the source hands out. */
  readonly normalization: Normalization;
  /** The source of the same rows before they were normalised; undefined if they are handed out as they are. */
  readonly raw?: ActivationSource;
  /** Mean ‖x‖ of all rows, where it is known. */
  readonly meanNorm?: number;
  readonly identity: SourceIdentity;
  /** Fills `out` [rows, d] with batch `index`: a pure function of (seed, index, rows). */
  batch(index: number, out: Float32Array): Promise<void>;
  /**
   * Held-out rows [start, start + count) in stored order into `out` [count, d].
   * @returns the rows filled: fewer than asked for at the end, 0 past it
   */
  heldOut(start: number, out: Float32Array, origins?: RowOrigins): Promise<number>;
  close(): Promise<void>;
}
