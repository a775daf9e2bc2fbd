/** What the synthetic benchmark computes for every row, and how it makes its directions. */

export * from './orthogonalize';

/**
 * out [n] = (threshold − F ε) · inverse: what the own part of each feature's variable has to exceed to fire.
 * F in panels of 16 features, [n / 16][rank][16]; n a multiple of 16
 */
export function ownThresholds(F: usize, epsilon: usize, threshold: usize, inverse: usize, out: usize, n: i32, rank: i32): void {
  const epsilonEnd = epsilon + (<usize>rank << 2);
  for (const end = out + (<usize>n << 2); out < end; out += 64, threshold += 64, inverse += 64) {
    let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
    for (let e = epsilon; e < epsilonEnd; e += 4, F += 64) {
      const x = v128.load32_splat(e);
      s0 = f32x4.add(s0, f32x4.mul(x, v128.load(F)));
      s1 = f32x4.add(s1, f32x4.mul(x, v128.load(F, 16)));
      s2 = f32x4.add(s2, f32x4.mul(x, v128.load(F, 32)));
      s3 = f32x4.add(s3, f32x4.mul(x, v128.load(F, 48)));
    }
    v128.store(out, f32x4.mul(f32x4.sub(v128.load(threshold), s0), v128.load(inverse)));
    v128.store(out, f32x4.mul(f32x4.sub(v128.load(threshold, 16), s1), v128.load(inverse, 16)), 16);
    v128.store(out, f32x4.mul(f32x4.sub(v128.load(threshold, 32), s2), v128.load(inverse, 32)), 32);
    v128.store(out, f32x4.mul(f32x4.sub(v128.load(threshold, 48), s3), v128.load(inverse, 48)), 48);
  }
}

/** Places of the values [n] below a limit, ascending, to out; returns their number. n a multiple of 16 */
export function placesBelow(values: usize, n: i32, limit: f32, out: usize): i32 {
  const t = f32x4.splat(limit);
  let found: usize = 0;
  for (let i = 0; i < n; i += 16) {
    const at = values + (<usize>i << 2);
    let mask =
      i32x4.bitmask(f32x4.lt(v128.load(at), t)) |
      (i32x4.bitmask(f32x4.lt(v128.load(at, 16), t)) << 4) |
      (i32x4.bitmask(f32x4.lt(v128.load(at, 32), t)) << 8) |
      (i32x4.bitmask(f32x4.lt(v128.load(at, 48), t)) << 12);
    for (; mask; mask &= mask - 1, found++) store<i32>(out + (found << 2), i + ctz(mask));
  }
  return <i32>found;
}

/** out [d] = start [d] + Σ_e value[e] · rows[index[e]] over `count` entries; rows [·, d] */
export function weightedRows(rows: usize, index: usize, value: usize, count: i32, start: usize, out: usize, d: i32): void {
  memory.copy(out, start, <usize>d << 2);
  const whole = <usize>(d & ~3) << 2;
  const bytes = <usize>d << 2;
  let e = 0;
  for (; e + 4 <= count; e += 4, index += 16, value += 16) {
    const r0 = rows + <usize>load<u32>(index) * bytes, r1 = rows + <usize>load<u32>(index, 4) * bytes;
    const r2 = rows + <usize>load<u32>(index, 8) * bytes, r3 = rows + <usize>load<u32>(index, 12) * bytes;
    const v0 = v128.load32_splat(value), v1 = v128.load32_splat(value, 4);
    const v2 = v128.load32_splat(value, 8), v3 = v128.load32_splat(value, 12);
    for (let k: usize = 0; k < whole; k += 16) {
      const front = f32x4.add(f32x4.mul(v0, v128.load(r0 + k)), f32x4.mul(v1, v128.load(r1 + k)));
      const back = f32x4.add(f32x4.mul(v2, v128.load(r2 + k)), f32x4.mul(v3, v128.load(r3 + k)));
      v128.store(out + k, f32x4.add(v128.load(out + k), f32x4.add(front, back)));
    }
    for (let k = whole; k < bytes; k += 4) {
      let sum = load<f32>(out + k);
      for (let q: usize = 0; q < 16; q += 4)
        sum += load<f32>(value + q) * load<f32>(rows + <usize>load<u32>(index + q) * bytes + k);
      store<f32>(out + k, sum);
    }
  }
  for (; e < count; e++, index += 4, value += 4) {
    const row = rows + <usize>load<u32>(index) * bytes;
    const v = load<f32>(value);
    for (let k: usize = 0; k < bytes; k += 4) store<f32>(out + k, load<f32>(out + k) + v * load<f32>(row + k));
  }
}
