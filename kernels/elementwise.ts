/** Kernels over dense rows and flat arrays: losses, sums, small products. See sparse.ts for the calling convention. */
import { argF, argI, argP, axpy, dot, dot64, scaleTo, share } from './vector';

/** Number of elements whose squares are summed in one piece: fixes the order of {@link squaredSum}. */
const PIECE = 4096;

/** (out, x, row, rows, cols): out_r = x_r − row */
export function subtractRow(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    x = argP(args, 1),
    row = argP(args, 2),
    rows = argI(args, 3),
    cols = argI(args, 4);
  const bytes = <usize>cols << 2;
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const o = out + <usize>r * bytes;
    memory.copy(o, x + <usize>r * bytes, bytes);
    axpy(o, -1, row, cols);
  }
}

/** (out, accumulate, a, n, scale): out (+)= scale · a */
export function scale(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    accumulate = argI(args, 1),
    a = argP(args, 2),
    n = argI(args, 3),
    s = argF(args, 4);
  const from = share(n, thread, threads);
  const count = share(n, thread + 1, threads) - from;
  const o = <usize>from << 2;
  if (accumulate) axpy(out + o, s, a + o, count);
  else scaleTo(out + o, s, a + o, count);
}

/** (out, bytes): zeros */
export function clear(args: usize, thread: i32, threads: i32): void {
  const bytes = argI(args, 1);
  const from = share(bytes, thread, threads);
  memory.fill(argP(args, 0) + <usize>from, 0, <usize>(share(bytes, thread + 1, threads) - from));
}

/** (difference, rowSums f64, a, b, rows, cols): difference = a − b, rowSums_r = ‖a_r − b_r‖² */
export function squaredDifference(args: usize, thread: i32, threads: i32): void {
  const difference = argP(args, 0),
    rowSums = argP(args, 1),
    a = argP(args, 2),
    b = argP(args, 3),
    rows = argI(args, 4),
    cols = argI(args, 5);
  const bytes = <usize>cols << 2;
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const o = <usize>r * bytes;
    let i: usize = 0;
    for (; i + 16 <= bytes; i += 16) {
      v128.store(difference + o + i, f32x4.sub(v128.load(a + o + i), v128.load(b + o + i)));
    }
    for (; i < bytes; i += 4) store<f32>(difference + o + i, load<f32>(a + o + i) - load<f32>(b + o + i));
    store<f64>(rowSums + (<usize>r << 3), dot64(difference + o, difference + o, cols));
  }
}

/** (out f64[1], values f64, n, scale): out = scale · Σ values, by one thread in ascending order */
export function sum(args: usize, thread: i32, threads: i32): void {
  if (thread) return;
  const values = argP(args, 1),
    n = argI(args, 2);
  let total: f64 = 0;
  for (let i = 0; i < n; i++) total += load<f64>(values + (<usize>i << 3));
  store<f64>(argP(args, 0), total * load<f64>(args + 16));
}

/** (pieces f64, a, n): sums of squares of consecutive pieces */
export function squaredSum(args: usize, thread: i32, threads: i32): void {
  const pieces = argP(args, 0),
    a = argP(args, 1),
    n = argI(args, 2);
  const count = (n + PIECE - 1) / PIECE;
  const end = share(count, thread + 1, threads);
  for (let p = share(count, thread, threads); p < end; p++) {
    const x = a + ((<usize>p * PIECE) << 2);
    store<f64>(pieces + (<usize>p << 3), dot64(x, x, min(PIECE, n - p * PIECE)));
  }
}

/** (out, accumulate, a, weights, rows, cols, scale): out (+)= scale · Σ_r weights_r · a_r; weights 0 = all ones */
export function columnSum(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    accumulate = argI(args, 1),
    a = argP(args, 2),
    weights = argP(args, 3),
    rows = argI(args, 4),
    cols = argI(args, 5),
    s = argF(args, 6);
  const bytes = <usize>cols << 2;
  const from = share((cols + 3) >> 2, thread, threads) << 2;
  const to = min(cols, share((cols + 3) >> 2, thread + 1, threads) << 2);
  for (let c = from; c < to; c += 4) {
    const width = min(4, to - c);
    let low = f64x2.splat(0),
      high = f64x2.splat(0);
    for (let r = 0; r < rows; r++) {
      const p = a + <usize>r * bytes + (<usize>c << 2);
      let v = width == 4 ? v128.load(p) : partial(p, width);
      if (weights) v = f32x4.mul(v, f32x4.splat(load<f32>(weights + (<usize>r << 2))));
      low = f64x2.add(low, f64x2.promote_low_f32x4(v));
      high = f64x2.add(high, f64x2.promote_low_f32x4(i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15)));
    }
    put(out, c, accumulate, s, f64x2.extract_lane(low, 0));
    if (width > 1) put(out, c + 1, accumulate, s, f64x2.extract_lane(low, 1));
    if (width > 2) put(out, c + 2, accumulate, s, f64x2.extract_lane(high, 0));
    if (width > 3) put(out, c + 3, accumulate, s, f64x2.extract_lane(high, 1));
  }
}

function partial(p: usize, width: i32): v128 {
  let v = f32x4.splat(0);
  v = f32x4.replace_lane(v, 0, load<f32>(p));
  if (width > 1) v = f32x4.replace_lane(v, 1, load<f32>(p, 4));
  if (width > 2) v = f32x4.replace_lane(v, 2, load<f32>(p, 8));
  return v;
}

// @ts-ignore: decorator
@inline
function put(out: usize, column: i32, accumulate: i32, s: f32, total: f64): void {
  const o = out + (<usize>column << 2);
  const v = <f32>(<f64>s * total);
  store<f32>(o, accumulate ? load<f32>(o) + v : v);
}

/** (out, a, b, rows, cols): out_r = a_r · b_r */
export function rowDots(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    a = argP(args, 1),
    b = argP(args, 2),
    rows = argI(args, 3),
    cols = argI(args, 4);
  const bytes = <usize>cols << 2;
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    store<f32>(out + (<usize>r << 2), dot(a + <usize>r * bytes, b + <usize>r * bytes, cols));
  }
}

/** (out, accumulate, weights, a, rows, cols, scale): out_r (+)= scale · weights_r · a_r */
export function scaleRows(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    accumulate = argI(args, 1),
    weights = argP(args, 2),
    a = argP(args, 3),
    rows = argI(args, 4),
    cols = argI(args, 5),
    s = argF(args, 6);
  const bytes = <usize>cols << 2;
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const o = <usize>r * bytes;
    const w = s * load<f32>(weights + (<usize>r << 2));
    if (accumulate) axpy(out + o, w, a + o, cols);
    else scaleTo(out + o, w, a + o, cols);
  }
}
