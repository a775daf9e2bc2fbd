/** Codes in tiers. */
import type { TiersKernels } from '../kernels.ts';
import type { Recorder } from './kernels.ts';
import { f32, f64, ReferenceCodes, u32 } from './tensors.ts';

export function tiersKernels({ record, resolve }: Recorder): TiersKernels {
  return {
    joinCodes(out, parts) {
      record(() => {
        const own = ReferenceCodes.of(out);
        const rowPtr = u32(own.rowPtr).fill(0);
        for (const part of parts) u32(part.rowPtr).forEach((at, r) => (rowPtr[r] += at));
        if (own.perRow === undefined) resolve(own, rowPtr[own.rows]);
        let to = 0;
        for (let r = 0; r < own.rows; r++) {
          let offset = 0;
          for (const part of parts) {
            for (let e = u32(part.rowPtr)[r]; e < u32(part.rowPtr)[r + 1]; e++, to++) {
              u32(own.index)[to] = offset + u32(part.index)[e];
              f32(own.value)[to] = f32(part.value)[e];
            }
            offset += part.width;
          }
        }
      });
    },

    baseGradients(dBelow, dV, below, _index, V, above, dAbove) {
      record(() => {
        const [values, weights, gradient] = [f32(below.value), f32(V), f32(dAbove)];
        const sums = dV.accumulate ? Float64Array.from(f32(dV.tensor)) : new Float64Array(weights.length);
        for (let r = 0; r < below.rows; r++) {
          for (let e = u32(below.rowPtr)[r]; e < u32(below.rowPtr)[r + 1]; e++) {
            let sum = 0;
            for (let t = u32(above.rowPtr)[r]; t < u32(above.rowPtr)[r + 1] && values[e] !== 0; t++) {
              const at = u32(below.index)[e] * above.width + u32(above.index)[t];
              sum += weights[at] * gradient[t];
              sums[at] += values[e] * gradient[t];
            }
            if (dBelow) f32(dBelow.tensor)[e] = (dBelow.accumulate ? f32(dBelow.tensor)[e] : 0) + sum;
          }
        }
        f32(dV.tensor).set(sums);
      });
    },

    composedEntries({ composed, active }, codes, base, bias) {
      record(() => {
        for (let r = 0; r < codes.rows; r++) {
          let [reached, positive] = [0, 0];
          for (let e = u32(codes.rowPtr)[r]; e < u32(codes.rowPtr)[r + 1]; e++) {
            const value = f32(codes.value)[e];
            if (!(value > 0)) continue;
            positive++;
            const i = u32(codes.index)[e];
            const [both, b] = [f32(base)[r * codes.width + i], f32(bias)[i]];
            const c = both - b;
            if (c > 0 && c >= Math.max(value - both, 0) + Math.max(b, 0)) reached++;
          }
          f64(composed)[r] = reached;
          f64(active)[r] = positive;
        }
      });
    },
  };
}
