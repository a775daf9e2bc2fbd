/** Selection over a whole batch, and scalars of selections. See sparse.ts for the calling convention. */
import { keyOf, kthLargest } from './select';
import { argI, argP, share } from './vector';

/** (least u32[2], keys, value, rowPtr, rows, total): key of the total-th largest entry, 0 if there are no more; by one thread */
export function batchLeast(args: usize, thread: i32, threads: i32): void {
  if (thread) return;
  const least = argP(args, 0),
    keys = argP(args, 1),
    value = argP(args, 2),
    entries = <i32>load<u32>(argP(args, 3) + ((<usize>argI(args, 4)) << 2)),
    total = argI(args, 5);
  if (entries <= total) {
    store<u64>(least, 0);
    return;
  }
  for (let e = 0; e < entries; e++)
    store<u64>(keys + ((<usize>e) << 3), keyOf(load<f32>(value + ((<usize>e) << 2)), <u32>e));
  store<u64>(least, kthLargest(keys, entries, total));
}

/** (counts, least, rowPtr, value, rows): counts[r + 1] = entries of row r with a key ≥ least, counts[0] = 0 */
export function countBatchTop(args: usize, thread: i32, threads: i32): void {
  const counts = argP(args, 0),
    least = load<u64>(argP(args, 1)),
    rowPtr = argP(args, 2),
    value = argP(args, 3),
    rows = argI(args, 4);
  if (thread == 0) store<u32>(counts, 0);
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const row = (<usize>r) << 2;
    const to = load<u32>(rowPtr + row, 4);
    let count: u32 = 0;
    for (let e = load<u32>(rowPtr + row); e < to; e++)
      if (keyOf(load<f32>(value + ((<usize>e) << 2)), e) >= least) count++;
    store<u32>(counts + row, count, 4);
  }
}

/** (outIndex, outValue, outRowPtr, least, rowPtr, index, value, rows): the entries that were counted */
export function placeBatchTop(args: usize, thread: i32, threads: i32): void {
  const outIndex = argP(args, 0),
    outValue = argP(args, 1),
    outRowPtr = argP(args, 2),
    least = load<u64>(argP(args, 3)),
    rowPtr = argP(args, 4),
    index = argP(args, 5),
    value = argP(args, 6),
    rows = argI(args, 7);
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const row = (<usize>r) << 2;
    const to = load<u32>(rowPtr + row, 4);
    let at = (<usize>load<u32>(outRowPtr + row)) << 2;
    for (let e = load<u32>(rowPtr + row); e < to; e++) {
      const o = (<usize>e) << 2;
      if (keyOf(load<f32>(value + o), e) < least) continue;
      store<u32>(outIndex + at, load<u32>(index + o));
      store<f32>(outValue + at, load<f32>(value + o));
      at += 4;
    }
  }
}

/** (out f64[1], values f64, n): smallest positive value, 0 if there is none; by one thread */
export function leastPositive(args: usize, thread: i32, threads: i32): void {
  if (thread) return;
  const values = argP(args, 1),
    n = argI(args, 2);
  let least = Infinity;
  for (let i = 0; i < n; i++) {
    const v = load<f64>(values + ((<usize>i) << 3));
    if (v > 0 && v < least) least = v;
  }
  store<f64>(argP(args, 0), least == Infinity ? 0 : least);
}

/** (out f64[1], count u32[1]): the count as a scalar; by one thread */
export function setSize(args: usize, thread: i32, threads: i32): void {
  if (thread == 0) store<f64>(argP(args, 0), <f64>load<u32>(argP(args, 1)));
}
