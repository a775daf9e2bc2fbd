/** Rows of a batch that are looked at. */
const ROWS = 64;

/**
 * The threshold above which a share of the scores of random directions lies on a batch: the first thresholds of latents whose number
 * of active ones is given. At least a small positive number.
 * @param batch [B, d], @param directions [n, d]
 */
export function quantileThreshold(batch: Float32Array, directions: Float32Array, d: number, share: number): number {
  const rows = Math.min(ROWS, batch.length / d);
  const scores: number[] = [];
  for (let r = 0; r < rows; r++) {
    for (let start = 0; start < directions.length; start += d) {
      let z = 0;
      for (let i = 0; i < d; i++) z += batch[r * d + i] * directions[start + i];
      scores.push(z);
    }
  }
  const sorted = Float64Array.from(scores).sort();
  return Math.max(1e-3, sorted[Math.min(sorted.length - 1, Math.floor((1 - share) * sorted.length))]);
}
