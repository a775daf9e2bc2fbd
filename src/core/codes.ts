/** Sparse codes on the host: which latents are active at which activation, and how strongly. */

/** Indices or offsets as kernels hand them over: both views hold non-negative values below 2^31. */
export type IndexArray = Int32Array | Uint32Array;

/**
 * A batch of codes `[rows, width]` in compressed sparse rows: row `r` holds latents `index[rowPtr[r] … rowPtr[r+1])` in any
 * order, each at most once. A latent *fired* when its value is not 0; stored zeros (padding of fixed-size rows) did not.
 */
export interface Codes {
  readonly rows: number;
  readonly width: number;
  /** `[rows + 1]`, ascending, starts at 0 unless the codes are a slice. */
  readonly rowPtr: IndexArray;
  /** Latent of each entry, 0 … width − 1. */
  readonly index: IndexArray;
  /** Activation of each entry. */
  readonly value: Float32Array;
}

/** Adds the number of rows in which each latent fired to `counts [width]`; float64, so a stream of batches never overflows. */
export function addFiringCounts(codes: Codes, counts: Float64Array): void {
  for (let e = codes.rowPtr[0]; e < codes.rowPtr[codes.rows]; e++) if (codes.value[e] !== 0) counts[codes.index[e]]++;
}

/** Number of entries of latents from ≤ i < to that fired. */
export function countFired(codes: Codes, { from, to } = { from: 0, to: codes.width }): number {
  let fired = 0;
  for (let e = codes.rowPtr[0]; e < codes.rowPtr[codes.rows]; e++) {
    if (codes.value[e] !== 0 && from <= codes.index[e] && codes.index[e] < to) fired++;
  }
  return fired;
}

/** Codes of a dense row-major matrix `[rows, width]`: its non-zero entries, latents ascending in each row. */
export function codesFromDense(dense: ArrayLike<number>, rows: number, width: number): Codes {
  if (dense.length !== rows * width) {
    throw new RangeError(`dense codes: expected ${rows} × ${width} values, got ${dense.length}`);
  }
  const rowPtr = new Int32Array(rows + 1);
  for (let r = 0, fired = 0; r < rows; r++) {
    for (let i = 0; i < width; i++) if (dense[r * width + i] !== 0) fired++;
    rowPtr[r + 1] = fired;
  }
  const index = new Int32Array(rowPtr[rows]);
  const value = new Float32Array(rowPtr[rows]);
  for (let r = 0, e = 0; r < rows; r++) {
    for (let i = 0; i < width; i++) {
      if (dense[r * width + i] === 0) continue;
      index[e] = i;
      value[e++] = dense[r * width + i];
    }
  }
  return { rows, width, rowPtr, index, value };
}

/** Dense row-major copy `[rows, width]`. */
export function codesToDense(codes: Codes): Float32Array {
  const dense = new Float32Array(codes.rows * codes.width);
  for (let r = 0; r < codes.rows; r++) {
    for (let e = codes.rowPtr[r]; e < codes.rowPtr[r + 1]; e++)
      dense[r * codes.width + codes.index[e]] = codes.value[e];
  }
  return dense;
}

/** Rows `start … end − 1`, sharing memory with `codes`. */
export function sliceRows(codes: Codes, start: number, end: number): Codes {
  if (!(0 <= start && start <= end && end <= codes.rows)) {
    throw new RangeError(`rows ${start} … ${end} of codes with ${codes.rows} rows`);
  }
  return { ...codes, rows: end - start, rowPtr: codes.rowPtr.subarray(start, end + 1) };
}
