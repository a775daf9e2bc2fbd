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
  // 64 bits: a tensor may have more than 2 GiB.
  const bytes = <u64>argP(args, 1);
  const from = <usize>((bytes * <u64>thread) / <u64>threads),
    to = <usize>((bytes * <u64>(thread + 1)) / <u64>threads);
  memory.fill(argP(args, 0) + from, 0, to - from);
}

/** (out, at, a, n): out[at + i] = a_i */
export function place(args: usize, thread: i32, threads: i32): void {
  const n = argI(args, 3);
  const from = share(n, thread, threads);
  const o = <usize>from << 2;
  memory.copy(argP(args, 0) + (<usize>argI(args, 1) << 2) + o, argP(args, 2) + o, <usize>(share(n, thread + 1, threads) - from) << 2);
}

/** (difference, rowSums f64, a, b, rows, cols): difference = a − b (b 0: a), rowSums_r = ‖difference_r‖² */
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
    memory.copy(difference + o, a + o, bytes);
    if (b) axpy(difference + o, -1, b + o, cols);
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

/** (pieces f64, a, b, n): inner products of consecutive pieces */
export function innerProduct(args: usize, thread: i32, threads: i32): void {
  const pieces = argP(args, 0),
    a = argP(args, 1),
    b = argP(args, 2),
    n = argI(args, 3);
  const count = (n + PIECE - 1) / PIECE;
  const end = share(count, thread + 1, threads);
  for (let p = share(count, thread, threads); p < end; p++) {
    const o = (<usize>p * PIECE) << 2;
    store<f64>(pieces + (<usize>p << 3), dot64(a + o, b + o, min(PIECE, n - p * PIECE)));
  }
}

/** (out f64[1], a, n): largest element, by one thread */
export function maximum(args: usize, thread: i32, threads: i32): void {
  if (thread) return;
  const a = argP(args, 1),
    n = argI(args, 2);
  let largest = load<f32>(a);
  for (let i = 1; i < n; i++) largest = max(largest, load<f32>(a + (<usize>i << 2)));
  store<f64>(argP(args, 0), <f64>largest);
}

/** (out f64[1], a f64[1], b f64[1]): out = a / b, 0 where b = 0 */
export function divide(args: usize, thread: i32, threads: i32): void {
  if (thread) return;
  const b = load<f64>(argP(args, 2));
  store<f64>(argP(args, 0), b == 0 ? 0 : load<f64>(argP(args, 1)) / b);
}

/** (out f64[1], a f64[1], b f64[1], scale, low, high f64): out = scale · a / b between low and high, high where b = 0; b 0 = 1 */
export function clampedRatio(args: usize, thread: i32, threads: i32): void {
  if (thread) return;
  const b: f64 = argP(args, 2) ? load<f64>(argP(args, 2)) : 1,
    low = load<f64>(args + 24),
    high = load<f64>(args + 32);
  const ratio = (load<f64>(args + 16) * load<f64>(argP(args, 1))) / b;
  store<f64>(argP(args, 0), b == 0 ? high : min(max(ratio, low), high));
}

/** (out f64[1], a, b, c f64[1], wa, wb, wc, scale f64): out = scale · √max(0, wa·a + wb·b + wc·c) */
export function rootOfSum(args: usize, thread: i32, threads: i32): void {
  if (thread) return;
  const sum =
    load<f64>(args + 16) * load<f64>(argP(args, 1)) +
    load<f64>(args + 24) * load<f64>(argP(args, 2)) +
    load<f64>(args + 32) * load<f64>(argP(args, 3));
  store<f64>(argP(args, 0), load<f64>(args + 40) * sqrt(max(sum, 0)));
}

/** (out, accumulate, a, n, divisor f64[1], scale f64): out (+)= (scale / divisor) · a, nothing where divisor = 0 */
export function scaleBy(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    accumulate = argI(args, 1),
    a = argP(args, 2),
    n = argI(args, 3),
    divisor = load<f64>(argP(args, 4));
  const s: f32 = divisor == 0 ? 0 : <f32>(load<f64>(args + 24) / divisor);
  const from = share(n, thread, threads);
  const count = share(n, thread + 1, threads) - from;
  const o = <usize>from << 2;
  if (accumulate) axpy(out + o, s, a + o, count);
  else scaleTo(out + o, s, a + o, count);
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

/** (out, a, b, stride, rows, cols): out_r = a_r · b_r; stride 0: b is one row for all, cols: one each */
export function rowDots(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    a = argP(args, 1),
    b = argP(args, 2),
    stride = <usize>argI(args, 3) << 2,
    rows = argI(args, 4),
    cols = argI(args, 5);
  const bytes = <usize>cols << 2;
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    store<f32>(out + (<usize>r << 2), dot(a + <usize>r * bytes, b + <usize>r * stride, cols));
  }
}

/** (out, accumulate, weights, a, stride, rows, cols, scale): out_r (+)= scale · weights_r · a_r; weights 0 = ones, stride as in rowDots */
export function scaleRows(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    accumulate = argI(args, 1),
    weights = argP(args, 2),
    a = argP(args, 3),
    stride = <usize>argI(args, 4) << 2,
    rows = argI(args, 5),
    cols = argI(args, 6),
    s = argF(args, 7);
  const bytes = <usize>cols << 2;
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const w = weights ? s * load<f32>(weights + (<usize>r << 2)) : s;
    const from = a + <usize>r * stride;
    if (accumulate) axpy(out + <usize>r * bytes, w, from, cols);
    else scaleTo(out + <usize>r * bytes, w, from, cols);
  }
}
