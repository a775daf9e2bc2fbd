/** Gated codes: magnitudes of the entries that a gate let through. See sparse.ts for the calling convention. */
import { argI, argP, share } from './vector';

/** (out, rowPtr, index, gate, gain, gateBias, magnitudeBias, rows): out_e = max(0, gain_i (gate_e − gateBias_i) + magnitudeBias_i) */
export function gateMagnitudes(args: usize, thread: i32, threads: i32): void {
  const out = argP(args, 0),
    rowPtr = argP(args, 1),
    index = argP(args, 2),
    gate = argP(args, 3),
    gain = argP(args, 4),
    gateBias = argP(args, 5),
    magnitudeBias = argP(args, 6),
    rows = argI(args, 7);
  const to = load<u32>(rowPtr + (<usize>share(rows, thread + 1, threads) << 2));
  for (let e = load<u32>(rowPtr + (<usize>share(rows, thread, threads) << 2)); e < to; e++) {
    const o = <usize>e << 2;
    const i = <usize>load<u32>(index + o) << 2;
    const magnitude = load<f32>(gain + i) * (load<f32>(gate + o) - load<f32>(gateBias + i)) + load<f32>(magnitudeBias + i);
    store<f32>(out + o, max<f32>(magnitude, 0));
  }
}

/**
 * (dGate, accumulate, dR, accumulate, dGateBias, accumulate, dMagnitudeBias, accumulate, latentPtr, entryOf, gate, magnitude,
 * dMagnitude, gain, gateBias, width): latent by latent, with m = dMagnitude_e where magnitude_e > 0, else 0:
 * dGate_e (+)= gain_i m, dGateBias_i (+)= −Σ gain_i m, dMagnitudeBias_i (+)= Σ m, dR_i (+)= Σ m gain_i (gate_e − gateBias_i)
 */
export function gateGradients(args: usize, thread: i32, threads: i32): void {
  const dGate = argP(args, 0),
    accumulate = argI(args, 1),
    latentPtr = argP(args, 8),
    entryOf = argP(args, 9),
    gate = argP(args, 10),
    magnitude = argP(args, 11),
    dMagnitude = argP(args, 12),
    gain = argP(args, 13),
    gateBias = argP(args, 14),
    width = argI(args, 15);
  const end = share(width, thread + 1, threads);
  for (let i = share(width, thread, threads); i < end; i++) {
    const at = <usize>i << 2;
    const factor = load<f32>(gain + at),
      bias = load<f32>(gateBias + at);
    let sum: f64 = 0,
      moment: f64 = 0;
    const to = load<u32>(latentPtr + at, 4);
    for (let s = load<u32>(latentPtr + at); s < to; s++) {
      const o = <usize>load<u32>(entryOf + (<usize>s << 2)) << 2;
      const m: f32 = load<f32>(magnitude + o) > 0 ? load<f32>(dMagnitude + o) : 0;
      sum += <f64>m;
      moment += <f64>m * <f64>(load<f32>(gate + o) - bias);
      const d = factor * m;
      store<f32>(dGate + o, accumulate ? load<f32>(dGate + o) + d : d);
    }
    put(argP(args, 2) + at, argI(args, 3), <f64>factor * moment);
    put(argP(args, 4) + at, argI(args, 5), -<f64>factor * sum);
    put(argP(args, 6) + at, argI(args, 7), sum);
  }
}

// @ts-ignore: decorator
@inline
function put(o: usize, accumulate: i32, value: f64): void {
  store<f32>(o, <f32>(accumulate ? <f64>load<f32>(o) + value : value));
}
