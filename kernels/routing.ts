/** Routing each row to one expert. See sparse.ts for the calling convention. */
import { argI, argP, share } from './vector';

/**
 * (p, index, value, chosen, logits, rows, n): p_r = softmax of logits_r, index_r = its largest entry (ties: the lowest) with value 1,
 * chosen_r = p of that entry
 */
export function route(args: usize, thread: i32, threads: i32): void {
  const p = argP(args, 0),
    index = argP(args, 1),
    value = argP(args, 2),
    chosen = argP(args, 3),
    logits = argP(args, 4),
    rows = argI(args, 5),
    n = argI(args, 6);
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const o = (<usize>r * <usize>n) << 2;
    let best = 0;
    for (let j = 1; j < n; j++) {
      if (load<f32>(logits + o + (<usize>j << 2)) > load<f32>(logits + o + (<usize>best << 2))) best = j;
    }
    const largest = <f64>load<f32>(logits + o + (<usize>best << 2));
    let sum: f64 = 0;
    for (let j = 0; j < n; j++) sum += exp(<f64>load<f32>(logits + o + (<usize>j << 2)) - largest);
    for (let j = 0; j < n; j++) {
      const q = o + (<usize>j << 2);
      store<f32>(p + q, <f32>(exp(<f64>load<f32>(logits + q) - largest) / sum));
    }
    store<u32>(index + (<usize>r << 2), <u32>best);
    store<f32>(value + (<usize>r << 2), 1);
    store<f32>(chosen + (<usize>r << 2), load<f32>(p + o + (<usize>best << 2)));
  }
}

/**
 * (dLogits, p, index, dChosen, dEvery, rows, n): gradient through the softmax, ∂p_rj = dEvery_j + dChosen_r [j = index_r]
 * (dChosen 0 = none): dLogits_rj = p_rj (∂p_rj − Σ_i p_ri ∂p_ri)
 */
export function routeGradient(args: usize, thread: i32, threads: i32): void {
  const dLogits = argP(args, 0),
    p = argP(args, 1),
    index = argP(args, 2),
    dChosen = argP(args, 3),
    dEvery = argP(args, 4),
    rows = argI(args, 5),
    n = argI(args, 6);
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const o = (<usize>r * <usize>n) << 2;
    const best = load<i32>(index + (<usize>r << 2));
    const extra: f64 = dChosen ? <f64>load<f32>(dChosen + (<usize>r << 2)) : 0;
    let mean = extra * <f64>load<f32>(p + o + (<usize>best << 2));
    for (let j = 0; j < n; j++) {
      const q = <usize>j << 2;
      mean += <f64>load<f32>(p + o + q) * <f64>load<f32>(dEvery + q);
    }
    for (let j = 0; j < n; j++) {
      const q = <usize>j << 2;
      const d = <f64>load<f32>(dEvery + q) + (j == best ? extra : 0);
      store<f32>(dLogits + o + q, <f32>(<f64>load<f32>(p + o + q) * (d - mean)));
    }
  }
}

/** (out, accumulate, rowPtr, values, factor, rows): out_e (+)= factor_r · values_e for the entries e of row r */
export function scaleEntries(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    accumulate = argI(args, 1),
    rowPtr = argP(args, 2),
    values = argP(args, 3),
    factor = argP(args, 4),
    rows = argI(args, 5);
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const s = load<f32>(factor + (<usize>r << 2));
    const to = load<u32>(rowPtr + (<usize>r << 2), 4);
    for (let e = load<u32>(rowPtr + (<usize>r << 2)); e < to; e++) {
      const o = <usize>e << 2;
      const v = s * load<f32>(values + o);
      store<f32>(out + o, accumulate ? load<f32>(out + o) + v : v);
    }
  }
}

/** (out [rows], accumulate, rowPtr, a, b, rows): out_r (+)= Σ_e a_e b_e over the entries of row r */
export function entryDots(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    accumulate = argI(args, 1),
    rowPtr = argP(args, 2),
    a = argP(args, 3),
    b = argP(args, 4),
    rows = argI(args, 5);
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    let sum: f64 = accumulate ? <f64>load<f32>(out + (<usize>r << 2)) : 0;
    const to = load<u32>(rowPtr + (<usize>r << 2), 4);
    for (let e = load<u32>(rowPtr + (<usize>r << 2)); e < to; e++) {
      sum += <f64>load<f32>(a + (<usize>e << 2)) * <f64>load<f32>(b + (<usize>e << 2));
    }
    store<f32>(out + (<usize>r << 2), <f32>sum);
  }
}

/** e^x for x ≤ 0; `Math.exp` has a table in static memory, which is where this program keeps its commands. */
// @ts-ignore: decorator
@inline
function exp(x: f64): f64 {
  return 1 / (Math.expm1(-x) + 1);
}
