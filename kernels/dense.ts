/**
 * The private module of each worker: scores arrive here from the dense product (ONNX Runtime refuses shared memory), and
 * only the selected ones leave. Also holds the portable product, used where no native ONNX Runtime is at hand.
 */
import { keyOf, kthLargest } from './select';
import { lanes } from './vector';

/**
 * Scores come in tiles of `tile` latents (the last one may be narrower), each [rows, its width].
 * Keys of the scores ≥ threshold of row r, in ascending order of latents; returns their number.
 */
function collect(scores: usize, r: i32, rows: i32, n: i32, tile: i32, threshold: f32, keys: usize): i32 {
  let found = 0;
  for (let from = 0; from < n; from += tile) {
    const width = min(tile, n - from);
    const row = scores + ((<usize>from * <usize>rows + <usize>r * <usize>width) << 2);
    found += collectTile(row, width, threshold, <u32>from, keys + (<usize>found << 3));
  }
  return found;
}

function collectTile(row: usize, n: i32, threshold: f32, first: u32, keys: usize): i32 {
  const t = f32x4.splat(threshold);
  let found = 0,
    i = 0;
  for (; i + 16 <= n; i += 16) {
    const o = row + (<usize>i << 2);
    const g0 = f32x4.ge(v128.load(o), t),
      g1 = f32x4.ge(v128.load(o, 16), t),
      g2 = f32x4.ge(v128.load(o, 32), t),
      g3 = f32x4.ge(v128.load(o, 48), t);
    if (!v128.any_true(v128.or(v128.or(g0, g1), v128.or(g2, g3)))) continue;
    let mask = i32x4.bitmask(g0) | (i32x4.bitmask(g1) << 4) | (i32x4.bitmask(g2) << 8) | (i32x4.bitmask(g3) << 12);
    while (mask) {
      const at = i + ctz(mask);
      mask &= mask - 1;
      store<u64>(keys + (<usize>found << 3), keyOf(load<f32>(row + (<usize>at << 2)), first + <u32>at));
      found++;
    }
  }
  for (; i < n; i++) {
    const v = load<f32>(row + (<usize>i << 2));
    if (v < threshold || v != v) continue;
    store<u64>(keys + (<usize>found << 3), keyOf(v, first + <u32>i));
    found++;
  }
  return found;
}

/**
 * The k largest scores ≥ floor of each row (ties: lowest latent), in ascending order of latents; rows with fewer are
 * filled up with value 0 from latent 0 upwards.
 * scores in tiles (see collect); outIndex, outValue [rows, k]; scratch 16·n bytes
 */
export function selectTop(scores: usize, rows: i32, n: i32, tile: i32, k: i32, floor: f32, outIndex: usize, outValue: usize, scratch: usize): void {
  const ordered = scratch + (<usize>n << 3);
  let guess: f32 = floor;
  for (let r = 0; r < rows; r++) {
    // Rows resemble each other: start a little below the last row's k-th value, go down only if that was too high.
    let threshold = max(guess, floor);
    let found = collect(scores, r, rows, n, tile, threshold, ordered);
    while (found < k && threshold > floor) {
      threshold *= 0.8;
      if (threshold < 0.05 * guess || threshold < floor) threshold = floor;
      found = collect(scores, r, rows, n, tile, threshold, ordered);
    }
    let least: u64 = 0;
    if (found > k) {
      memory.copy(scratch, ordered, <usize>found << 3);
      least = kthLargest(scratch, found, k);
      guess = <f32>0.9 * reinterpret<f32>(<u32>(least >>> 32));
      // Halving does not bring an infinite threshold down (weights that have diverged).
      if (guess == <f32>Infinity) guess = floor;
    } else guess = found == k ? <f32>0.75 * guess : floor;
    let filled = found < k ? k - found : 0,
      next: u32 = 0;
    let o = (<usize>r * <usize>k) << 2;
    for (let i = 0; i < found; i++) {
      const key = load<u64>(ordered + (<usize>i << 3));
      if (key < least) continue;
      const latent = ~(<u32>key);
      for (; filled > 0 && next < latent; next++, filled--, o += 4) {
        store<u32>(outIndex + o, next);
        store<f32>(outValue + o, 0);
      }
      next = latent + 1;
      store<u32>(outIndex + o, latent);
      store<f32>(outValue + o, reinterpret<f32>(<u32>(key >>> 32)));
      o += 4;
    }
    for (; filled > 0; next++, filled--, o += 4) {
      store<u32>(outIndex + o, next);
      store<f32>(outValue + o, 0);
    }
  }
}

/** All scores ≥ floor, row after row, in ascending order of latents. outCount [rows]; returns the number of entries. */
export function selectAtLeast(scores: usize, rows: i32, n: i32, tile: i32, floor: f32, outCount: usize, outIndex: usize, outValue: usize): i32 {
  let total = 0;
  for (let r = 0; r < rows; r++) {
    const before = total;
    for (let from = 0; from < n; from += tile) {
      const width = min(tile, n - from);
      const row = scores + ((<usize>from * <usize>rows + <usize>r * <usize>width) << 2);
      total += entriesAtLeast(row, width, floor, <u32>from, outIndex + (<usize>total << 2), outValue + (<usize>total << 2));
    }
    store<u32>(outCount + (<usize>r << 2), <u32>(total - before));
  }
  return total;
}

function entriesAtLeast(row: usize, n: i32, floor: f32, first: u32, outIndex: usize, outValue: usize): i32 {
  const t = f32x4.splat(floor);
  let total = 0,
    i = 0;
  for (; i + 4 <= n; i += 4) {
    let mask = i32x4.bitmask(f32x4.ge(v128.load(row + (<usize>i << 2)), t));
    while (mask) {
      const at = i + ctz(mask);
      mask &= mask - 1;
      store<u32>(outIndex + (<usize>total << 2), first + <u32>at);
      store<f32>(outValue + (<usize>total << 2), load<f32>(row + (<usize>at << 2)));
      total++;
    }
  }
  for (; i < n; i++) {
    const v = load<f32>(row + (<usize>i << 2));
    if (v >= floor) {
      store<u32>(outIndex + (<usize>total << 2), first + <u32>i);
      store<f32>(outValue + (<usize>total << 2), v);
      total++;
    }
  }
  return total;
}

/** bins u32: counts the n scores that are ≥ floor > 0 by their bits >>> shift. */
export function histogram(scores: usize, n: i32, floor: f32, shift: i32, bins: usize): void {
  for (let i = 0; i < n; i++) {
    const v = load<f32>(scores + (<usize>i << 2));
    if (!(v >= floor)) continue;
    const bin = bins + (<usize>(reinterpret<u32>(v) >>> shift) << 2);
    store<u32>(bin, load<u32>(bin) + 1);
  }
}

/**
 * Portable product: out[m, n] = a[m, depth] · b[n, depth]ᵀ (+ bias if not 0: [n] with stride 0, [m, n] with stride n), in tiles of
 * 4 × 2 outputs. Every output is summed in the same order, so equal rows of b give equal scores wherever they stand.
 */
export function productTransposed(a: usize, b: usize, bias: usize, stride: i32, out: usize, m: i32, n: i32, depth: i32): void {
  const bytes = <usize>depth << 2;
  const whole = depth & ~3;
  // Blocks of b that stay in the nearest cache while all rows of a pass by.
  const block = max(8, 32768 / depth) & ~1;
  for (let from = 0; from < n; from += block) {
    const to = min(from + block, n);
    let i = 0;
    for (; i + 4 <= m; i += 4) {
      const a0 = a + <usize>i * bytes,
        a1 = a0 + bytes,
        a2 = a1 + bytes,
        a3 = a2 + bytes;
      let j = from;
      for (; j + 2 <= to; j += 2) {
        const b0 = b + <usize>j * bytes,
          b1 = b0 + bytes;
        let s00 = f32x4.splat(0),
          s01 = f32x4.splat(0),
          s10 = f32x4.splat(0),
          s11 = f32x4.splat(0),
          s20 = f32x4.splat(0),
          s21 = f32x4.splat(0),
          s30 = f32x4.splat(0),
          s31 = f32x4.splat(0);
        for (let p = 0; p < whole; p += 4) {
          const o = <usize>p << 2;
          const y0 = v128.load(b0 + o),
            y1 = v128.load(b1 + o);
          const x0 = v128.load(a0 + o),
            x1 = v128.load(a1 + o);
          s00 = f32x4.add(s00, f32x4.mul(x0, y0));
          s01 = f32x4.add(s01, f32x4.mul(x0, y1));
          s10 = f32x4.add(s10, f32x4.mul(x1, y0));
          s11 = f32x4.add(s11, f32x4.mul(x1, y1));
          const x2 = v128.load(a2 + o),
            x3 = v128.load(a3 + o);
          s20 = f32x4.add(s20, f32x4.mul(x2, y0));
          s21 = f32x4.add(s21, f32x4.mul(x2, y1));
          s30 = f32x4.add(s30, f32x4.mul(x3, y0));
          s31 = f32x4.add(s31, f32x4.mul(x3, y1));
        }
        finish(s00, a0, b0, bias, stride, out, i, j, n, whole, depth);
        finish(s01, a0, b1, bias, stride, out, i, j + 1, n, whole, depth);
        finish(s10, a1, b0, bias, stride, out, i + 1, j, n, whole, depth);
        finish(s11, a1, b1, bias, stride, out, i + 1, j + 1, n, whole, depth);
        finish(s20, a2, b0, bias, stride, out, i + 2, j, n, whole, depth);
        finish(s21, a2, b1, bias, stride, out, i + 2, j + 1, n, whole, depth);
        finish(s30, a3, b0, bias, stride, out, i + 3, j, n, whole, depth);
        finish(s31, a3, b1, bias, stride, out, i + 3, j + 1, n, whole, depth);
      }
      for (; j < to; j++) for (let q = 0; q < 4; q++) single(a + <usize>(i + q) * bytes, b, bias, stride, out, i + q, j, n, depth);
    }
    for (; i < m; i++) for (let j = from; j < to; j++) single(a + <usize>i * bytes, b, bias, stride, out, i, j, n, depth);
  }
}

// @ts-ignore: decorator
@inline
function finish(s: v128, x: usize, y: usize, bias: usize, stride: i32, out: usize, i: i32, j: i32, n: i32, whole: i32, depth: i32): void {
  let sum = <f32>lanes(s);
  for (let p = whole; p < depth; p++) sum += load<f32>(x + (<usize>p << 2)) * load<f32>(y + (<usize>p << 2));
  if (bias) sum += load<f32>(bias + ((<usize>i * <usize>stride + <usize>j) << 2));
  store<f32>(out + ((<usize>i * <usize>n + <usize>j) << 2), sum);
}

// @ts-ignore: decorator
@inline
function single(x: usize, b: usize, bias: usize, stride: i32, out: usize, i: i32, j: i32, n: i32, depth: i32): void {
  const y = b + ((<usize>j * <usize>depth) << 2);
  const whole = depth & ~3;
  let s = f32x4.splat(0);
  for (let p = 0; p < whole; p += 4) {
    const o = <usize>p << 2;
    s = f32x4.add(s, f32x4.mul(v128.load(x + o), v128.load(y + o)));
  }
  finish(s, x, y, bias, stride, out, i, j, n, whole, depth);
}
