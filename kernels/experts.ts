/**
 * The middle of H-SAE's experts (methods 3.1): between the projections down and up everything is tiny, s numbers in and
 * out for each selected expert. See sparse.ts for the calling convention.
 */
import { argF, argI, argP, share } from './vector';
import { latentShare } from './sparse';

// @ts-ignore: decorator
@inline
function at(base: usize, i: i32): usize {
  return base + (<usize>i << 2);
}

/** a · b over s floats, s small. */
// @ts-ignore: decorator
@inline
function shortDot(a: usize, b: usize, s: i32): f32 {
  let i = 0;
  let sum: f32 = 0;
  if (s >= 4) {
    let v = f32x4.mul(v128.load(a), v128.load(b));
    for (i = 4; i + 4 <= s; i += 4) v = f32x4.add(v, f32x4.mul(v128.load(at(a, i)), v128.load(at(b, i))));
    sum = f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3));
  }
  for (; i < s; i++) sum += load<f32>(at(a, i)) * load<f32>(at(b, i));
  return sum;
}

/** out += f · a over s floats, s small. */
// @ts-ignore: decorator
@inline
function shortAxpy(out: usize, f: f32, a: usize, s: i32): void {
  const fv = f32x4.splat(f);
  let i = 0;
  for (; i + 4 <= s; i += 4) v128.store(at(out, i), f32x4.add(v128.load(at(out, i)), f32x4.mul(fv, v128.load(at(a, i)))));
  for (; i < s; i++) store<f32>(at(out, i), load<f32>(at(out, i)) + f * load<f32>(at(a, i)));
}

/**
 * (c, winner, sub, rowSums f64, rowPtr, index, value, y, E, D, rows, a, s, theta, slope)
 * For each selected expert: q = leaky offset ReLU of E y; m = argmax q (lowest on ties); sub = q_m where the parent's
 * value is positive, else 0; c = sub · D[m]; rowSums_r = Σ |q| over all atoms of all selected experts.
 */
export function expertsForward(args: usize, thread: i32, threads: i32): void {
  const c = argP(args, 0),
    winner = argP(args, 1),
    sub = argP(args, 2),
    rowSums = argP(args, 3),
    rowPtr = argP(args, 4),
    index = argP(args, 5),
    value = argP(args, 6),
    y = argP(args, 7),
    encoder = argP(args, 8),
    decoder = argP(args, 9),
    rows = argI(args, 10),
    a = argI(args, 11),
    s = argI(args, 12),
    theta = argF(args, 13),
    slope = argF(args, 14);
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    let total: f64 = 0;
    const to = <i32>load<u32>(at(rowPtr, r), 4);
    for (let e = <i32>load<u32>(at(rowPtr, r)); e < to; e++) {
      const j = <i32>load<u32>(at(index, e));
      const ye = at(y, e * s);
      let best = 0,
        bestValue: f32 = -f32.MAX_VALUE;
      for (let m = 0; m < a; m++) {
        const u = shortDot(at(encoder, (j * a + m) * s), ye, s);
        const q = u >= theta ? u : slope * u;
        total += <f64>abs(q);
        if (q > bestValue) {
          bestValue = q;
          best = m;
        }
      }
      const q = load<f32>(at(value, e)) > 0 ? bestValue : 0;
      store<u32>(at(winner, e), <u32>best);
      store<f32>(at(sub, e), q);
      for (let i = 0; i < s; i++) store<f32>(at(c, e * s + i), q * load<f32>(at(decoder, (j * a + best) * s + i)));
    }
    store<f64>(rowSums + (<usize>r << 3), total);
  }
}

/**
 * (dY, dE, dD, accumulate, dC, winner, sub, latentPtr, entryOf, value, y, E, D, width, a, s, theta, slope, l1)
 * l1 = gradient of the loss by each |q|. dE, dD [width, a, s] are owned per expert.
 */
export function expertsBackward(args: usize, thread: i32, threads: i32): void {
  const dY = argP(args, 0),
    dE = argP(args, 1),
    dD = argP(args, 2),
    accumulate = argI(args, 3),
    dC = argP(args, 4),
    winner = argP(args, 5),
    sub = argP(args, 6),
    latentPtr = argP(args, 7),
    entryOf = argP(args, 8),
    value = argP(args, 9),
    y = argP(args, 10),
    encoder = argP(args, 11),
    decoder = argP(args, 12),
    width = argI(args, 13),
    a = argI(args, 14),
    s = argI(args, 15),
    theta = argF(args, 16),
    slope = argF(args, 17),
    l1 = argF(args, 18);
  const end = latentShare(latentPtr, 0, width, thread + 1, threads);
  for (let j = latentShare(latentPtr, 0, width, thread, threads); j < end; j++) {
    const atoms = at(encoder, j * a * s),
      dAtoms = at(dE, j * a * s),
      dDecoder = at(dD, j * a * s);
    if (!accumulate) {
      memory.fill(dAtoms, 0, <usize>(a * s) << 2);
      memory.fill(dDecoder, 0, <usize>(a * s) << 2);
    }
    const to = load<u32>(at(latentPtr, j), 4);
    for (let p = load<u32>(at(latentPtr, j)); p < to; p++) {
      const e = <i32>load<u32>(entryOf + (<usize>p << 2));
      const ye = at(y, e * s),
        dYe = at(dY, e * s),
        dCe = at(dC, e * s);
      const best = <i32>load<u32>(at(winner, e));
      const open = load<f32>(at(value, e)) > 0;
      memory.fill(dYe, 0, <usize>s << 2);
      for (let m = 0; m < a; m++) {
        const u = shortDot(at(atoms, m * s), ye, s);
        const on = u >= theta;
        const q = on ? u : slope * u;
        let dq: f32 = q > 0 ? l1 : q < 0 ? -l1 : 0;
        if (m == best && open) {
          dq += shortDot(dCe, at(decoder, (j * a + m) * s), s);
          shortAxpy(at(dDecoder, m * s), load<f32>(at(sub, e)), dCe, s);
        }
        const du = on ? dq : slope * dq;
        if (du == 0) continue;
        shortAxpy(at(dAtoms, m * s), du, ye, s);
        shortAxpy(dYe, du, at(atoms, m * s), s);
      }
    }
  }
}

/**
 * (outIndex, outValue, index, value, winner, sub, rows, k, width, atoms): codes over top and sub-latents in one index space:
 * first the k top entries of the row, then for each its winner at width + j·atoms + m
 */
export function joinExperts(args: usize, thread: i32, threads: i32): void {
  const outIndex = argP(args, 0),
    outValue = argP(args, 1),
    index = argP(args, 2),
    value = argP(args, 3),
    winner = argP(args, 4),
    sub = argP(args, 5),
    rows = argI(args, 6),
    k = argI(args, 7),
    width = <u32>argI(args, 8),
    atoms = <u32>argI(args, 9);
  const bytes = <usize>k << 2;
  const end = share(rows, thread + 1, threads);
  for (let r = share(rows, thread, threads); r < end; r++) {
    const from = <usize>r * bytes;
    memory.copy(outIndex + 2 * from, index + from, bytes);
    memory.copy(outValue + 2 * from, value + from, bytes);
    memory.copy(outValue + 2 * from + bytes, sub + from, bytes);
    for (let e: usize = 0; e < bytes; e += 4) {
      store<u32>(outIndex + 2 * from + bytes + e, width + load<u32>(index + from + e) * atoms + load<u32>(winner + from + e));
    }
  }
}
