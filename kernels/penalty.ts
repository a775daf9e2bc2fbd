/** Penalties on codes weighted by the norms of decoder rows. See sparse.ts for the calling convention. */
import { argF, argI, argP, dot64, share } from './vector';

/** (out, W, rows, cols): out_i = ‖W_i‖ */
export function rowNorms(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    weights = argP(args, 1),
    rows = argI(args, 2),
    cols = argI(args, 3);
  const end = share(rows, thread + 1, threads);
  for (let i = share(rows, thread, threads); i < end; i++) {
    const row = weights + ((<usize>i * <usize>cols) << 2);
    store<f32>(out + (<usize>i << 2), <f32>sqrt(dot64(row, row, cols)));
  }
}

/** (rowSums f64, rowPtr, index, value, norms, rows, tanh, scale): rowSums_r = Σ_e φ(value_e · norms_i), φ(u) = u, or tanh(scale · u) */
export function normWeightedSums(args: usize, thread: i32, threads: i32): void {
  const rowSums = argP(args, 0),
    rowPtr = argP(args, 1),
    index = argP(args, 2),
    value = argP(args, 3),
    norms = argP(args, 4),
    rows = argI(args, 5),
    isTanh = argI(args, 6),
    scale = <f64>argF(args, 7);
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    let sum: f64 = 0;
    const to = load<u32>(rowPtr + (<usize>r << 2), 4);
    for (let e = load<u32>(rowPtr + (<usize>r << 2)); e < to; e++) {
      const u = weighted(index, value, norms, e);
      sum += isTanh ? Math.tanh(scale * u) : u;
    }
    store<f64>(rowSums + (<usize>r << 3), sum);
  }
}

/**
 * (dValue, accumulate, coefficient, rowPtr, index, value, norms, rows, tanh, scale, seed): with φ as above
 * dValue_e (+)= seed · φ'(u) · norms_i, coefficient_e = seed · φ'(u) · value_e / norms_i (0 where the norm is 0); dValue 0 = not wanted
 */
export function normWeightedGradient(args: usize, thread: i32, threads: i32): void {
  const dValue = argP(args, 0),
    accumulate = argI(args, 1),
    coefficient = argP(args, 2),
    rowPtr = argP(args, 3),
    index = argP(args, 4),
    value = argP(args, 5),
    norms = argP(args, 6),
    rows = argI(args, 7),
    isTanh = argI(args, 8),
    scale = <f64>argF(args, 9),
    seed = <f64>argF(args, 10);
  const entries = <i32>load<u32>(rowPtr + (<usize>rows << 2));
  const end = share(entries, thread + 1, threads);
  for (let e = share(entries, thread, threads); e < end; e++) {
    const o = <usize>e << 2;
    let slope = seed;
    if (isTanh) {
      const t = Math.tanh(scale * weighted(index, value, norms, e));
      slope *= scale * (1 - t * t);
    }
    const norm = <f64>load<f32>(norms + (<usize>load<u32>(index + o) << 2));
    store<f32>(coefficient + o, norm == 0 ? 0 : <f32>((slope * <f64>load<f32>(value + o)) / norm));
    if (!dValue) continue;
    const d = <f32>(slope * norm);
    store<f32>(dValue + o, accumulate ? load<f32>(dValue + o) + d : d);
  }
}

/** value_e · norms_i */
// @ts-ignore: decorator
@inline
function weighted(index: usize, value: usize, norms: usize, e: u32): f64 {
  const o = <usize>e << 2;
  return <f64>load<f32>(value + o) * <f64>load<f32>(norms + (<usize>load<u32>(index + o) << 2));
}
