/** Layer norm of codes: rows of mostly zeros become dense. See sparse.ts for the calling convention. */
import { argI, argP, share } from './vector';

/**
 * (out, std, silent f64, rowPtr, index, value, rows, cols): out_r = (h_r − mean) / std over all cols elements of the row, zeros included
 * (biased, no epsilon: a row of equal elements is 0/0); silent_r = 1 where no value of the row is positive, else 0
 */
export function normalizeCodes(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    deviations = argP(args, 1),
    silent = argP(args, 2),
    rowPtr = argP(args, 3),
    index = argP(args, 4),
    value = argP(args, 5),
    rows = argI(args, 6),
    cols = argI(args, 7);
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const from = <usize>load<u32>(rowPtr + (<usize>r << 2)) << 2,
      to = <usize>load<u32>(rowPtr + (<usize>r << 2), 4) << 2;
    let sum: f64 = 0,
      active: f64 = 0;
    for (let e = from; e < to; e += 4) {
      const v = load<f32>(value + e);
      sum += <f64>v;
      if (v > 0) active = 1;
    }
    const mean = sum / <f64>cols;
    let square = <f64>(cols - <i32>((to - from) >> 2)) * mean * mean;
    for (let e = from; e < to; e += 4) {
      const v = <f64>load<f32>(value + e) - mean;
      square += v * v;
    }
    const std = sqrt(square / <f64>cols);
    const row = out + ((<usize>r * <usize>cols) << 2);
    const zero = <f32>(-mean / std);
    for (let i: usize = 0; i < <usize>cols << 2; i += 4) store<f32>(row + i, zero);
    for (let e = from; e < to; e += 4) {
      store<f32>(row + (<usize>load<u32>(index + e) << 2), <f32>((<f64>load<f32>(value + e) - mean) / std));
    }
    store<f32>(deviations + (<usize>r << 2), <f32>std);
    store<f64>(silent + (<usize>r << 3), 1 - active);
  }
}

/**
 * (dValue, accumulate, rowPtr, index, out, std, dOut, rows, cols): dValue_e (+)= (dOut_e − mean(dOut) − out_e · mean(dOut · out)) / std, means
 * over the row
 */
export function normalizeCodesGradient(args: usize, thread: i32, threads: i32): void {
  const dValue = argP(args, 0),
    accumulate = argI(args, 1),
    rowPtr = argP(args, 2),
    index = argP(args, 3),
    out = argP(args, 4),
    deviations = argP(args, 5),
    dOut = argP(args, 6),
    rows = argI(args, 7),
    cols = argI(args, 8);
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const y = out + ((<usize>r * <usize>cols) << 2),
      g = dOut + ((<usize>r * <usize>cols) << 2);
    let sum: f64 = 0,
      product: f64 = 0;
    for (let i: usize = 0; i < <usize>cols << 2; i += 4) {
      const d = <f64>load<f32>(g + i);
      sum += d;
      product += d * <f64>load<f32>(y + i);
    }
    const mean = sum / <f64>cols,
      along = product / <f64>cols,
      std = <f64>load<f32>(deviations + (<usize>r << 2));
    const to = <usize>load<u32>(rowPtr + (<usize>r << 2), 4) << 2;
    for (let e = <usize>load<u32>(rowPtr + (<usize>r << 2)) << 2; e < to; e += 4) {
      const i = <usize>load<u32>(index + e) << 2;
      const d = <f32>((<f64>load<f32>(g + i) - mean - <f64>load<f32>(y + i) * along) / std);
      store<f32>(dValue + e, accumulate ? load<f32>(dValue + e) + d : d);
    }
  }
}
