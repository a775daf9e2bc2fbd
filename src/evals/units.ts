/** What the bootstrap resamples. Tokens of one document are alike, so a document is drawn as a whole. */

/** Units are numbered in the order of the rows: equal numbers are neighbours. */
export interface Units {
  readonly count: number;
  /** Unit of each row. */
  readonly of: Int32Array;
  /** For definitions, e.g. `248 held-out documents`. */
  readonly label: string;
}

/** More units cost time and change no interval; the documents of a harvest are shuffled, so neighbours may be joined. */
const MAX_UNITS = 1000;

/** Independent rows are resampled in blocks of this many. */
const BLOCK_ROWS = 100;

/** @param doc document of each row, in ascending order */
export function documentUnits(doc: ArrayLike<number>): Units {
  const of = new Int32Array(doc.length);
  let documents = 0;
  for (let row = 0; row < of.length; row++) {
    if (row === 0 || doc[row] !== doc[row - 1]) documents++;
    of[row] = documents - 1;
  }
  const perUnit = Math.max(1, Math.ceil(documents / MAX_UNITS));
  const count = Math.ceil(documents / perUnit);
  const label =
    perUnit === 1 ? `${documents} held-out documents` : `${count} groups of ${perUnit} neighbouring held-out documents`;
  return { count, of: of.map((unit) => Math.floor(unit / perUnit)), label };
}

/** For generated rows, which are independent of each other. */
export function blockUnits(rows: number): Units {
  const size = Math.max(BLOCK_ROWS, Math.ceil(rows / MAX_UNITS));
  const count = Math.ceil(rows / size);
  const of = Int32Array.from({ length: rows }, (_, row) => Math.floor(row / size));
  return { count, of, label: `${count} blocks of ${size} held-out rows (generated rows belong to no document)` };
}
