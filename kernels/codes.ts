/** Kernels over CSR codes alone: sorting entries by latent, selecting, sums, bookkeeping. See sparse.ts for the calling convention. */
import { keyOf, kthLargest } from './select';
import { argF, argI, argP, share } from './vector';

/** (counts, index, rowPtr, rows, width): counts[latent + 1] = entries of each latent, counts[0] = 0; each thread counts its own latents */
export function countLatents(args: usize, thread: i32, threads: i32): void {
  const counts = argP(args, 0),
    index = argP(args, 1),
    entries = load<u32>(argP(args, 2) + ((<usize>argI(args, 3)) << 2)),
    width = argI(args, 4);
  const first = <u32>share(width, thread, threads),
    size = <u32>share(width, thread + 1, threads) - first;
  memory.fill(counts + 4 + ((<usize>first) << 2), 0, (<usize>size) << 2);
  if (thread == 0) store<u32>(counts, 0);
  for (let e: u32 = 0; e < entries; e++) {
    const latent = load<u32>(index + ((<usize>e) << 2));
    if (latent - first < size) {
      const c = counts + 4 + ((<usize>latent) << 2);
      store<u32>(c, load<u32>(c) + 1);
    }
  }
}

/** (counts, n): running sum in place, by one thread */
export function prefixSum(args: usize, thread: i32, threads: i32): void {
  if (thread) return;
  const counts = argP(args, 0),
    n = argI(args, 1);
  let sum: u32 = 0;
  for (let i = 0; i < n; i++) {
    sum += load<u32>(counts + ((<usize>i) << 2));
    store<u32>(counts + ((<usize>i) << 2), sum);
  }
}

/** (latentPtr, cursor, entryOf, rowOf, index, rowPtr, rows, width): stable counting sort of the entries by latent */
export function placeEntries(args: usize, thread: i32, threads: i32): void {
  const latentPtr = argP(args, 0),
    cursor = argP(args, 1),
    entryOf = argP(args, 2),
    rowOf = argP(args, 3),
    index = argP(args, 4),
    rowPtr = argP(args, 5),
    rows = argI(args, 6),
    width = argI(args, 7);
  const first = <u32>share(width, thread, threads),
    size = <u32>share(width, thread + 1, threads) - first;
  memory.copy(cursor + ((<usize>first) << 2), latentPtr + ((<usize>first) << 2), (<usize>size) << 2);
  let e = load<u32>(rowPtr);
  for (let r = 0; r < rows; r++) {
    const to = load<u32>(rowPtr + ((<usize>r) << 2), 4);
    for (; e < to; e++) {
      const latent = load<u32>(index + ((<usize>e) << 2));
      if (latent - first < size) {
        const c = cursor + ((<usize>latent) << 2);
        const at = load<u32>(c);
        store<u32>(c, at + 1);
        store<u32>(entryOf + ((<usize>at) << 2), e);
        store<u32>(rowOf + ((<usize>at) << 2), <u32>r);
      }
    }
  }
}

/** (rowSums f64, rowPtr, value, rows): rowSums_r = Σ_e |value_e| */
export function absoluteRowSums(args: usize, thread: i32, threads: i32): void {
  const rowSums = argP(args, 0),
    rowPtr = argP(args, 1),
    value = argP(args, 2),
    rows = argI(args, 3);
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    let sum: f64 = 0;
    const to = load<u32>(rowPtr + ((<usize>r) << 2), 4);
    for (let e = load<u32>(rowPtr + ((<usize>r) << 2)); e < to; e++)
      sum += <f64>abs(load<f32>(value + ((<usize>e) << 2)));
    store<f64>(rowSums + ((<usize>r) << 3), sum);
  }
}

/** (dValue, accumulate, rowPtr, value, rows, scale): dValue_e (+)= scale · sign(value_e) */
export function absoluteGradient(args: usize, thread: i32, threads: i32): void {
  const dValue = argP(args, 0),
    accumulate = argI(args, 1),
    rowPtr = argP(args, 2),
    value = argP(args, 3),
    rows = argI(args, 4),
    scale = argF(args, 5);
  const entries = load<u32>(rowPtr + ((<usize>rows) << 2));
  const end = <u32>share(<i32>entries, thread + 1, threads);
  for (let e = <u32>share(<i32>entries, thread, threads); e < end; e++) {
    const o = (<usize>e) << 2;
    const v = load<f32>(value + o);
    const d: f32 = v > 0 ? scale : v < 0 ? -scale : 0;
    store<f32>(dValue + o, accumulate ? load<f32>(dValue + o) + d : d);
  }
}

/** (out, source, position, entries): out[position_e] += source_e where position_e ≥ 0; positions are distinct */
export function scatterAdd(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    source = argP(args, 1),
    position = argP(args, 2),
    entries = argI(args, 3);
  const end = share(entries, thread + 1, threads);
  for (let e = share(entries, thread, threads); e < end; e++) {
    const at = load<i32>(position + ((<usize>e) << 2));
    if (at < 0) continue;
    const o = out + ((<usize>at) << 2);
    store<f32>(o, load<f32>(o) + load<f32>(source + ((<usize>e) << 2)));
  }
}

/**
 * (outIndex, outValue, outPosition, rowPtr, index, value, rows, k, scratch, scratchBytes): of each row's positive entries the
 * k largest (ties: lowest latent), in ascending order of latents, filled up with value 0 from latent 0 upwards
 */
export function topOfCodes(args: usize, thread: i32, threads: i32): void {
  const outIndex = argP(args, 0),
    outValue = argP(args, 1),
    outPosition = argP(args, 2),
    rowPtr = argP(args, 3),
    index = argP(args, 4),
    value = argP(args, 5),
    rows = argI(args, 6),
    k = argI(args, 7),
    scratch = argP(args, 8) + <usize>thread * argP(args, 9);
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const from = load<u32>(rowPtr + ((<usize>r) << 2)),
      to = load<u32>(rowPtr + ((<usize>r) << 2), 4);
    for (let e = from; e < to; e++) {
      store<u64>(scratch + ((<usize>(e - from)) << 3), keyOf(load<f32>(value + ((<usize>e) << 2)), e - from));
    }
    const found = <i32>(to - from);
    const least = found > k ? kthLargest(scratch, found, k) : 0;
    const first = (<usize>(r * k)) << 2;
    let filled = found < k ? k - found : 0,
      next: u32 = 0,
      n: usize = first;
    for (let e = from; e < to; e++) {
      const o = (<usize>e) << 2;
      if (keyOf(load<f32>(value + o), e - from) < least) continue;
      const latent = load<u32>(index + o);
      for (; filled > 0 && next < latent; next++, filled--, n += 4) {
        store<u32>(outIndex + n, next);
        store<f32>(outValue + n, 0);
        store<i32>(outPosition + n, -1);
      }
      next = latent + 1;
      store<u32>(outIndex + n, latent);
      store<f32>(outValue + n, load<f32>(value + o));
      store<i32>(outPosition + n, <i32>e);
      n += 4;
    }
    for (; filled > 0; next++, filled--, n += 4) {
      store<u32>(outIndex + n, next);
      store<f32>(outValue + n, 0);
      store<i32>(outPosition + n, -1);
    }
  }
}

/** (rowMin f64, rowPtr, value, rows): smallest positive value of each row, 0 if there is none */
export function smallestPositive(args: usize, thread: i32, threads: i32): void {
  const rowMin = argP(args, 0),
    rowPtr = argP(args, 1),
    value = argP(args, 2),
    rows = argI(args, 3);
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    let smallest: f32 = f32.MAX_VALUE;
    const to = load<u32>(rowPtr + ((<usize>r) << 2), 4);
    for (let e = load<u32>(rowPtr + ((<usize>r) << 2)); e < to; e++) {
      const v = load<f32>(value + ((<usize>e) << 2));
      if (v > 0 && v < smallest) smallest = v;
    }
    store<f64>(rowMin + ((<usize>r) << 3), smallest == f32.MAX_VALUE ? 0 : <f64>smallest);
  }
}

/**
 * (counter, latentPtr, entryOf, value, width, increment, above): counter_i += increment, then 0 where latent i has an entry with
 * value > above
 */
export function countSinceFired(args: usize, thread: i32, threads: i32): void {
  const counter = argP(args, 0),
    latentPtr = argP(args, 1),
    entryOf = argP(args, 2),
    value = argP(args, 3),
    width = argI(args, 4),
    increment = argF(args, 5),
    above = argF(args, 6);
  const end = share(width, thread + 1, threads);
  for (let i = share(width, thread, threads); i < end; i++) {
    const o = (<usize>i) << 2;
    const to = load<u32>(latentPtr + o, 4);
    let s = load<u32>(latentPtr + o);
    while (s < to && !(load<f32>(value + (<usize>load<u32>(entryOf + (<usize>s << 2)) << 2)) > above)) s++;
    store<f32>(counter + o, s < to ? 0 : load<f32>(counter + o) + increment);
  }
}

/** (list, count, counter, width, threshold): the latents with counter ≥ threshold in ascending order, by one thread */
export function listAtLeast(args: usize, thread: i32, threads: i32): void {
  if (thread) return;
  const list = argP(args, 0),
    count = argP(args, 1),
    counter = argP(args, 2),
    width = argI(args, 3),
    threshold = argF(args, 4);
  let n: u32 = 0;
  for (let i = 0; i < width; i++) {
    if (load<f32>(counter + ((<usize>i) << 2)) < threshold) continue;
    store<u32>(list + ((<usize>n) << 2), <u32>i);
    n++;
  }
  store<u32>(count, n);
}
