/**
 * Scores W_i · x (+ bias_i) of listed latents i. Every score is one sum in the same order, whatever it is computed beside: how
 * the work is shared does not show.
 */
import { lanes } from './vector';

/** Scores of n listed latents for two inputs. */
export function scoreTwo(
  out0: usize,
  out1: usize,
  x0: usize,
  x1: usize,
  list: usize,
  n: i32,
  weights: usize,
  bias: usize,
  cols: i32,
): void {
  const bytes = <usize>cols << 2,
    whole = bytes & ~15;
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const w0 = rowOf(list, i, weights, bytes),
      w1 = rowOf(list, i + 1, weights, bytes),
      w2 = rowOf(list, i + 2, weights, bytes),
      w3 = rowOf(list, i + 3, weights, bytes);
    let a0 = f32x4.splat(0),
      a1 = f32x4.splat(0),
      a2 = f32x4.splat(0),
      a3 = f32x4.splat(0),
      b0 = f32x4.splat(0),
      b1 = f32x4.splat(0),
      b2 = f32x4.splat(0),
      b3 = f32x4.splat(0);
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
    finish(out0, a0, x0, w0, list, i, bias, bytes);
    finish(out0, a1, x0, w1, list, i + 1, bias, bytes);
    finish(out0, a2, x0, w2, list, i + 2, bias, bytes);
    finish(out0, a3, x0, w3, list, i + 3, bias, bytes);
    finish(out1, b0, x1, w0, list, i, bias, bytes);
    finish(out1, b1, x1, w1, list, i + 1, bias, bytes);
    finish(out1, b2, x1, w2, list, i + 2, bias, bytes);
    finish(out1, b3, x1, w3, list, i + 3, bias, bytes);
  }
  for (; i < n; i++) {
    const w = rowOf(list, i, weights, bytes);
    let a = f32x4.splat(0),
      b = f32x4.splat(0);
    for (let o: usize = 0; o < whole; o += 16) {
      const u = v128.load(w + o);
      a = f32x4.add(a, f32x4.mul(v128.load(x0 + o), u));
      b = f32x4.add(b, f32x4.mul(v128.load(x1 + o), u));
    }
    finish(out0, a, x0, w, list, i, bias, bytes);
    finish(out1, b, x1, w, list, i, bias, bytes);
  }
}

/** Scores of n listed latents for one input. */
export function scoreOne(out: usize, x: usize, list: usize, n: i32, weights: usize, bias: usize, cols: i32): void {
  const bytes = <usize>cols << 2,
    whole = bytes & ~15;
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const w0 = rowOf(list, i, weights, bytes),
      w1 = rowOf(list, i + 1, weights, bytes),
      w2 = rowOf(list, i + 2, weights, bytes),
      w3 = rowOf(list, i + 3, weights, bytes);
    let a0 = f32x4.splat(0),
      a1 = f32x4.splat(0),
      a2 = f32x4.splat(0),
      a3 = f32x4.splat(0);
    for (let o: usize = 0; o < whole; o += 16) {
      const u = v128.load(x + o);
      a0 = f32x4.add(a0, f32x4.mul(u, v128.load(w0 + o)));
      a1 = f32x4.add(a1, f32x4.mul(u, v128.load(w1 + o)));
      a2 = f32x4.add(a2, f32x4.mul(u, v128.load(w2 + o)));
      a3 = f32x4.add(a3, f32x4.mul(u, v128.load(w3 + o)));
    }
    finish(out, a0, x, w0, list, i, bias, bytes);
    finish(out, a1, x, w1, list, i + 1, bias, bytes);
    finish(out, a2, x, w2, list, i + 2, bias, bytes);
    finish(out, a3, x, w3, list, i + 3, bias, bytes);
  }
  for (; i < n; i++) {
    const w = rowOf(list, i, weights, bytes);
    let a = f32x4.splat(0);
    for (let o: usize = 0; o < whole; o += 16) a = f32x4.add(a, f32x4.mul(v128.load(x + o), v128.load(w + o)));
    finish(out, a, x, w, list, i, bias, bytes);
  }
}

/** Row of the i-th listed latent. */
// @ts-ignore: decorator
@inline
function rowOf(list: usize, i: i32, weights: usize, bytes: usize): usize {
  return weights + <usize>load<u32>(list + (<usize>i << 2)) * bytes;
}

/** Stores the i-th score: the lanes of its sum, the columns behind the last whole vector, the bias. */
// @ts-ignore: decorator
@inline
function finish(out: usize, s: v128, x: usize, w: usize, list: usize, i: i32, bias: usize, bytes: usize): void {
  const at = <usize>i << 2;
  let sum = <f32>lanes(s);
  for (let o = bytes & ~15; o < bytes; o += 4) sum += load<f32>(x + o) * load<f32>(w + o);
  if (bias) sum += load<f32>(bias + (<usize>load<u32>(list + at) << 2));
  store<f32>(out + at, sum);
}
