/** The sums over rows that a logistic regression repeats, in float64. Rows x [n, d]; d is a multiple of 4, padded with zeros. */

/** out [n] = x w + intercept */
export function logits(x: usize, n: i32, d: i32, w: usize, intercept: f64, out: usize): void {
  const bytes = <usize>d << 3;
  for (let i = 0; i < n; i++, x += bytes, out += 8) {
    let s0 = f64x2.splat(0), s1 = s0;
    for (let k: usize = 0; k < bytes; k += 32) {
      s0 = f64x2.add(s0, f64x2.mul(v128.load(x + k), v128.load(w + k)));
      s1 = f64x2.add(s1, f64x2.mul(v128.load(x + k, 16), v128.load(w + k, 16)));
    }
    const s = f64x2.add(s0, s1);
    store<f64>(out, f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1) + intercept);
  }
}

/** to [d] += Σ_i factor[i] · x[i]; n a multiple of 4 */
export function addRows(x: usize, n: i32, d: i32, factor: usize, to: usize): void {
  const bytes = <usize>d << 3;
  for (let i = 0; i < n; i += 4, x += bytes << 2, factor += 32) {
    const f0 = v128.load64_splat(factor), f1 = v128.load64_splat(factor, 8);
    const f2 = v128.load64_splat(factor, 16), f3 = v128.load64_splat(factor, 24);
    const x1 = x + bytes, x2 = x1 + bytes, x3 = x2 + bytes;
    for (let k: usize = 0; k < bytes; k += 16) {
      const front = f64x2.add(f64x2.mul(f0, v128.load(x + k)), f64x2.mul(f1, v128.load(x1 + k)));
      const back = f64x2.add(f64x2.mul(f2, v128.load(x2 + k)), f64x2.mul(f3, v128.load(x3 + k)));
      v128.store(to + k, f64x2.add(v128.load(to + k), f64x2.add(front, back)));
    }
  }
}
