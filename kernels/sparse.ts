/**
 * Kernels over CSR codes. A kernel gets the address of its arguments and does its own share of the work: it owns a range
 * of rows or of latents, so no two threads write the same place and every sum has a fixed order whatever their number.
 * Argument lists stand in src/engine/cpu/kernels.ts, contracts in src/engine/kernels.ts.
 */
import { argI, argP, axpy, axpy4, dot, share } from './vector';

/** Row of `weights` that value `t` of the codes stands for: `block` consecutive rows belong to one entry. */
// @ts-ignore: decorator
@inline
function weightRow(index: usize, t: u32, block: u32): usize {
  if (block == 1) return <usize>load<u32>(index + (<usize>t << 2));
  return <usize>(load<u32>(index + (<usize>(t / block) << 2)) * block + (t % block));
}

/** First entry in [from, to) whose latent is ≥ `latent`; entries of a row are in ascending order. */
export function lowerBound(index: usize, from: u32, to: u32, latent: u32): u32 {
  // The usual bounds: all latents.
  if (from == to || load<u32>(index + (<usize>from << 2)) >= latent) return from;
  if (load<u32>(index + (<usize>(to - 1) << 2)) < latent) return to;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (load<u32>(index + (<usize>middle << 2)) < latent) from = middle + 1;
    else to = middle;
  }
  return from;
}

/**
 * (out, rowPtr, index, values, W, base, baseStride, rows, cols, block, first, last):
 * out_r = base + Σ_t values_t · W[row of t] over entries of latents in [first, last); base 0 = none, baseStride 0 = the same row
 * for all, cols = one row each
 */
export function decode(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    rowPtr = argP(args, 1),
    index = argP(args, 2),
    values = argP(args, 3),
    weights = argP(args, 4),
    base = argP(args, 5),
    baseStride = <usize>argI(args, 6) << 2,
    rows = argI(args, 7),
    cols = argI(args, 8),
    block = <u32>argI(args, 9),
    first = <u32>argI(args, 10),
    last = <u32>argI(args, 11);
  const bytes = <usize>cols << 2;
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const row = out + <usize>r * bytes;
    if (base) memory.copy(row, base + <usize>r * baseStride, bytes);
    else memory.fill(row, 0, bytes);
    const rowEnd = load<u32>(rowPtr + (<usize>r << 2), 4);
    const entry = lowerBound(index, load<u32>(rowPtr + (<usize>r << 2)), rowEnd, first);
    const to = lowerBound(index, entry, rowEnd, last) * block;
    // Values that are not 0, four at a time.
    let waiting = 0;
    let v0: f32 = 0,
      v1: f32 = 0,
      v2: f32 = 0;
    let w0: usize = 0,
      w1: usize = 0,
      w2: usize = 0;
    for (let t = entry * block; t < to; t++) {
      const v = load<f32>(values + (<usize>t << 2));
      if (v == 0) continue;
      const w = weights + weightRow(index, t, block) * bytes;
      if (waiting == 3) {
        axpy4(row, v0, w0, v1, w1, v2, w2, v, w, cols);
        waiting = 0;
        continue;
      }
      v0 = v1;
      w0 = w1;
      v1 = v2;
      w1 = w2;
      v2 = v;
      w2 = w;
      waiting++;
    }
    if (waiting > 2) axpy(row, v0, w0, cols);
    if (waiting > 1) axpy(row, v1, w1, cols);
    if (waiting > 0) axpy(row, v2, w2, cols);
  }
}

/**
 * (out, accumulate, rowPtr, index, mask, W, vectors, rows, cols, block, first, last):
 * out_t (+)= W[row of t] · vectors_r for entries of latents in [first, last); where mask_t = 0 the product is taken as 0 (mask 0 = none)
 */
export function gatheredDots(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    accumulate = argI(args, 1),
    rowPtr = argP(args, 2),
    index = argP(args, 3),
    mask = argP(args, 4),
    weights = argP(args, 5),
    vectors = argP(args, 6),
    rows = argI(args, 7),
    cols = argI(args, 8),
    block = <u32>argI(args, 9),
    first = <u32>argI(args, 10),
    last = <u32>argI(args, 11);
  const bytes = <usize>cols << 2;
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const vector = vectors + <usize>r * bytes;
    const rowEnd = load<u32>(rowPtr + (<usize>r << 2), 4);
    const entry = lowerBound(index, load<u32>(rowPtr + (<usize>r << 2)), rowEnd, first);
    const to = lowerBound(index, entry, rowEnd, last) * block;
    for (let t = entry * block; t < to; t++) {
      const o = <usize>t << 2;
      let d: f32 = 0;
      if (!mask || load<f32>(mask + o) != 0) d = dot(weights + weightRow(index, t, block) * bytes, vector, cols);
      store<f32>(out + o, accumulate ? load<f32>(out + o) + d : d);
    }
  }
}

/** First latent of this thread when the *entries* of latents [first, last) are shared evenly. */
export function latentShare(latentPtr: usize, first: i32, last: i32, thread: i32, threads: i32): i32 {
  if (thread == 0) return first;
  if (thread == threads) return last;
  const before = load<u32>(latentPtr + (<usize>first << 2));
  const entries = load<u32>(latentPtr + (<usize>last << 2)) - before;
  const goal = before + <u32>((<u64>entries * <u64>thread) / <u64>threads);
  let low = first,
    high = last;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (load<u32>(latentPtr + (<usize>middle << 2)) < goal) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * (out, accumulate, latentPtr, entryOf, rowOf, coefficient, source, first, last, cols, block), for latents i in [first, last):
 * out[i·block + b] (+)= Σ_{e of latent i} coefficient[e·block + b] · source[row_e]
 */
export function latentGradient(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    accumulate = argI(args, 1),
    latentPtr = argP(args, 2),
    entryOf = argP(args, 3),
    rowOf = argP(args, 4),
    coefficient = argP(args, 5),
    source = argP(args, 6),
    first = argI(args, 7),
    last = argI(args, 8),
    cols = argI(args, 9),
    block = argI(args, 10);
  const bytes = <usize>cols << 2,
    stride = <usize>block << 2;
  const end = latentShare(latentPtr, first, last, thread + 1, threads);
  for (let i = latentShare(latentPtr, first, last, thread, threads); i < end; i++) {
    const from = load<u32>(latentPtr + (<usize>i << 2)),
      to = load<u32>(latentPtr + (<usize>i << 2), 4);
    for (let b = 0; b < block; b++) {
      const row = out + <usize>(i * block + b) * bytes;
      const c = coefficient + (<usize>b << 2);
      if (!accumulate) memory.fill(row, 0, bytes);
      let s = from;
      for (; s + 4 <= to; s += 4) {
        const e = entryOf + (<usize>s << 2),
          r = rowOf + (<usize>s << 2);
        axpy4(
          row,
          load<f32>(c + <usize>load<u32>(e) * stride),
          source + <usize>load<u32>(r) * bytes,
          load<f32>(c + <usize>load<u32>(e, 4) * stride),
          source + <usize>load<u32>(r, 4) * bytes,
          load<f32>(c + <usize>load<u32>(e, 8) * stride),
          source + <usize>load<u32>(r, 8) * bytes,
          load<f32>(c + <usize>load<u32>(e, 12) * stride),
          source + <usize>load<u32>(r, 12) * bytes,
          cols,
        );
      }
      for (; s < to; s++) {
        axpy(row, load<f32>(c + <usize>load<u32>(entryOf + (<usize>s << 2)) * stride), source + <usize>load<u32>(rowOf + (<usize>s << 2)) * bytes, cols);
      }
    }
  }
}

/**
 * (dValues, accumulateValues, dW, accumulateW, latentPtr, entryOf, rowOf, values, mask, W, dOut, first, last, cols, block):
 * both gradients of a reconstruction in one pass over dOut, latent by latent in [first, last), t = e·block + b:
 * dValues_t (+)= W[i·block + b] · dOut_row, taken as 0 where mask_t = 0 (mask 0 = none); dW[i·block + b] (+)= Σ_e values_t · dOut_row
 */
export function decodeGradients(args: usize, thread: i32, threads: i32): void {
  const dValues = argP(args, 0),
    accumulateValues = argI(args, 1),
    dW = argP(args, 2),
    accumulateW = argI(args, 3),
    latentPtr = argP(args, 4),
    entryOf = argP(args, 5),
    rowOf = argP(args, 6),
    values = argP(args, 7),
    mask = argP(args, 8),
    weights = argP(args, 9),
    dOut = argP(args, 10),
    firstLatent = argI(args, 11),
    lastLatent = argI(args, 12),
    cols = argI(args, 13),
    block = argI(args, 14);
  const bytes = <usize>cols << 2;
  const end = latentShare(latentPtr, firstLatent, lastLatent, thread + 1, threads);
  for (let i = latentShare(latentPtr, firstLatent, lastLatent, thread, threads); i < end; i++) {
    const first = <usize>(i * block) * bytes;
    if (!accumulateW) memory.fill(dW + first, 0, <usize>block * bytes);
    let s = load<u32>(latentPtr + (<usize>i << 2));
    const to = load<u32>(latentPtr + (<usize>i << 2), 4);
    for (; s + 4 <= to; s += 4) {
      const e = entryOf + (<usize>s << 2),
        r = rowOf + (<usize>s << 2);
      const g0 = dOut + <usize>load<u32>(r) * bytes,
        g1 = dOut + <usize>load<u32>(r, 4) * bytes,
        g2 = dOut + <usize>load<u32>(r, 8) * bytes,
        g3 = dOut + <usize>load<u32>(r, 12) * bytes;
      const t0 = load<u32>(e) * block,
        t1 = load<u32>(e, 4) * block,
        t2 = load<u32>(e, 8) * block,
        t3 = load<u32>(e, 12) * block;
      for (let b = 0; b < block; b++) {
        const o = first + <usize>b * bytes;
        const v0 = valueGradient(dValues, accumulateValues, values, mask, t0 + b, weights + o, g0, cols),
          v1 = valueGradient(dValues, accumulateValues, values, mask, t1 + b, weights + o, g1, cols),
          v2 = valueGradient(dValues, accumulateValues, values, mask, t2 + b, weights + o, g2, cols),
          v3 = valueGradient(dValues, accumulateValues, values, mask, t3 + b, weights + o, g3, cols);
        if (v0 != 0 || v1 != 0 || v2 != 0 || v3 != 0) axpy4(dW + o, v0, g0, v1, g1, v2, g2, v3, g3, cols);
      }
    }
    for (; s < to; s++) {
      const g = dOut + <usize>load<u32>(rowOf + (<usize>s << 2)) * bytes;
      const t = load<u32>(entryOf + (<usize>s << 2)) * block;
      for (let b = 0; b < block; b++) {
        const o = first + <usize>b * bytes;
        axpy(dW + o, valueGradient(dValues, accumulateValues, values, mask, t + b, weights + o, g, cols), g, cols);
      }
    }
  }
}

/** Writes the gradient of value t and returns the value. */
// @ts-ignore: decorator
@inline
function valueGradient(dValues: usize, accumulate: i32, values: usize, mask: usize, t: u32, w: usize, g: usize, cols: i32): f32 {
  const o = <usize>t << 2;
  const d: f32 = !mask || load<f32>(mask + o) != 0 ? dot(w, g, cols) : 0;
  store<f32>(dValues + o, accumulate ? load<f32>(dValues + o) + d : d);
  return load<f32>(values + o);
}

/**
 * (out, latentPtr, entryOf, rowOf, W, vectors, width, cols, block): gatheredDots without mask, latent by latent:
 * out_t = W[i·block + b] · vectors_row
 */
export function dotsByLatent(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    latentPtr = argP(args, 1),
    entryOf = argP(args, 2),
    rowOf = argP(args, 3),
    weights = argP(args, 4),
    vectors = argP(args, 5),
    width = argI(args, 6),
    cols = argI(args, 7),
    block = argI(args, 8);
  const bytes = <usize>cols << 2;
  const end = latentShare(latentPtr, 0, width, thread + 1, threads);
  for (let i = latentShare(latentPtr, 0, width, thread, threads); i < end; i++) {
    const first = weights + <usize>(i * block) * bytes;
    const to = load<u32>(latentPtr + (<usize>i << 2), 4);
    for (let s = load<u32>(latentPtr + (<usize>i << 2)); s < to; s++) {
      const vector = vectors + <usize>load<u32>(rowOf + (<usize>s << 2)) * bytes;
      const t = out + (<usize>(load<u32>(entryOf + (<usize>s << 2)) * block) << 2);
      for (let b = 0; b < block; b++) store<f32>(t + (<usize>b << 2), dot(first + <usize>b * bytes, vector, cols));
    }
  }
}

/** (out, accumulate, latentPtr, entryOf, coefficient, width): out_i (+)= Σ_{e of latent i} coefficient_e */
export function latentSum(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    accumulate = argI(args, 1),
    latentPtr = argP(args, 2),
    entryOf = argP(args, 3),
    coefficient = argP(args, 4),
    width = argI(args, 5);
  const end = share(width, thread + 1, threads);
  for (let i = share(width, thread, threads); i < end; i++) {
    let sum: f64 = 0;
    const to = load<u32>(latentPtr + (<usize>i << 2), 4);
    for (let s = load<u32>(latentPtr + (<usize>i << 2)); s < to; s++) {
      sum += <f64>load<f32>(coefficient + (<usize>load<u32>(entryOf + (<usize>s << 2)) << 2));
    }
    const o = out + (<usize>i << 2);
    store<f32>(o, <f32>(accumulate ? <f64>load<f32>(o) + sum : sum));
  }
}
