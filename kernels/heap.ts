/** The largest keys of a stream: a binary heap of distinct u64 keys with the least on top. */

/** Makes a heap of n keys in any order. */
export function order(heap: usize, n: i32): void {
  for (let i = (n >>> 1) - 1; i >= 0; i--) sink(heap, n, i);
}

/** Replaces the least key. */
// @ts-ignore: decorator
@inline
export function replaceLeast(heap: usize, n: i32, key: u64): void {
  store<u64>(heap, key);
  sink(heap, n, 0);
}

/** Takes the least key out; n − 1 remain. */
export function takeLeast(heap: usize, n: i32): u64 {
  const least = load<u64>(heap);
  replaceLeast(heap, n - 1, load<u64>(heap + (<usize>(n - 1) << 3)));
  return least;
}

/** Moves the key at place i down to where it belongs. */
function sink(heap: usize, n: i32, i: i32): void {
  const key = load<u64>(heap + (<usize>i << 3));
  for (let child = 2 * i + 1; child < n; child = 2 * i + 1) {
    let least = load<u64>(heap + (<usize>child << 3));
    if (child + 1 < n) {
      // Which of both is a coin toss: no branch.
      const other = load<u64>(heap + (<usize>(child + 1) << 3));
      child += <i32>(other < least);
      least = select<u64>(other, least, other < least);
    }
    if (key < least) break;
    store<u64>(heap + (<usize>i << 3), least);
    i = child;
  }
  store<u64>(heap + (<usize>i << 3), key);
}
