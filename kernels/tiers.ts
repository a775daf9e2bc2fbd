/** Codes in tiers (compositional SAEs). See sparse.ts for the calling convention. */
import { latentShare } from './sparse';
import { argI, argP, share } from './vector';

/**
 * (outIndex, outValue, next, start, rowPtr, index, value, rows, offset): writes the entries of each row from position start_r of the
 * output on, latents shifted by `offset`; next_r = the position after them. start may be next.
 */
export function appendCodes(args: usize, thread: i32, threads: i32): void {
  const outIndex = argP(args, 0),
    outValue = argP(args, 1),
    next = argP(args, 2),
    start = argP(args, 3),
    rowPtr = argP(args, 4),
    index = argP(args, 5),
    value = argP(args, 6),
    rows = argI(args, 7),
    offset = <u32>argI(args, 8);
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const row = <usize>r << 2;
    let at = <usize>load<u32>(start + row) << 2;
    const to = <usize>load<u32>(rowPtr + row, 4) << 2;
    for (let e = <usize>load<u32>(rowPtr + row) << 2; e < to; e += 4, at += 4) {
      store<u32>(outIndex + at, load<u32>(index + e) + offset);
      store<f32>(outValue + at, load<f32>(value + e));
    }
    store<u32>(next + row, <u32>(at >> 2));
  }
}

/**
 * (dBelow, accumulateBelow, dV, accumulateV, latentPtr, entryOf, rowOf, below, V, rowPtrAbove, indexAbove, dAbove, widthBelow, cols):
 * for each latent j below: dV[j, i] (+)= Σ_e below_e · dAbove_i over the entries i above in the row of e; dBelow_e (+)= Σ_i V[j, i] · dAbove_i where
 * below_e ≠ 0, else 0; dBelow 0 = not wanted. Row j of V and dV stays in the nearest cache.
 */
export function baseGradients(args: usize, thread: i32, threads: i32): void {
  const dBelow = argP(args, 0),
    accumulateBelow = argI(args, 1),
    dV = argP(args, 2),
    accumulateV = argI(args, 3),
    latentPtr = argP(args, 4),
    entryOf = argP(args, 5),
    rowOf = argP(args, 6),
    below = argP(args, 7),
    weights = argP(args, 8),
    rowPtr = argP(args, 9),
    index = argP(args, 10),
    dAbove = argP(args, 11),
    width = argI(args, 12),
    bytes = <usize>argI(args, 13) << 2;
  const end = latentShare(latentPtr, 0, width, thread + 1, threads);
  for (let j = latentShare(latentPtr, 0, width, thread, threads); j < end; j++) {
    const w = weights + <usize>j * bytes,
      g = dV + <usize>j * bytes;
    if (!accumulateV) memory.fill(g, 0, bytes);
    const last = load<u32>(latentPtr + (<usize>j << 2), 4);
    for (let s = load<u32>(latentPtr + (<usize>j << 2)); s < last; s++) {
      const e = <usize>load<u32>(entryOf + (<usize>s << 2)) << 2,
        row = rowPtr + (<usize>load<u32>(rowOf + (<usize>s << 2)) << 2);
      const h = load<f32>(below + e);
      let sum: f32 = 0;
      if (h != 0) {
        const to = <usize>load<u32>(row, 4) << 2;
        for (let t = <usize>load<u32>(row) << 2; t < to; t += 4) {
          const i = <usize>load<u32>(index + t) << 2;
          const d = load<f32>(dAbove + t);
          sum += load<f32>(w + i) * d;
          store<f32>(g + i, load<f32>(g + i) + h * d);
        }
      }
      if (dBelow) store<f32>(dBelow + e, accumulateBelow ? load<f32>(dBelow + e) + sum : sum);
    }
  }
}

/**
 * (composed f64, active f64, rowPtr, index, value, base, bias, rows, cols): of each row the number of positive entries, and of those
 * with (c)₊ ≥ half of (s)₊ + (c)₊ + (b)₊ > 0, where value = s + c + b, base = c + b, bias = b
 */
export function composedEntries(args: usize, thread: i32, threads: i32): void {
  const composed = argP(args, 0),
    active = argP(args, 1),
    rowPtr = argP(args, 2),
    index = argP(args, 3),
    value = argP(args, 4),
    base = argP(args, 5),
    bias = argP(args, 6),
    rows = argI(args, 7),
    cols = argI(args, 8);
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    let positive: f64 = 0,
      reached: f64 = 0;
    const to = <usize>load<u32>(rowPtr + (<usize>r << 2), 4) << 2;
    for (let e = <usize>load<u32>(rowPtr + (<usize>r << 2)) << 2; e < to; e += 4) {
      const z = load<f32>(value + e);
      if (!(z > 0)) continue;
      positive++;
      const i = <usize>load<u32>(index + e) << 2;
      const both = load<f32>(base + ((<usize>r * <usize>cols) << 2) + i),
        b = load<f32>(bias + i);
      const c = both - b;
      if (c > 0 && c >= max<f32>(z - both, 0) + max<f32>(b, 0)) reached++;
    }
    store<f64>(composed + (<usize>r << 3), reached);
    store<f64>(active + (<usize>r << 3), positive);
  }
}
