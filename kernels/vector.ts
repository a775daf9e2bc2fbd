/** SIMD loops over rows of float32; every function handles lengths that are no multiple of 4. */

/** Sum of the four lanes in double precision. */
// @ts-ignore: decorator
@inline
export function lanes(v: v128): f64 {
  return (
    <f64>f32x4.extract_lane(v, 0) +
    <f64>f32x4.extract_lane(v, 1) +
    <f64>f32x4.extract_lane(v, 2) +
    <f64>f32x4.extract_lane(v, 3)
  );
}

/** a · b over n floats. */
export function dot(a: usize, b: usize, n: i32): f32 {
  let s0 = f32x4.splat(0),
    s1 = f32x4.splat(0),
    s2 = f32x4.splat(0),
    s3 = f32x4.splat(0);
  let i = 0;
  for (; i + 16 <= n; i += 16) {
    const o = <usize>i << 2;
    s0 = f32x4.add(s0, f32x4.mul(v128.load(a + o), v128.load(b + o)));
    s1 = f32x4.add(s1, f32x4.mul(v128.load(a + o, 16), v128.load(b + o, 16)));
    s2 = f32x4.add(s2, f32x4.mul(v128.load(a + o, 32), v128.load(b + o, 32)));
    s3 = f32x4.add(s3, f32x4.mul(v128.load(a + o, 48), v128.load(b + o, 48)));
  }
  let sum = <f32>lanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
  for (; i < n; i++) sum += load<f32>(a + (<usize>i << 2)) * load<f32>(b + (<usize>i << 2));
  return sum;
}

/** a · b over n floats, accumulated in double precision (norms and projections). */
export function dot64(a: usize, b: usize, n: i32): f64 {
  let s0 = f64x2.splat(0),
    s1 = f64x2.splat(0);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const o = <usize>i << 2;
    const x = v128.load(a + o),
      y = v128.load(b + o);
    s0 = f64x2.add(s0, f64x2.mul(f64x2.promote_low_f32x4(x), f64x2.promote_low_f32x4(y)));
    const xh = i8x16.shuffle(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
    const yh = i8x16.shuffle(y, y, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
    s1 = f64x2.add(s1, f64x2.mul(f64x2.promote_low_f32x4(xh), f64x2.promote_low_f32x4(yh)));
  }
  const s = f64x2.add(s0, s1);
  let sum = f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
  for (; i < n; i++) sum += <f64>load<f32>(a + (<usize>i << 2)) * <f64>load<f32>(b + (<usize>i << 2));
  return sum;
}

/** out += s · a over n floats. */
export function axpy(out: usize, s: f32, a: usize, n: i32): void {
  const sv = f32x4.splat(s);
  let i = 0;
  for (; i + 8 <= n; i += 8) {
    const o = <usize>i << 2;
    v128.store(out + o, f32x4.add(v128.load(out + o), f32x4.mul(sv, v128.load(a + o))));
    v128.store(out + o, f32x4.add(v128.load(out + o, 16), f32x4.mul(sv, v128.load(a + o, 16))), 16);
  }
  for (; i < n; i++) {
    const o = <usize>i << 2;
    store<f32>(out + o, load<f32>(out + o) + s * load<f32>(a + o));
  }
}

/** out += s0·a0 + s1·a1 + s2·a2 + s3·a3: one load and store of `out` for four rows. */
export function axpy4(
  out: usize,
  s0: f32,
  a0: usize,
  s1: f32,
  a1: usize,
  s2: f32,
  a2: usize,
  s3: f32,
  a3: usize,
  n: i32,
): void {
  const v0 = f32x4.splat(s0),
    v1 = f32x4.splat(s1),
    v2 = f32x4.splat(s2),
    v3 = f32x4.splat(s3);
  let i = 0;
  for (; i + 8 <= n; i += 8) {
    const o = <usize>i << 2;
    const p0 = f32x4.add(f32x4.mul(v0, v128.load(a0 + o)), f32x4.mul(v1, v128.load(a1 + o)));
    const q0 = f32x4.add(f32x4.mul(v2, v128.load(a2 + o)), f32x4.mul(v3, v128.load(a3 + o)));
    const p1 = f32x4.add(f32x4.mul(v0, v128.load(a0 + o, 16)), f32x4.mul(v1, v128.load(a1 + o, 16)));
    const q1 = f32x4.add(f32x4.mul(v2, v128.load(a2 + o, 16)), f32x4.mul(v3, v128.load(a3 + o, 16)));
    v128.store(out + o, f32x4.add(v128.load(out + o), f32x4.add(p0, q0)));
    v128.store(out + o, f32x4.add(v128.load(out + o, 16), f32x4.add(p1, q1)), 16);
  }
  for (; i < n; i++) {
    const o = <usize>i << 2;
    const p = s0 * load<f32>(a0 + o) + s1 * load<f32>(a1 + o);
    const q = s2 * load<f32>(a2 + o) + s3 * load<f32>(a3 + o);
    store<f32>(out + o, load<f32>(out + o) + (p + q));
  }
}

/** out = s · a over n floats. */
export function scaleTo(out: usize, s: f32, a: usize, n: i32): void {
  const sv = f32x4.splat(s);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const o = <usize>i << 2;
    v128.store(out + o, f32x4.mul(sv, v128.load(a + o)));
  }
  for (; i < n; i++) store<f32>(out + (<usize>i << 2), s * load<f32>(a + (<usize>i << 2)));
}

/** First item of this thread when `n` items are shared in contiguous ranges; `threads` gives the end of the last one. */
// @ts-ignore: decorator
@inline
export function share(n: i32, thread: i32, threads: i32): i32 {
  return <i32>((<i64>n * <i64>thread) / <i64>threads);
}

/** Argument `i` of a command as an integer or address. */
// @ts-ignore: decorator
@inline
export function argI(args: usize, i: i32): i32 {
  return load<i32>(args + (<usize>i << 2));
}

/** Argument `i` of a command as an address. */
// @ts-ignore: decorator
@inline
export function argP(args: usize, i: i32): usize {
  return <usize>load<u32>(args + (<usize>i << 2));
}

/** Argument `i` of a command as a float. */
// @ts-ignore: decorator
@inline
export function argF(args: usize, i: i32): f32 {
  return load<f32>(args + (<usize>i << 2));
}
