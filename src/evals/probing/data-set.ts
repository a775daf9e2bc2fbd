/** What the suite probes on: items with labels, from wherever they come. */
import type { Encoders, Features } from './features.ts';
import type { LabelledRows } from './one-vs-rest.ts';

/** Items whose rows are numbered alike in all its tasks. */
export interface DataSet {
  readonly name: string;
  readonly tasks: readonly LabelledRows[];
  /** What the bootstrap resamples, e.g. `test texts`. */
  readonly unit: string;
  /** Equal for items that belong together. */
  unitOf(row: number): number | string;
  /** Features of some rows, in the order given. */
  features(encoders: Encoders, rows: readonly number[]): Promise<Features>;
}
