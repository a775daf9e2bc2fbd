/** Tokens standardised one by one, and the variance of a whole batch. See sparse.ts for the calling convention. */
import { argF, argI, argP, share } from './vector';

/**
 * (out, mean [rows], std [rows], x, rows, cols, epsilon): mean and unbiased standard deviation of each row's own elements;
 * out_r = (x_r − mean_r) / (std_r + epsilon)
 */
export function standardizeRows(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    means = argP(args, 1),
    deviations = argP(args, 2),
    x = argP(args, 3),
    rows = argI(args, 4),
    cols = argI(args, 5),
    epsilon = <f64>argF(args, 6);
  const bytes = <usize>cols << 2;
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const from = x + <usize>r * bytes,
      to = out + <usize>r * bytes;
    const mean = rowSum(from, cols) / <f64>cols;
    const std = sqrt(rowSquares(from, mean, cols) / <f64>(cols - 1));
    const factor = 1 / (std + epsilon);
    for (let i: usize = 0; i < bytes; i += 4) store<f32>(to + i, <f32>((<f64>load<f32>(from + i) - mean) * factor));
    store<f32>(means + (<usize>r << 2), <f32>mean);
    store<f32>(deviations + (<usize>r << 2), <f32>std);
  }
}

/** (out, a, std [rows], mean [rows], rows, cols): out_r = a_r · std_r + mean_r */
export function restoreRows(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    a = argP(args, 1),
    deviations = argP(args, 2),
    means = argP(args, 3),
    rows = argI(args, 4),
    cols = argI(args, 5);
  const bytes = <usize>cols << 2;
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const std = load<f32>(deviations + (<usize>r << 2)),
      mean = load<f32>(means + (<usize>r << 2));
    const o = <usize>r * bytes;
    for (let i = o; i < o + bytes; i += 4) store<f32>(out + i, load<f32>(a + i) * std + mean);
  }
}

/** (sums f64 [rows], squares f64 [rows], a, rows, cols): Σ and Σ² of each row */
export function rowMoments(args: usize, thread: i32, threads: i32): void {
  const sums = argP(args, 0),
    squares = argP(args, 1),
    a = argP(args, 2),
    rows = argI(args, 3),
    cols = argI(args, 4);
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const row = a + ((<usize>r * <usize>cols) << 2);
    store<f64>(sums + (<usize>r << 3), rowSum(row, cols));
    store<f64>(squares + (<usize>r << 3), rowSquares(row, 0, cols));
  }
}

/** (out f64[1], sums f64, squares f64, rows, n, epsilon): unbiased variance of n numbers + epsilon, by one thread */
export function varianceOfMoments(args: usize, thread: i32, threads: i32): void {
  if (thread) return;
  const sums = argP(args, 1),
    squares = argP(args, 2),
    rows = argI(args, 3),
    n = <f64>argI(args, 4);
  let sum: f64 = 0,
    square: f64 = 0;
  for (let r = 0; r < rows; r++) {
    sum += load<f64>(sums + (<usize>r << 3));
    square += load<f64>(squares + (<usize>r << 3));
  }
  store<f64>(argP(args, 0), (square - (sum * sum) / n) / (n - 1) + <f64>argF(args, 5));
}

function rowSum(row: usize, cols: i32): f64 {
  let sum: f64 = 0;
  const end = row + (<usize>cols << 2);
  for (; row < end; row += 4) sum += <f64>load<f32>(row);
  return sum;
}

function rowSquares(row: usize, shift: f64, cols: i32): f64 {
  let sum: f64 = 0;
  const end = row + (<usize>cols << 2);
  for (; row < end; row += 4) {
    const v = <f64>load<f32>(row) - shift;
    sum += v * v;
  }
  return sum;
}
