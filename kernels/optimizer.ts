/** The update of parameters. See sparse.ts for the calling convention. */
import { argF, argI, argP, axpy, dot64, scaleTo, share } from './vector';

/**
 * (gradient, squares f64, weights, rows, cols, epsilon, raw): gradient_r −= (gradient_r · u) u with u = weights_r / (‖weights_r‖ + epsilon),
 * or weights_r as it is where raw is 1; squares_r = ‖gradient_r‖² afterwards
 */
export function projectRows(args: usize, thread: i32, threads: i32): void {
  const gradient = argP(args, 0),
    squares = argP(args, 1),
    weights = argP(args, 2),
    rows = argI(args, 3),
    cols = argI(args, 4),
    epsilon = <f64>argF(args, 5),
    raw = argI(args, 6);
  const bytes = (<usize>cols) << 2;
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const g = gradient + <usize>r * bytes,
      w = weights + <usize>r * bytes;
    const norm = raw ? 1 : sqrt(dot64(w, w, cols)) + epsilon;
    if (norm > 0) axpy(g, <f32>(-dot64(g, w, cols) / (norm * norm)), w, cols);
    store<f64>(squares + ((<usize>r) << 3), dot64(g, g, cols));
  }
}

/** (weights, rows, cols, epsilon): weights_r /= ‖weights_r‖ + epsilon; rows of zeros stay */
export function normalizeRows(args: usize, thread: i32, threads: i32): void {
  const weights = argP(args, 0),
    rows = argI(args, 1),
    cols = argI(args, 2),
    epsilon = <f64>argF(args, 3);
  const bytes = (<usize>cols) << 2;
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const w = weights + <usize>r * bytes;
    const norm = sqrt(dot64(w, w, cols)) + epsilon;
    if (norm > 0) scaleTo(w, <f32>(1 / norm), w, cols);
  }
}

/**
 * (dW, accumulate, dU, W, rows, cols, epsilon): gradient through u_r = W_r / (‖W_r‖ + epsilon):
 * dW_r (+)= dU_r / (n + ε) − W_r (W_r · dU_r) / (n (n + ε)²), n = ‖W_r‖
 */
export function normalizeRowsGradient(args: usize, thread: i32, threads: i32): void {
  const dW = argP(args, 0),
    accumulate = argI(args, 1),
    dU = argP(args, 2),
    weights = argP(args, 3),
    rows = argI(args, 4),
    cols = argI(args, 5),
    epsilon = <f64>argF(args, 6);
  const bytes = (<usize>cols) << 2;
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const o = <usize>r * bytes;
    const n = sqrt(dot64(weights + o, weights + o, cols));
    if (!accumulate) memory.fill(dW + o, 0, bytes);
    if (n == 0) continue;
    const full = n + epsilon;
    axpy(dW + o, <f32>(1 / full), dU + o, cols);
    axpy(dW + o, <f32>(-dot64(weights + o, dU + o, cols) / (n * full * full)), weights + o, cols);
  }
}

/**
 * (parameter, gradient, m, v, rows, cols, gradientScale, beta1, 1−beta1, beta2, 1−beta2, stepSize, 1/√correction2, epsilon, decay,
 * coupled, unit, unitEpsilon): g = gradientScale·gradient + coupled·p; m = β1 m + (1−β1) g; v = β2 v + (1−β2) g²; p = decay·p − stepSize · m / (√v/√correction2 + ε);
 * then, if unit is 1, p_r /= ‖p_r‖ + unitEpsilon while the row is still at hand
 */
export function adam(args: usize, thread: i32, threads: i32): void {
  const rows = argI(args, 4),
    cols = argI(args, 5),
    unit = argI(args, 16),
    unitEpsilon = <f64>argF(args, 17);
  const bytes = (<usize>cols) << 2;
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const o = <usize>r * bytes;
    const p = argP(args, 0) + o;
    adamRow(args, p, argP(args, 1) + o, argP(args, 2) + o, argP(args, 3) + o, bytes);
    if (!unit) continue;
    const norm = sqrt(dot64(p, p, cols)) + unitEpsilon;
    if (norm > 0) scaleTo(p, <f32>(1 / norm), p, cols);
  }
}

function adamRow(args: usize, p: usize, g: usize, m: usize, v: usize, bytes: usize): void {
  const gradientScale = argF(args, 6),
    beta1 = argF(args, 7),
    rest1 = argF(args, 8),
    beta2 = argF(args, 9),
    rest2 = argF(args, 10),
    stepSize = argF(args, 11),
    correction = argF(args, 12),
    epsilon = argF(args, 13),
    decay = argF(args, 14),
    coupled = argF(args, 15);
  let i: usize = 0;
  const sv = f32x4.splat(gradientScale),
    b1 = f32x4.splat(beta1),
    r1 = f32x4.splat(rest1),
    b2 = f32x4.splat(beta2),
    r2 = f32x4.splat(rest2),
    step = f32x4.splat(stepSize),
    cor = f32x4.splat(correction),
    eps = f32x4.splat(epsilon),
    dec = f32x4.splat(decay),
    cpl = f32x4.splat(coupled);
  for (; i + 16 <= bytes; i += 16) {
    const pi = v128.load(p + i);
    const gi = f32x4.add(f32x4.mul(sv, v128.load(g + i)), f32x4.mul(cpl, pi));
    const mi = f32x4.add(f32x4.mul(b1, v128.load(m + i)), f32x4.mul(r1, gi));
    const vi = f32x4.add(f32x4.mul(b2, v128.load(v + i)), f32x4.mul(r2, f32x4.mul(gi, gi)));
    v128.store(m + i, mi);
    v128.store(v + i, vi);
    const update = f32x4.div(f32x4.mul(step, mi), f32x4.add(f32x4.mul(f32x4.sqrt(vi), cor), eps));
    v128.store(p + i, f32x4.sub(f32x4.mul(dec, pi), update));
  }
  for (; i < bytes; i += 4) {
    const pi = load<f32>(p + i);
    const gi = gradientScale * load<f32>(g + i) + coupled * pi;
    const mi = beta1 * load<f32>(m + i) + rest1 * gi;
    const vi = beta2 * load<f32>(v + i) + rest2 * (gi * gi);
    store<f32>(m + i, mi);
    store<f32>(v + i, vi);
    store<f32>(p + i, decay * pi - (stepSize * mi) / (sqrt(vi) * correction + epsilon));
  }
}
