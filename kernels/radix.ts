/** Sorting of pairs by their upper half. */

const BITS: u32 = 11;
const MASK: u32 = (1 << BITS) - 1;

/** Bytes of the counters of {@link sortByUpper}. */
export const COUNTERS: usize = 4 << BITS;

/**
 * Stable radix sort of n u64 by their upper 32 bits, which are < limit. `other` is as large as `pairs`; returns which of both
 * holds the result.
 */
export function sortByUpper(pairs: usize, other: usize, counters: usize, n: i32, limit: u32): usize {
  const bytes = <usize>n << 3;
  for (let shift: u32 = 0; (limit - 1) >>> shift; shift += BITS) {
    memory.fill(counters, 0, COUNTERS);
    for (let o: usize = 0; o < bytes; o += 8) {
      const c = counters + (<usize>((load<u32>(pairs + o, 4) >>> shift) & MASK) << 2);
      store<u32>(c, load<u32>(c) + 1);
    }
    let before: u32 = 0;
    for (let o: usize = 0; o < COUNTERS; o += 4) {
      const count = load<u32>(counters + o);
      store<u32>(counters + o, before);
      before += count;
    }
    for (let o: usize = 0; o < bytes; o += 8) {
      const pair = load<u64>(pairs + o);
      const c = counters + (<usize>((<u32>(pair >>> 32) >>> shift) & MASK) << 2);
      const at = load<u32>(c);
      store<u32>(c, at + 1);
      store<u64>(other + (<usize>at << 3), pair);
    }
    const sorted = other;
    other = pairs;
    pairs = sorted;
    if (shift + BITS >= 32) break;
  }
  return pairs;
}
