/**
 * Scores of the children of active parents, and the selection among them. See sparse.ts for the calling convention.
 * Every score is one sum in the same order, whatever it is computed beside: how the work is shared does not show.
 */
import { keyOf, kthLargest } from './select';
import { argF, argI, argP, lanes, share } from './vector';

/**
 * (rowCounts [rows + 1], offsets [entries], rowPtr, index, value, childPtr, rows, above): rowCounts[r + 1] = children of the entries
 * of row r with value > above, offset_e = how many of them come before those of entry e; rowCounts[0] = 0
 */
export function countChildren(args: usize, thread: i32, threads: i32): void {
  const rowCounts = argP(args, 0),
    offsets = argP(args, 1),
    rowPtr = argP(args, 2),
    index = argP(args, 3),
    value = argP(args, 4),
    childPtr = argP(args, 5),
    rows = argI(args, 6),
    above = argF(args, 7);
  if (thread == 0) store<u32>(rowCounts, 0);
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    let count: u32 = 0;
    const to = load<u32>(rowPtr + (<usize>r << 2), 4);
    for (let e = load<u32>(rowPtr + (<usize>r << 2)); e < to; e++) {
      const o = <usize>e << 2;
      store<u32>(offsets + o, count);
      if (!(load<f32>(value + o) > above)) continue;
      const p = childPtr + (<usize>load<u32>(index + o) << 2);
      count += load<u32>(p, 4) - load<u32>(p);
    }
    store<u32>(rowCounts + (<usize>r << 2), count, 4);
  }
}

/**
 * (outIndex, outValue, outPtr [rows + 1], offsets, latentPtr, entryOf, rowOf, value, childPtr, children, W, bias, x, parents, cols, above):
 * children of every entry with value > above and their scores W_c · x_row (+ bias_c), from place outPtr[row] + offset_entry on.
 * Threads share the scores, parent by parent; of one parent each takes some of the rows.
 */
export function scoreChildren(args: usize, thread: i32, threads: i32): void {
  const latentPtr = argP(args, 4),
    childPtr = argP(args, 8),
    parents = argI(args, 13);
  let total: u64 = 0;
  for (let p = 0; p < parents; p++) total += <u64>countAt(latentPtr, p) * <u64>countAt(childPtr, p);
  const from = (total * <u64>thread) / <u64>threads,
    to = (total * <u64>(thread + 1)) / <u64>threads;
  let before: u64 = 0;
  for (let p = 0; p < parents && before < to; p++) {
    const entries = <u64>countAt(latentPtr, p),
      children = <u64>countAt(childPtr, p);
    if (entries == 0 || children == 0) continue;
    // The scores of entry s of this parent count from before + s · children on; who owns the first of them computes all.
    const first = before >= from ? 0 : (from - before + children - 1) / children,
      last = min(entries, (to - before + children - 1) / children);
    if (first < last) scoreFamily(args, p, <u32>first, <u32>last);
    before += entries * children;
  }
}

/** Difference of two neighbours in a list of starts. */
// @ts-ignore: decorator
@inline
function countAt(ptr: usize, i: i32): u32 {
  const o = ptr + (<usize>i << 2);
  return load<u32>(o, 4) - load<u32>(o);
}

/** Scores all children of parent p for its entries [first, last), in blocks of children that stay in a near cache. */
function scoreFamily(args: usize, p: i32, first: u32, last: u32): void {
  const latentPtr = argP(args, 4),
    entryOf = argP(args, 5),
    value = argP(args, 7),
    childPtr = argP(args, 8),
    cols = argI(args, 14),
    above = argF(args, 15);
  const start = load<u32>(latentPtr + (<usize>p << 2));
  const end = load<u32>(childPtr + (<usize>p << 2), 4);
  const block = <u32>max(8, 16384 / cols) & ~3;
  for (let c = load<u32>(childPtr + (<usize>p << 2)); c < end; c += block) {
    const stop = min(c + block, end);
    touch(args, c, stop);
    // Active entries pass by two at a time.
    let pending: i32 = -1;
    for (let s = start + first; s < start + last; s++) {
      if (!(load<f32>(value + (<usize>load<u32>(entryOf + (<usize>s << 2)) << 2)) > above)) continue;
      if (pending < 0) pending = <i32>s;
      else {
        scoreTwo(args, p, pending, <i32>s, c, stop);
        pending = -1;
      }
    }
    if (pending >= 0) scoreOne(args, p, pending, c, stop);
  }
}

/**
 * Reads a number of every cache line of the rows of children [c, stop): loads that wait for nothing run side by side, so rows
 * that come from memory arrive together instead of one after the other.
 */
function touch(args: usize, c: u32, stop: u32): void {
  const children = argP(args, 9),
    weights = argP(args, 10);
  const bytes = <usize>argI(args, 14) << 2;
  let sum: u32 = 0;
  for (; c < stop; c++) {
    const row = weights + <usize>load<u32>(children + (<usize>c << 2)) * bytes;
    for (let o: usize = 0; o < bytes; o += 64) sum |= load<u32>(row + o);
  }
  touched = sum;
}

/** Keeps the loads of {@link touch}. */
let touched: u32 = 0;

/** Scores children [c, stop) of parent p for the entries at places s0 and s1 of the latent index. */
function scoreTwo(args: usize, p: i32, s0: i32, s1: i32, c: u32, stop: u32): void {
  const outIndex = argP(args, 0),
    outValue = argP(args, 1),
    childPtr = argP(args, 8),
    children = argP(args, 9),
    weights = argP(args, 10),
    bias = argP(args, 11),
    cols = argI(args, 14);
  const bytes = <usize>cols << 2;
  const x0 = rowAt(args, s0, bytes),
    x1 = rowAt(args, s1, bytes);
  const skipped = (<usize>(c - load<u32>(childPtr + (<usize>p << 2)))) << 2;
  let o0 = placeOf(args, s0) + skipped,
    o1 = placeOf(args, s1) + skipped;
  for (; c + 4 <= stop; c += 4) {
    const at = children + (<usize>c << 2);
    const c0 = load<u32>(at),
      c1 = load<u32>(at, 4),
      c2 = load<u32>(at, 8),
      c3 = load<u32>(at, 12);
    const w0 = weights + <usize>c0 * bytes,
      w1 = weights + <usize>c1 * bytes,
      w2 = weights + <usize>c2 * bytes,
      w3 = weights + <usize>c3 * bytes;
    let a0 = f32x4.splat(0),
      a1 = f32x4.splat(0),
      a2 = f32x4.splat(0),
      a3 = f32x4.splat(0),
      b0 = f32x4.splat(0),
      b1 = f32x4.splat(0),
      b2 = f32x4.splat(0),
      b3 = f32x4.splat(0);
    const whole = bytes & ~15;
    for (let o: usize = 0; o < whole; o += 16) {
      const x = v128.load(x0 + o),
        y = v128.load(x1 + o);
      const u0 = v128.load(w0 + o),
        u1 = v128.load(w1 + o);
      a0 = f32x4.add(a0, f32x4.mul(x, u0));
      b0 = f32x4.add(b0, f32x4.mul(y, u0));
      a1 = f32x4.add(a1, f32x4.mul(x, u1));
      b1 = f32x4.add(b1, f32x4.mul(y, u1));
      const u2 = v128.load(w2 + o),
        u3 = v128.load(w3 + o);
      a2 = f32x4.add(a2, f32x4.mul(x, u2));
      b2 = f32x4.add(b2, f32x4.mul(y, u2));
      a3 = f32x4.add(a3, f32x4.mul(x, u3));
      b3 = f32x4.add(b3, f32x4.mul(y, u3));
    }
    put(outIndex, outValue, o0, c0, finish(a0, x0, w0, bias, c0, whole, bytes));
    put(outIndex, outValue, o0 + 4, c1, finish(a1, x0, w1, bias, c1, whole, bytes));
    put(outIndex, outValue, o0 + 8, c2, finish(a2, x0, w2, bias, c2, whole, bytes));
    put(outIndex, outValue, o0 + 12, c3, finish(a3, x0, w3, bias, c3, whole, bytes));
    put(outIndex, outValue, o1, c0, finish(b0, x1, w0, bias, c0, whole, bytes));
    put(outIndex, outValue, o1 + 4, c1, finish(b1, x1, w1, bias, c1, whole, bytes));
    put(outIndex, outValue, o1 + 8, c2, finish(b2, x1, w2, bias, c2, whole, bytes));
    put(outIndex, outValue, o1 + 12, c3, finish(b3, x1, w3, bias, c3, whole, bytes));
    o0 += 16;
    o1 += 16;
  }
  for (; c < stop; c++) {
    const c0 = load<u32>(children + (<usize>c << 2));
    const w0 = weights + <usize>c0 * bytes;
    let a0 = f32x4.splat(0),
      b0 = f32x4.splat(0);
    const whole = bytes & ~15;
    for (let o: usize = 0; o < whole; o += 16) {
      const u0 = v128.load(w0 + o);
      a0 = f32x4.add(a0, f32x4.mul(v128.load(x0 + o), u0));
      b0 = f32x4.add(b0, f32x4.mul(v128.load(x1 + o), u0));
    }
    put(outIndex, outValue, o0, c0, finish(a0, x0, w0, bias, c0, whole, bytes));
    put(outIndex, outValue, o1, c0, finish(b0, x1, w0, bias, c0, whole, bytes));
    o0 += 4;
    o1 += 4;
  }
}

/** Scores children [c, stop) of parent p for the entry at place s of the latent index. */
function scoreOne(args: usize, p: i32, s: i32, c: u32, stop: u32): void {
  const outIndex = argP(args, 0),
    outValue = argP(args, 1),
    childPtr = argP(args, 8),
    children = argP(args, 9),
    weights = argP(args, 10),
    bias = argP(args, 11),
    bytes = <usize>argI(args, 14) << 2;
  const x0 = rowAt(args, s, bytes),
    whole = bytes & ~15;
  let o0 = placeOf(args, s) + ((<usize>(c - load<u32>(childPtr + (<usize>p << 2)))) << 2);
  for (; c + 4 <= stop; c += 4) {
    const at = children + (<usize>c << 2);
    const c0 = load<u32>(at),
      c1 = load<u32>(at, 4),
      c2 = load<u32>(at, 8),
      c3 = load<u32>(at, 12);
    const w0 = weights + <usize>c0 * bytes,
      w1 = weights + <usize>c1 * bytes,
      w2 = weights + <usize>c2 * bytes,
      w3 = weights + <usize>c3 * bytes;
    let a0 = f32x4.splat(0),
      a1 = f32x4.splat(0),
      a2 = f32x4.splat(0),
      a3 = f32x4.splat(0);
    for (let o: usize = 0; o < whole; o += 16) {
      const x = v128.load(x0 + o);
      a0 = f32x4.add(a0, f32x4.mul(x, v128.load(w0 + o)));
      a1 = f32x4.add(a1, f32x4.mul(x, v128.load(w1 + o)));
      a2 = f32x4.add(a2, f32x4.mul(x, v128.load(w2 + o)));
      a3 = f32x4.add(a3, f32x4.mul(x, v128.load(w3 + o)));
    }
    put(outIndex, outValue, o0, c0, finish(a0, x0, w0, bias, c0, whole, bytes));
    put(outIndex, outValue, o0 + 4, c1, finish(a1, x0, w1, bias, c1, whole, bytes));
    put(outIndex, outValue, o0 + 8, c2, finish(a2, x0, w2, bias, c2, whole, bytes));
    put(outIndex, outValue, o0 + 12, c3, finish(a3, x0, w3, bias, c3, whole, bytes));
    o0 += 16;
  }
  for (; c < stop; c++, o0 += 4) {
    const c0 = load<u32>(children + (<usize>c << 2));
    const w0 = weights + <usize>c0 * bytes;
    let a0 = f32x4.splat(0);
    for (let o: usize = 0; o < whole; o += 16) a0 = f32x4.add(a0, f32x4.mul(v128.load(x0 + o), v128.load(w0 + o)));
    put(outIndex, outValue, o0, c0, finish(a0, x0, w0, bias, c0, whole, bytes));
  }
}

/** Input of the entry at place s of the latent index. */
// @ts-ignore: decorator
@inline
function rowAt(args: usize, s: i32, bytes: usize): usize {
  return argP(args, 12) + <usize>load<u32>(argP(args, 6) + (<usize>s << 2)) * bytes;
}

/** Byte offset of the first candidate of the entry at place s of the latent index. */
// @ts-ignore: decorator
@inline
function placeOf(args: usize, s: i32): usize {
  const row = load<u32>(argP(args, 6) + (<usize>s << 2)),
    entry = load<u32>(argP(args, 5) + (<usize>s << 2));
  return (<usize>(load<u32>(argP(args, 2) + (<usize>row << 2)) + load<u32>(argP(args, 3) + (<usize>entry << 2)))) << 2;
}

// @ts-ignore: decorator
@inline
function put(outIndex: usize, outValue: usize, o: usize, latent: u32, score: f32): void {
  store<u32>(outIndex + o, latent);
  store<f32>(outValue + o, score);
}

// @ts-ignore: decorator
@inline
function finish(s: v128, x: usize, w: usize, bias: usize, latent: u32, whole: usize, bytes: usize): f32 {
  let sum = <f32>lanes(s);
  for (let o = whole; o < bytes; o += 4) sum += load<f32>(x + o) * load<f32>(w + o);
  return bias ? sum + load<f32>(bias + (<usize>latent << 2)) : sum;
}

/**
 * (outIndex, outValue, beforeIndex, beforeValue, ptrA, indexA, valueA, ptrB, indexB, valueB, counter, rows, kBefore, k, first,
 * scratch, scratchBytes, floor, threshold): each row starts with the kBefore entries of `before`; then come, in ascending order of
 * latents, the k largest values ≥ floor of lists A and B (0 = no list; latents distinct; ties: lowest latent; with a counter only
 * where it is ≥ threshold), filled up with value 0 from latent `first` upwards
 */
export function joinTop(args: usize, thread: i32, threads: i32): void {
  const outIndex = argP(args, 0),
    outValue = argP(args, 1),
    beforeIndex = argP(args, 2),
    beforeValue = argP(args, 3),
    rows = argI(args, 11),
    kBefore = argI(args, 12),
    k = argI(args, 13),
    first = <u32>argI(args, 14),
    keys = argP(args, 15) + <usize>thread * argP(args, 16);
  // Chosen entries in ascending order of latents, behind the keys.
  const chosen = keys + (argP(args, 16) >>> 1);
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    let o = (<usize>(r * (kBefore + k))) << 2;
    if (kBefore) {
      const b = (<usize>(r * kBefore)) << 2,
        size = <usize>kBefore << 2;
      memory.copy(outIndex + o, beforeIndex + b, size);
      memory.copy(outValue + o, beforeValue + b, size);
      o += size;
    }
    let found = collectList(args, 4, r, keys, 0, k);
    found = collectList(args, 7, r, keys, found, k);
    const least = found > k ? kthLargest(keys, found, k) : 0;
    let n = 0;
    for (let i = 0; i < found; i++) {
      const key = load<u64>(keys + (<usize>i << 3));
      if (key < least) continue;
      const entry = (<u64>~(<u32>key) << 32) | (key >>> 32);
      let j = n++;
      for (; j > 0 && load<u64>(chosen + (<usize>(j - 1) << 3)) > entry; j--) {
        store<u64>(chosen + (<usize>j << 3), load<u64>(chosen + (<usize>(j - 1) << 3)));
      }
      store<u64>(chosen + (<usize>j << 3), entry);
    }
    let filled = k - n,
      next = first;
    for (let i = 0; i < n; i++) {
      const entry = load<u64>(chosen + (<usize>i << 3));
      const latent = <u32>(entry >>> 32);
      for (; filled > 0 && next < latent; next++, filled--, o += 4) put(outIndex, outValue, o, next, 0);
      next = latent + 1;
      put(outIndex, outValue, o, latent, reinterpret<f32>(<u32>entry));
      o += 4;
    }
    for (; filled > 0; next++, filled--, o += 4) put(outIndex, outValue, o, next, 0);
  }
}

// @ts-ignore: decorator
@inline
function valueOf(key: u64): f32 {
  return reinterpret<f32>(<u32>(key >>> 32));
}

/** Up to this k the best so far are kept in order, and most candidates are passed over with one comparison. */
const FEW: i32 = 16;

/**
 * Adds the keys of what may be chosen from row r of the list whose arguments start at `arg`; returns how many there are now.
 * For few they are the k best so far, largest first.
 */
function collectList(args: usize, arg: i32, r: i32, keys: usize, found: i32, k: i32): i32 {
  const ptr = argP(args, arg);
  if (!ptr) return found;
  const index = argP(args, arg + 1),
    value = argP(args, arg + 2),
    counter = argP(args, 10),
    floor = argF(args, 17),
    threshold = argF(args, 18);
  // Once k are kept, the least of them.
  let least = floor;
  if (k <= FEW && found == k) least = valueOf(load<u64>(keys + (<usize>(k - 1) << 3)));
  const to = load<u32>(ptr + (<usize>r << 2), 4);
  for (let e = load<u32>(ptr + (<usize>r << 2)); e < to; e++) {
    const o = <usize>e << 2;
    const v = load<f32>(value + o);
    if (!(v >= least)) continue;
    const latent = load<u32>(index + o);
    if (counter && !(load<f32>(counter + (<usize>latent << 2)) >= threshold)) continue;
    const key = keyOf(v, latent);
    if (k > FEW) {
      store<u64>(keys + (<usize>found << 3), key);
      found++;
      continue;
    }
    if (found == k && key < load<u64>(keys + (<usize>(k - 1) << 3))) continue;
    let j = found < k ? found++ : k - 1;
    for (; j > 0 && load<u64>(keys + (<usize>(j - 1) << 3)) < key; j--) {
      store<u64>(keys + (<usize>j << 3), load<u64>(keys + (<usize>(j - 1) << 3)));
    }
    store<u64>(keys + (<usize>j << 3), key);
    if (found == k) least = valueOf(load<u64>(keys + (<usize>(k - 1) << 3)));
  }
  return found;
}

/** (list, count, among, amongCount, counter, threshold): the latents of a set with counter ≥ threshold, by one thread */
export function keepAtLeast(args: usize, thread: i32, threads: i32): void {
  if (thread) return;
  const list = argP(args, 0),
    among = argP(args, 2),
    size = load<u32>(argP(args, 3)),
    counter = argP(args, 4),
    threshold = argF(args, 5);
  let n: u32 = 0;
  for (let i: u32 = 0; i < size; i++) {
    const latent = load<u32>(among + (<usize>i << 2));
    if (load<f32>(counter + (<usize>latent << 2)) >= threshold) {
      store<u32>(list + (<usize>n << 2), latent);
      n++;
    }
  }
  store<u32>(argP(args, 1), n);
}
