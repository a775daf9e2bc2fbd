/**
 * Encoding through a gate: the best children of active parents. See sparse.ts for the calling convention.
 *
 * A thread takes tiles of rows, one after the other. It sorts a tile's active entries by parent, so that the rows of W of a
 * family are read once per tile; scores go straight to the best of their rows, and nothing grows with the number of children.
 */
import { order, replaceLeast, takeLeast } from './heap';
import { COUNTERS, sortByUpper } from './radix';
import { scoreOne, scoreTwo } from './scores';
import { keyOf } from './select';
import { argF, argI, argP } from './vector';

/**
 * Scratch of this thread for one tile. The best so far of each row [tile, 1 + k]: 8 bytes with their number (u32) and the score
 * below which nothing is chosen any more (f32), then their keys u64, a heap once there are k.
 */
let best: usize = 0;
/** u32 [ahead]: addresses of rows of W. */
let addresses: usize = 0;
/** u32 [block]: the children that are scored together, and f32 [block]: their scores for two rows. */
let list: usize = 0;
let scores: usize = 0;
let otherScores: usize = 0;

/** Blocks of rows of W that are read ahead. */
const AHEAD: usize = 4;

/**
 * (outIndex, outValue, beforeIndex, beforeValue, parentIndex, parentValue, childPtr, children, W, bias, x, rootPtr, rootIndex,
 * rootValue, counter, cursor, scratch, scratchBytes, rows, cols, tile, block, parents, kParents, kBefore, k, first, above, floor,
 * threshold): each row starts with the kBefore entries of `before`; then come, in ascending order of latents, the k largest
 * scores W_c · x_row (+ bias_c) ≥ floor of the children c of its kParents entries with value > above (with a counter: of those
 * with counter_c ≥ threshold) and values ≥ floor of the list of roots (0 = none), filled up with value 0 from latent `first`
 * upwards. Ties: lowest latent.
 */
export function topChildren(args: usize, thread: i32, threads: i32): void {
  const cursor = argP(args, 15),
    scratch = argP(args, 16) + <usize>thread * argP(args, 17),
    rows = argI(args, 18),
    tile = argI(args, 20),
    block = <usize>argI(args, 21) << 2,
    pairBytes = <usize>(tile * argI(args, 23)) << 3;
  const pairs = scratch,
    others = pairs + pairBytes,
    counters = (best = others + pairBytes) + <usize>tile * bestBytes(args);
  addresses = counters + COUNTERS;
  list = addresses + AHEAD * block;
  scores = list + block;
  otherScores = scores + block;
  for (;;) {
    const from = atomic.add<i32>(cursor, tile);
    if (from >= rows) return;
    const n = min(tile, rows - from);
    startRows(args, from, n);
    const open = listOpen(args, from, n, pairs);
    scoreFamilies(args, from, sortByUpper(pairs, others, counters, open, argI(args, 22)), open);
    for (let r = 0; r < n; r++) writeRow(args, from + r, r);
  }
}

/** Bytes of the best of a row. */
// @ts-ignore: decorator
@inline
function bestBytes(args: usize): usize {
  return <usize>(argI(args, 25) + 1) << 3;
}

/** Starts the best of n rows with what the list of roots has for them. */
function startRows(args: usize, from: i32, n: i32): void {
  const ptr = argP(args, 11),
    index = argP(args, 12),
    value = argP(args, 13),
    floor = argF(args, 28);
  for (let r = 0; r < n; r++) {
    store<u32>(best + <usize>r * bestBytes(args), 0);
    store<f32>(best + <usize>r * bestBytes(args), floor, 4);
    if (!ptr) continue;
    const p = ptr + (<usize>(from + r) << 2);
    const e = <usize>load<u32>(p);
    offer(args, r, index + (e << 2), value + (e << 2), <i32>(load<u32>(p, 4) - load<u32>(p)));
  }
}

/** Lists (parent, row of the tile) of the entries that open children; returns how many there are. */
function listOpen(args: usize, from: i32, n: i32, pairs: usize): i32 {
  const index = argP(args, 4),
    value = argP(args, 5),
    childPtr = argP(args, 6),
    k = argI(args, 23),
    above = argF(args, 27);
  let open = 0;
  for (let r = 0; r < n; r++) {
    const o = <usize>((from + r) * k) << 2,
      to = o + (<usize>k << 2);
    for (let e = o; e < to; e += 4) {
      if (!(load<f32>(value + e) > above)) continue;
      const parent = load<u32>(index + e);
      const p = childPtr + (<usize>parent << 2);
      if (load<u32>(p) == load<u32>(p, 4)) continue;
      store<u64>(pairs + (<usize>open << 3), (<u64>parent << 32) | <u64>r);
      open++;
    }
  }
  return open;
}

/** Scores the children of sorted pairs, family by family, in blocks of children that stay in a near cache. */
function scoreFamilies(args: usize, from: i32, pairs: usize, open: i32): void {
  const childPtr = argP(args, 6),
    children = argP(args, 7),
    block = argI(args, 21);
  const pairsEnd = pairs + (<usize>open << 3);
  let ready = pairs;
  while (pairs < pairsEnd) {
    if (pairs >= ready) ready = readAhead(args, pairs, pairsEnd);
    const parent = load<u32>(pairs, 4);
    let end = pairs + 8;
    while (end < pairsEnd && load<u32>(end, 4) == parent) end += 8;
    let c = load<u32>(childPtr + (<usize>parent << 2));
    const last = load<u32>(childPtr + (<usize>parent << 2), 4);
    while (c < last) {
      let n = 0;
      for (; c < last && n < block; c++) {
        const latent = load<u32>(children + (<usize>c << 2));
        if (!competes(args, latent)) continue;
        store<u32>(list + (<usize>n << 2), latent);
        n++;
      }
      scoreBlock(args, from, pairs, end, n);
    }
    pairs = end;
  }
}

/** Whether a child's counter lets it through. */
// @ts-ignore: decorator
@inline
function competes(args: usize, latent: u32): bool {
  const counter = argP(args, 14);
  return !counter || load<f32>(counter + (<usize>latent << 2)) >= argF(args, 29);
}

/**
 * Reads a number of every cache line of the rows of W of the next families, as many as stay in a cache; returns the first pair
 * whose family it left out. Loads that wait for nothing run side by side, so rows that come from memory arrive together instead
 * of one after the other; a first round does so for their pages.
 */
function readAhead(args: usize, pairs: usize, end: usize): usize {
  const childPtr = argP(args, 6),
    children = argP(args, 7),
    weights = argP(args, 8),
    bytes = <usize>argI(args, 19) << 2,
    most = argI(args, 21) * <i32>AHEAD;
  let n = 0,
    sum: u32 = 0;
  for (let before = u32.MAX_VALUE; pairs < end && n < most; pairs += 8) {
    const parent = load<u32>(pairs, 4);
    if (parent == before) continue;
    before = parent;
    const p = childPtr + (<usize>parent << 2);
    const last = min(load<u32>(p, 4), load<u32>(p) + <u32>(most - n));
    for (let c = load<u32>(p); c < last; c++) {
      const latent = load<u32>(children + (<usize>c << 2));
      if (!competes(args, latent)) continue;
      const row = weights + <usize>latent * bytes;
      store<u32>(addresses + (<usize>n << 2), <u32>row);
      sum |= load<u32>(row);
      n++;
    }
  }
  for (let i = 0; i < n; i++) {
    const row = <usize>load<u32>(addresses + (<usize>i << 2));
    for (let o: usize = 64; o < bytes; o += 64) sum |= load<u32>(row + o);
  }
  keepsLoads = sum;
  return pairs;
}

/** Keeps the loads of {@link readAhead}. */
let keepsLoads: u32 = 0;

/** Scores the n listed children for the rows of the pairs, two at a time. */
function scoreBlock(args: usize, from: i32, pairs: usize, end: usize, n: i32): void {
  const weights = argP(args, 8),
    bias = argP(args, 9),
    bytes = <usize>argI(args, 19) << 2,
    inputs = argP(args, 10) + <usize>from * bytes,
    cols = argI(args, 19);
  for (; pairs + 8 < end; pairs += 16) {
    const r = load<i32>(pairs),
      s = load<i32>(pairs, 8);
    const x = inputs + <usize>r * bytes,
      y = inputs + <usize>s * bytes;
    scoreTwo(scores, otherScores, x, y, list, n, weights, bias, cols);
    offer(args, r, list, scores, n);
    offer(args, s, list, otherScores, n);
  }
  if (pairs == end) return;
  const r = load<i32>(pairs);
  scoreOne(scores, inputs + <usize>r * bytes, list, n, weights, bias, cols);
  offer(args, r, list, scores, n);
}

/** Keeps the scores of n latents that are among the k best of row r of the tile so far. */
function offer(args: usize, r: i32, index: usize, value: usize, n: i32): void {
  const k = argI(args, 25),
    row = best + <usize>r * bestBytes(args),
    heap = row + 8,
    end = <usize>n << 2;
  let found = load<i32>(row),
    least = load<f32>(row, 4);
  for (let o: usize = 0; o < end; o += 4) {
    const score = load<f32>(value + o);
    if (!(score >= least)) continue;
    const key = keyOf(score, load<u32>(index + o));
    if (found < k) {
      store<u64>(heap + (<usize>found << 3), key);
      if (++found < k) continue;
      order(heap, k);
    } else if (key > load<u64>(heap)) replaceLeast(heap, k, key);
    least = load<f32>(heap, 4);
  }
  store<i32>(row, found);
  store<f32>(row, least, 4);
}

/** Writes a row of the codes: what was before, then the best of row r of the tile by latent. */
function writeRow(args: usize, row: i32, r: i32): void {
  const outIndex = argP(args, 0),
    outValue = argP(args, 1),
    kBefore = argI(args, 24),
    k = argI(args, 25);
  let o = <usize>(row * (kBefore + k)) << 2;
  if (kBefore) {
    const b = <usize>(row * kBefore) << 2,
      size = <usize>kBefore << 2;
    memory.copy(outIndex + o, argP(args, 2) + b, size);
    memory.copy(outValue + o, argP(args, 3) + b, size);
    o += size;
  }
  const heap = best + <usize>r * bestBytes(args) + 8;
  let n = load<i32>(heap - 8);
  // The same entries, by latent.
  for (let i = 0; i < n; i++) {
    const key = load<u64>(heap + (<usize>i << 3));
    store<u64>(heap + (<usize>i << 3), (<u64>~(<u32>key) << 32) | (key >>> 32));
  }
  order(heap, n);
  let filled = k - n,
    next = <u32>argI(args, 26);
  for (; n > 0; n--, o += 4) {
    const entry = takeLeast(heap, n);
    const latent = <u32>(entry >>> 32);
    for (; filled > 0 && next < latent; next++, filled--, o += 4) put(outIndex, outValue, o, next, 0);
    next = latent + 1;
    put(outIndex, outValue, o, latent, reinterpret<f32>(<u32>entry));
  }
  for (; filled > 0; next++, filled--, o += 4) put(outIndex, outValue, o, next, 0);
}

// @ts-ignore: decorator
@inline
function put(outIndex: usize, outValue: usize, o: usize, latent: u32, score: f32): void {
  store<u32>(outIndex + o, latent);
  store<f32>(outValue + o, score);
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
