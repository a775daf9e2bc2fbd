/** Exact selection of the k largest. Equal values are told apart by their position: the lowest wins. */

/** Sort key of a positive value: its bits (ordered like the value), then the position, lowest first. */
// @ts-ignore: decorator
@inline
export function keyOf(value: f32, position: u32): u64 {
  return (<u64>reinterpret<u32>(value) << 32) | <u64>~position;
}

/** The k-th largest of n distinct keys, 1 ≤ k ≤ n; reorders them (quickselect, median of three). */
export function kthLargest(keys: usize, n: i32, k: i32): u64 {
  let low = 0,
    high = n - 1;
  const target = k - 1;
  while (low < high) {
    const a = load<u64>(keys + (<usize>low << 3)),
      b = load<u64>(keys + (<usize>((low + high) >>> 1) << 3)),
      c = load<u64>(keys + (<usize>high << 3));
    const pivot = max(min(a, b), min(max(a, b), c));
    let i = low,
      j = high;
    while (i <= j) {
      while (load<u64>(keys + (<usize>i << 3)) > pivot) i++;
      while (load<u64>(keys + (<usize>j << 3)) < pivot) j--;
      if (i > j) break;
      const p = keys + (<usize>i << 3),
        q = keys + (<usize>j << 3);
      const t = load<u64>(p);
      store<u64>(p, load<u64>(q));
      store<u64>(q, t);
      i++;
      j--;
    }
    if (target <= j) high = j;
    else if (target >= i) low = i;
    else break;
  }
  return load<u64>(keys + (<usize>target << 3));
}
