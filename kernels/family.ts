/** The parent–child loss of a feature forest, on families with an active member only. See sparse.ts for the calling convention. */
import { latentShare, lowerBound } from './sparse';
import { argF, argI, argP, axpy, dot, dot64, share } from './vector';

/** No entry, no parent. */
const NONE: u32 = 0xffffffff;

/**
 * (dValue, next, rowSums f64, rowPtr, index, value, parents, hasChildren, W, rows, cols, width, parentFrom, childFrom, childTo, scratch,
 * scratchBytes): families of latents [parentFrom, childFrom) with children in [childFrom, childTo). In each row, for each family with
 * an active member: r = a_p d_p − Σ a_c d_c; rowSums_row = Σ ‖r‖²; dValue_p = 2 d_p·r, dValue_c = −2 d_c·r, 0 for all other entries.
 * next links the entries of a family into a ring; NONE = in no family. Scratch per thread: width words, then cols floats.
 */
export function familyResiduals(args: usize, thread: i32, threads: i32): void {
  const dValue = argP(args, 0),
    next = argP(args, 1),
    rowSums = argP(args, 2),
    rowPtr = argP(args, 3),
    index = argP(args, 4),
    value = argP(args, 5),
    parents = argP(args, 6),
    hasChildren = argP(args, 7),
    weights = argP(args, 8),
    rows = argI(args, 9),
    cols = argI(args, 10),
    width = argI(args, 11),
    parentFrom = <u32>argI(args, 12),
    childFrom = <u32>argI(args, 13),
    childTo = <u32>argI(args, 14),
    // First child entry + 1 of each parent in the row at hand.
    head = argP(args, 15) + <usize>thread * argP(args, 16);
  const residual = head + (<usize>width << 2);
  memory.fill(head, 0, <usize>width << 2);
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const from = load<u32>(rowPtr + (<usize>r << 2)),
      to = load<u32>(rowPtr + (<usize>r << 2), 4);
    memory.fill(dValue + (<usize>from << 2), 0, <usize>(to - from) << 2);
    memory.fill(next + (<usize>from << 2), 0xff, <usize>(to - from) << 2);
    const p0 = lowerBound(index, from, to, parentFrom),
      c0 = lowerBound(index, p0, to, childFrom),
      c1 = lowerBound(index, c0, to, childTo);
    // Backwards, so that every list of children ascends.
    for (let e = c1; e-- > c0; ) {
      const parent = load<u32>(parents + (<usize>latentOf(index, e) << 2));
      if (parent == NONE) continue;
      const first = head + (<usize>parent << 2);
      store<u32>(next + (<usize>e << 2), load<u32>(first) - 1);
      store<u32>(first, e + 1);
    }
    let sum: f64 = 0;
    for (let e = p0; e < c0; e++) {
      const parent = <usize>latentOf(index, e) << 2;
      if (!load<u32>(hasChildren + parent)) continue;
      const child = load<u32>(head + parent) - 1;
      store<u32>(head + parent, 0);
      store<u32>(next + (<usize>e << 2), child == NONE ? e : child);
      sum += family(e, child, dValue, next, index, value, weights, residual, cols);
      close(next, child, e);
    }
    for (let e = c0; e < c1; e++) {
      const parent = load<u32>(parents + (<usize>latentOf(index, e) << 2));
      if (parent == NONE || !load<u32>(head + (<usize>parent << 2))) continue;
      store<u32>(head + (<usize>parent << 2), 0);
      sum += family(NONE, e, dValue, next, index, value, weights, residual, cols);
      close(next, e, e);
    }
    store<f64>(rowSums + (<usize>r << 3), sum);
  }
}

// @ts-ignore: decorator
@inline
function latentOf(index: usize, e: u32): u32 {
  return load<u32>(index + (<usize>e << 2));
}

/** Makes the end of a list of children point to `first`. */
function close(next: usize, child: u32, first: u32): void {
  if (child == NONE) return;
  while (load<u32>(next + (<usize>child << 2)) != NONE) child = load<u32>(next + (<usize>child << 2));
  store<u32>(next + (<usize>child << 2), first);
}

/** ‖r‖² of one family, and the gradients of its values. */
function family(parent: u32, child: u32, dValue: usize, next: usize, index: usize, value: usize, weights: usize, residual: usize, cols: i32): f64 {
  const bytes = <usize>cols << 2;
  memory.fill(residual, 0, bytes);
  let active = false;
  if (parent != NONE) {
    const v = load<f32>(value + (<usize>parent << 2));
    if (v != 0) {
      active = true;
      axpy(residual, v, weights + <usize>latentOf(index, parent) * bytes, cols);
    }
  }
  for (let c = child; c != NONE; c = load<u32>(next + (<usize>c << 2))) {
    const v = load<f32>(value + (<usize>c << 2));
    if (v == 0) continue;
    active = true;
    axpy(residual, -v, weights + <usize>latentOf(index, c) * bytes, cols);
  }
  if (!active) return 0;
  if (parent != NONE) store<f32>(dValue + (<usize>parent << 2), 2 * dot(residual, weights + <usize>latentOf(index, parent) * bytes, cols));
  for (let c = child; c != NONE; c = load<u32>(next + (<usize>c << 2))) {
    store<f32>(dValue + (<usize>c << 2), -2 * dot(residual, weights + <usize>latentOf(index, c) * bytes, cols));
  }
  return dot64(residual, residual, cols);
}

/**
 * (dW, latentPtr, entryOf, index, value, next, W, width, cols, parentFrom, childFrom, childTo, scale, scratch, scratchBytes): for latents m
 * of the pair of levels dW_m += scale · σ_m Σ_k σ_k (Σ_rows a_m a_k) d_k over the members k of its family (itself among them), σ = 1
 * for the parent, −1 for children. Scratch per thread: width doubles and twice width words.
 */
export function familyGradient(args: usize, thread: i32, threads: i32): void {
  const dW = argP(args, 0),
    latentPtr = argP(args, 1),
    entryOf = argP(args, 2),
    index = argP(args, 3),
    value = argP(args, 4),
    next = argP(args, 5),
    weights = argP(args, 6),
    width = argI(args, 7),
    cols = argI(args, 8),
    parentFrom = argI(args, 9),
    childFrom = argI(args, 10),
    childTo = argI(args, 11),
    scale = <f64>argF(args, 12),
    sums = argP(args, 13) + <usize>thread * argP(args, 14);
  // Mates of the latent at hand in the order in which they are met, and the place of each in that list + 1.
  const mates = sums + (<usize>width << 3),
    place = mates + (<usize>width << 2);
  memory.fill(place, 0, <usize>width << 2);
  const bytes = <usize>cols << 2;
  const end = latentShare(latentPtr, parentFrom, childTo, thread + 1, threads);
  for (let m = latentShare(latentPtr, parentFrom, childTo, thread, threads); m < end; m++) {
    let count: u32 = 0;
    const to = load<u32>(latentPtr + (<usize>m << 2), 4);
    for (let s = load<u32>(latentPtr + (<usize>m << 2)); s < to; s++) {
      const own = load<u32>(entryOf + (<usize>s << 2));
      const v = <f64>load<f32>(value + (<usize>own << 2));
      if (v == 0 || load<u32>(next + (<usize>own << 2)) == NONE) continue;
      let e = own;
      do {
        const u = <f64>load<f32>(value + (<usize>e << 2));
        if (u != 0) {
          const latent = latentOf(index, e);
          const at = place + (<usize>latent << 2);
          if (!load<u32>(at)) {
            store<u32>(mates + (<usize>count << 2), latent);
            store<f64>(sums + (<usize>count << 3), 0);
            store<u32>(at, ++count);
          }
          const sum = sums + (<usize>(load<u32>(at) - 1) << 3);
          store<f64>(sum, load<f64>(sum) + v * u);
        }
        e = load<u32>(next + (<usize>e << 2));
      } while (e != own);
    }
    for (let k: u32 = 0; k < count; k++) {
      const mate = load<u32>(mates + (<usize>k << 2));
      store<u32>(place + (<usize>mate << 2), 0);
      const sign: f64 = (<i32>mate < childFrom) == (m < childFrom) ? 1 : -1;
      axpy(dW + <usize>m * bytes, <f32>(scale * sign * load<f64>(sums + (<usize>k << 3))), weights + <usize>mate * bytes, cols);
    }
  }
}

/**
 * (out [childTo − childFrom, childFrom − parentFrom + 1], latentPtr, entryOf, rowOf, rowPtr, index, value, parentFrom, childFrom, childTo,
 * weight): each active entry of child c adds weight to out[c, p] for every parent p active in its row, and to the last column
 */
export function coActivate(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    latentPtr = argP(args, 1),
    entryOf = argP(args, 2),
    rowOf = argP(args, 3),
    rowPtr = argP(args, 4),
    index = argP(args, 5),
    value = argP(args, 6),
    parentFrom = argI(args, 7),
    childFrom = argI(args, 8),
    childTo = argI(args, 9),
    weight = argF(args, 10);
  const columns = <usize>(childFrom - parentFrom + 1);
  const end = latentShare(latentPtr, childFrom, childTo, thread + 1, threads);
  for (let c = latentShare(latentPtr, childFrom, childTo, thread, threads); c < end; c++) {
    const own = out + ((<usize>(c - childFrom) * columns) << 2);
    const last = own + ((columns - 1) << 2);
    const to = load<u32>(latentPtr + (<usize>c << 2), 4);
    for (let s = load<u32>(latentPtr + (<usize>c << 2)); s < to; s++) {
      if (load<f32>(value + (<usize>load<u32>(entryOf + (<usize>s << 2)) << 2)) == 0) continue;
      store<f32>(last, load<f32>(last) + weight);
      const row = rowPtr + (<usize>load<u32>(rowOf + (<usize>s << 2)) << 2);
      const rowEnd = load<u32>(row, 4);
      for (let e = lowerBound(index, load<u32>(row), rowEnd, parentFrom); e < rowEnd; e++) {
        const latent = latentOf(index, e);
        if (latent >= <u32>childFrom) break;
        if (load<f32>(value + (<usize>e << 2)) == 0) continue;
        const o = own + (<usize>(latent - parentFrom) << 2);
        store<f32>(o, load<f32>(o) + weight);
      }
    }
  }
}
