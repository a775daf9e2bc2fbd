/** Thresholds that are learned straight through, and arithmetic on entries. See sparse.ts for the calling convention. */
import { latentShare } from './sparse';
import { argF, argI, argP, share } from './vector';

/** (out, bias, threshold, n, offset): out = bias − threshold + offset; bias 0 = none */
export function liftBias(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    bias = argP(args, 1),
    threshold = argP(args, 2),
    n = argI(args, 3),
    offset = <f64>argF(args, 4);
  const end = share(n, thread + 1, threads);
  for (let i = share(n, thread, threads); i < end; i++) {
    const o = <usize>i << 2;
    store<f32>(out + o, <f32>((bias ? <f64>load<f32>(bias + o) : 0) - <f64>load<f32>(threshold + o) + offset));
  }
}

/**
 * (z, value, rowPtr, index, scores, lifted, bias, threshold, rows): z_e = score_e − (lifted_i − bias_i),
 * value_e = z_e where z_e > threshold_i, else 0
 */
export function jump(args: usize, thread: i32, threads: i32): void {
  const z = argP(args, 0),
    value = argP(args, 1),
    rowPtr = argP(args, 2),
    index = argP(args, 3),
    scores = argP(args, 4),
    lifted = argP(args, 5),
    bias = argP(args, 6),
    threshold = argP(args, 7);
  const entries = <i32>load<u32>(rowPtr + (<usize>argI(args, 8) << 2));
  const end = share(entries, thread + 1, threads);
  for (let e = share(entries, thread, threads); e < end; e++) {
    const o = <usize>e << 2;
    const i = <usize>load<u32>(index + o) << 2;
    const shift = <f64>load<f32>(lifted + i) - (bias ? <f64>load<f32>(bias + i) : 0);
    const score = load<f32>(scores + o),
      theta = load<f32>(threshold + i);
    const own = <f32>(<f64>score - shift);
    // Compared as lifted: a score that equals its threshold must not end above it by rounding.
    const active = score > <f32>(<f64>theta + shift);
    store<f32>(z + o, active ? own : min(own, theta));
    store<f32>(value + o, active ? own : 0);
  }
}

/** Whether z is in the open window of this width around the threshold. */
// @ts-ignore: decorator
@inline
function inWindow(z: f32, threshold: f32, bandwidth: f64): bool {
  return abs(<f64>z - <f64>threshold) < 0.5 * bandwidth;
}

/**
 * (out, accumulate, latentPtr, entryOf, z, threshold, weight, width, bandwidth, scale):
 * out_i (+)= scale · threshold_i · Σ weight_e over the entries of latent i in the window
 */
export function windowSum(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    accumulate = argI(args, 1),
    latentPtr = argP(args, 2),
    entryOf = argP(args, 3),
    z = argP(args, 4),
    threshold = argP(args, 5),
    weight = argP(args, 6),
    width = argI(args, 7),
    bandwidth = <f64>argF(args, 8),
    scale = <f64>argF(args, 9);
  const end = latentShare(latentPtr, 0, width, thread + 1, threads);
  for (let i = latentShare(latentPtr, 0, width, thread, threads); i < end; i++) {
    const o = <usize>i << 2;
    const theta = load<f32>(threshold + o);
    let sum: f64 = 0;
    const to = load<u32>(latentPtr + o, 4);
    for (let s = load<u32>(latentPtr + o); s < to; s++) {
      const e = <usize>load<u32>(entryOf + (<usize>s << 2)) << 2;
      if (inWindow(load<f32>(z + e), theta, bandwidth)) sum += <f64>load<f32>(weight + e);
    }
    const d = scale * <f64>theta * sum;
    store<f32>(out + o, <f32>(accumulate ? <f64>load<f32>(out + o) + d : d));
  }
}

/**
 * (out, accumulate, latentPtr, entryOf, z, threshold, factor f64[1], rows, inactive, from, to, bandwidth, scale): for latents i in
 * [from, to) out_i (+)= scale · factor · n_i; n_i = entries of i in the window, or with `inactive` those of them above the threshold
 * and, where the window reaches 0, all rows in which i is not active; factor 0 = 1
 */
export function windowCount(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    accumulate = argI(args, 1),
    latentPtr = argP(args, 2),
    entryOf = argP(args, 3),
    z = argP(args, 4),
    threshold = argP(args, 5),
    factor = argP(args, 6),
    rows = argI(args, 7),
    inactive = argI(args, 8),
    from = argI(args, 9),
    to = argI(args, 10),
    bandwidth = <f64>argF(args, 11),
    scale = <f64>argF(args, 12) * (factor ? load<f64>(factor) : 1);
  const end = latentShare(latentPtr, from, to, thread + 1, threads);
  for (let i = latentShare(latentPtr, from, to, thread, threads); i < end; i++) {
    const o = <usize>i << 2;
    const theta = load<f32>(threshold + o);
    let near = 0,
      active = 0;
    const last = load<u32>(latentPtr + o, 4);
    for (let s = load<u32>(latentPtr + o); s < last; s++) {
      const own = load<f32>(z + (<usize>load<u32>(entryOf + (<usize>s << 2)) << 2));
      const above = own > theta;
      if (above) active++;
      if ((above || !inactive) && inWindow(own, theta, bandwidth)) near++;
    }
    if (inactive && inWindow(0, theta, bandwidth)) near += rows - active;
    const d = scale * <f64>near;
    store<f32>(out + o, <f32>(accumulate ? <f64>load<f32>(out + o) + d : d));
  }
}

/** (rowSums f64, rowPtr, index, value, rows, from, to): rowSums_r = entries of latents in [from, to) with value ≠ 0 */
export function countActive(args: usize, thread: i32, threads: i32): void {
  const rowSums = argP(args, 0),
    rowPtr = argP(args, 1),
    index = argP(args, 2),
    value = argP(args, 3),
    rows = argI(args, 4),
    from = <u32>argI(args, 5),
    to = <u32>argI(args, 6);
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    let active = 0;
    const last = load<u32>(rowPtr + (<usize>r << 2), 4);
    for (let e = load<u32>(rowPtr + (<usize>r << 2)); e < last; e++) {
      const o = <usize>e << 2;
      const latent = load<u32>(index + o);
      if (latent >= from && latent < to && load<f32>(value + o) != 0) active++;
    }
    store<f64>(rowSums + (<usize>r << 3), <f64>active);
  }
}

/** (excess f64[1], square f64[1], a f64[1], target f64): excess = a / target − 1, square = excess² */
export function squaredExcess(args: usize, thread: i32, threads: i32): void {
  if (thread) return;
  const excess = load<f64>(argP(args, 2)) / load<f64>(args + 16) - 1;
  store<f64>(argP(args, 0), excess);
  store<f64>(argP(args, 1), excess * excess);
}

/** (out, rowPtr, index, value, threshold, rows): out_e = max(0, threshold_i − value_e) */
export function thresholdGap(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    index = argP(args, 2),
    value = argP(args, 3),
    threshold = argP(args, 4);
  const entries = <i32>load<u32>(argP(args, 1) + (<usize>argI(args, 5) << 2));
  const end = share(entries, thread + 1, threads);
  for (let e = share(entries, thread, threads); e < end; e++) {
    const o = <usize>e << 2;
    store<f32>(out + o, max<f32>(0, load<f32>(threshold + (<usize>load<u32>(index + o) << 2)) - load<f32>(value + o)));
  }
}

/** (out, rowPtr, index, factor, rows): out_e = factor_i */
export function spreadLatents(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    index = argP(args, 2),
    factor = argP(args, 3);
  const entries = <i32>load<u32>(argP(args, 1) + (<usize>argI(args, 4) << 2));
  const end = share(entries, thread + 1, threads);
  for (let e = share(entries, thread, threads); e < end; e++) {
    const o = <usize>e << 2;
    store<f32>(out + o, load<f32>(factor + (<usize>load<u32>(index + o) << 2)));
  }
}

/** Without a table: constants in memory would lie where the control block and the program are. */
function exp(a: f64): f64 {
  return a < 0 ? 1 / (Math.expm1(-a) + 1) : Math.expm1(a) + 1;
}

/** (out, a, n): out = exp(a) */
export function exponential(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    a = argP(args, 1),
    n = argI(args, 2);
  const end = share(n, thread + 1, threads);
  for (let i = share(n, thread, threads); i < end; i++) {
    const o = <usize>i << 2;
    store<f32>(out + o, <f32>exp(<f64>load<f32>(a + o)));
  }
}

/** (out, a, n): out = max(0, a) */
export function rectify(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    a = argP(args, 1),
    n = argI(args, 2);
  const end = share(n, thread + 1, threads);
  for (let i = share(n, thread, threads); i < end; i++) {
    const o = <usize>i << 2;
    store<f32>(out + o, max<f32>(0, load<f32>(a + o)));
  }
}

/** (out, accumulate, a, b, n): out (+)= a · b, element by element */
export function multiply(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    accumulate = argI(args, 1),
    a = argP(args, 2),
    b = argP(args, 3),
    n = argI(args, 4);
  const end = share(n, thread + 1, threads);
  for (let i = share(n, thread, threads); i < end; i++) {
    const o = <usize>i << 2;
    const d = load<f32>(a + o) * load<f32>(b + o);
    store<f32>(out + o, accumulate ? load<f32>(out + o) + d : d);
  }
}

/** (out, accumulate, a, mask, n, scale): out (+)= scale · a where mask ≠ 0, else 0 */
export function scaleWhere(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    accumulate = argI(args, 1),
    a = argP(args, 2),
    mask = argP(args, 3),
    n = argI(args, 4),
    scale = argF(args, 5);
  const end = share(n, thread + 1, threads);
  for (let i = share(n, thread, threads); i < end; i++) {
    const o = <usize>i << 2;
    const d: f32 = load<f32>(mask + o) != 0 ? scale * load<f32>(a + o) : 0;
    store<f32>(out + o, accumulate ? load<f32>(out + o) + d : d);
  }
}

/**
 * (gradient, rowSums f64, ghost, residual, rows, cols): s_r = ‖residual_r‖ / (1e-6 + 2‖ghost_r‖), δ = s_r ghost − residual,
 * w = residual² / (δ² + 1e-6) element by element; rowSums_r = Σ w δ², gradient = s_r w δ
 */
export function ghostError(args: usize, thread: i32, threads: i32): void {
  const gradient = argP(args, 0),
    rowSums = argP(args, 1),
    ghost = argP(args, 2),
    residual = argP(args, 3),
    rows = argI(args, 4),
    cols = argI(args, 5);
  const bytes = <usize>cols << 2;
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const from = <usize>r * bytes;
    let ghosts: f64 = 0,
      residuals: f64 = 0,
      sum: f64 = 0;
    for (let o = from; o < from + bytes; o += 4) {
      const g = <f64>load<f32>(ghost + o),
        t = <f64>load<f32>(residual + o);
      ghosts += g * g;
      residuals += t * t;
    }
    const s = sqrt(residuals) / (1e-6 + 2 * sqrt(ghosts));
    for (let o = from; o < from + bytes; o += 4) {
      const t = <f64>load<f32>(residual + o);
      const delta = s * <f64>load<f32>(ghost + o) - t;
      const weight = (t * t) / (delta * delta + 1e-6);
      sum += weight * delta * delta;
      store<f32>(gradient + o, <f32>(s * weight * delta));
    }
    store<f64>(rowSums + (<usize>r << 3), sum);
  }
}
