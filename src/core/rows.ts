/** Rows of a matrix that is stored row by row. */

/** Divides every row of `cols` elements by its norm, in place; rows of zeros stay. */
export function normalizeRows(values: Float32Array, cols: number): void {
  for (let start = 0; start < values.length; start += cols) {
    let square = 0;
    for (let i = start; i < start + cols; i++) square += values[i] ** 2;
    const norm = Math.sqrt(square);
    if (norm > 0) for (let i = start; i < start + cols; i++) values[i] /= norm;
  }
}
