/** Matching pursuit over a dictionary whose scores and Gram matrix are at hand. See sparse.ts for the calling convention. */
import { argF, argI, argP, axpy, dot, dot64, scaleTo, share } from './vector';

/** Scores that are compared with the best so far at once. */
const BLOCK = 64;

/** First position of the largest positive score in a row of n; n where there is none. scores −= v · g on the way (g 0 = nothing). */
function best(scores: usize, n: i32, v: f32, g: usize): i32 {
  const factor = f32x4.splat(v);
  let largest: f32 = 0,
    at = n,
    i = 0;
  for (; i + BLOCK <= n; i += BLOCK) {
    const from = scores + (<usize>i << 2),
      row = g + (<usize>i << 2);
    let most = f32x4.splat(0);
    for (let o: usize = 0; o < <usize>BLOCK << 2; o += 16) {
      let c = v128.load(from + o);
      if (g) {
        c = f32x4.sub(c, f32x4.mul(factor, v128.load(row + o)));
        v128.store(from + o, c);
      }
      most = f32x4.pmax(most, c);
    }
    const found = max(
      max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)),
      max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)),
    );
    if (found > largest) {
      largest = found;
      at = i;
    }
  }
  let exact = at == n;
  for (; i < n; i++) {
    const o = scores + (<usize>i << 2);
    if (g) store<f32>(o, load<f32>(o) - v * load<f32>(g + (<usize>i << 2)));
    const c = load<f32>(o);
    if (c > largest) {
      largest = c;
      at = i;
      exact = true;
    }
  }
  if (exact) return at;
  while (load<f32>(scores + (<usize>at << 2)) != largest) at++;
  return at;
}

/**
 * (residual, orderIndex, orderValue, outIndex, outValue, scores, gram, W, scratch, rows, width, d, k, threshold, once):
 * residual [rows, d] holds the inputs and becomes what is left; order [rows, k] = latent and value of every step, value 0 after the
 * last one; out [rows, k] = the latents taken with their summed values, in ascending order, filled from latent 0 upwards. Stops where no
 * score is positive, where ‖residual‖ < threshold, and with `once` after a latent was taken again. scores [rows, width] are used up;
 * scratch 8·k bytes per thread.
 */
export function pursue(args: usize, thread: i32, threads: i32): void {
  const residual = argP(args, 0),
    orderIndex = argP(args, 1),
    orderValue = argP(args, 2),
    outIndex = argP(args, 3),
    outValue = argP(args, 4),
    scores = argP(args, 5),
    gram = argP(args, 6),
    weights = argP(args, 7),
    rows = argI(args, 9),
    width = argI(args, 10),
    d = argI(args, 11),
    k = argI(args, 12),
    threshold = <f64>argF(args, 13),
    once = argI(args, 14);
  const bytes = <usize>d << 2,
    line = <usize>width << 2,
    list = <usize>k << 2;
  const index = argP(args, 8) + <usize>thread * 2 * list,
    value = index + list;
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const left = residual + <usize>r * bytes,
      row = scores + <usize>r * line;
    let taken = 0,
      t = 0,
      v: f32 = 0,
      g: usize = 0;
    for (; t < k; t++) {
      const i = best(row, width, v, g);
      if (i == width) break;
      const w = weights + <usize>i * bytes;
      v = dot(w, left, d);
      if (!(v > 0)) break;
      axpy(left, -v, w, d);
      g = gram + <usize>i * line;
      const e = (<usize>r * <usize>k + <usize>t) << 2;
      store<u32>(orderIndex + e, <u32>i);
      store<f32>(orderValue + e, v);
      const before = taken;
      taken = add(index, value, taken, <u32>i, v);
      if (once && taken == before) {
        t++;
        break;
      }
      if (threshold > 0 && sqrt(dot64(left, left, d)) < threshold) {
        t++;
        break;
      }
    }
    for (; t < k; t++) {
      const e = <usize>r * <usize>k + <usize>t;
      // Any latent: spread, so that none has to pass over all of them.
      store<u32>(orderIndex + (e << 2), <u32>(e % <usize>width));
      store<f32>(orderValue + (e << 2), 0);
    }
    fill(index, value, taken, k, outIndex + <usize>r * list, outValue + <usize>r * list);
  }
}

/** Adds v to latent i of an ascending list of n; returns the new length. */
function add(index: usize, value: usize, n: i32, i: u32, v: f32): i32 {
  let at = n;
  while (at > 0 && load<u32>(index + (<usize>(at - 1) << 2)) > i) at--;
  if (at > 0 && load<u32>(index + (<usize>(at - 1) << 2)) == i) {
    const o = value + (<usize>(at - 1) << 2);
    store<f32>(o, load<f32>(o) + v);
    return n;
  }
  const o = <usize>at << 2,
    rest = <usize>(n - at) << 2;
  memory.copy(index + o + 4, index + o, rest);
  memory.copy(value + o + 4, value + o, rest);
  store<u32>(index + o, i);
  store<f32>(value + o, v);
  return n + 1;
}

/** Writes a list of n, filled up to k with value 0 from latent 0 upwards. */
function fill(index: usize, value: usize, n: i32, k: i32, outIndex: usize, outValue: usize): void {
  let filled = k - n,
    next: u32 = 0,
    o: usize = 0;
  for (let s = 0; s < n; s++) {
    const latent = load<u32>(index + (<usize>s << 2));
    for (; filled > 0 && next < latent; next++, filled--, o += 4) {
      store<u32>(outIndex + o, next);
      store<f32>(outValue + o, 0);
    }
    next = latent + 1;
    store<u32>(outIndex + o, latent);
    store<f32>(outValue + o, load<f32>(value + (<usize>s << 2)));
    o += 4;
  }
  for (; filled > 0; next++, filled--, o += 4) {
    store<u32>(outIndex + o, next);
    store<f32>(outValue + o, 0);
  }
}

/**
 * (dInput, changes, outIndex, outValue, orderIndex, orderValue, W, residual, scratch, from, to, d, k): back through the steps of rows
 * [from, to). dInput [rows, d] holds ∂residual and becomes ∂input; changes [(to − from)·k, d] = −∂W[latent] by each step, 0 for steps
 * not taken; out [(to − from)·k] = the latents of the steps with coefficient −1, or 0. scratch 4·d bytes per thread.
 */
export function pursuitGradients(args: usize, thread: i32, threads: i32): void {
  const dInput = argP(args, 0),
    changes = argP(args, 1),
    outIndex = argP(args, 2),
    outValue = argP(args, 3),
    orderIndex = argP(args, 4),
    orderValue = argP(args, 5),
    weights = argP(args, 6),
    residual = argP(args, 7),
    from = argI(args, 9),
    to = argI(args, 10),
    d = argI(args, 11),
    k = argI(args, 12);
  const bytes = <usize>d << 2;
  const before = argP(args, 8) + <usize>thread * bytes;
  const end = share(to - from, thread + 1, threads);
  for (let r = share(to - from, thread, threads); r < end; r++) {
    const g = dInput + <usize>(from + r) * bytes;
    memory.copy(before, residual + <usize>(from + r) * bytes, bytes);
    for (let t = k - 1; t >= 0; t--) {
      const e = (<usize>(from + r) * <usize>k + <usize>t) << 2,
        o = <usize>r * <usize>k + <usize>t;
      const v = load<f32>(orderValue + e),
        i = load<u32>(orderIndex + e);
      const change = changes + o * bytes;
      store<u32>(outIndex + (o << 2), i);
      store<f32>(outValue + (o << 2), v != 0 ? -1 : 0);
      if (v == 0) {
        memory.fill(change, 0, bytes);
        continue;
      }
      const w = weights + <usize>i * bytes;
      const gamma = dot(g, w, d);
      axpy(before, v, w, d);
      scaleTo(change, v, g, d);
      axpy(change, gamma, before, d);
      axpy(g, -gamma, w, d);
    }
  }
}
