/** Layer norm of codes. */
import type { LayerNormKernels } from '../kernels.ts';
import type { Recorder } from './kernels.ts';
import { f32, f64, u32 } from './tensors.ts';

export function layerNormKernels({ record }: Recorder): LayerNormKernels {
  return {
    normalizeCodes({ out, std, silent }, codes) {
      record(() => {
        const n = codes.width;
        for (let r = 0; r < codes.rows; r++) {
          const row = new Float64Array(n);
          for (let e = u32(codes.rowPtr)[r]; e < u32(codes.rowPtr)[r + 1]; e++)
            row[u32(codes.index)[e]] = f32(codes.value)[e];
          const mean = row.reduce((sum, v) => sum + v, 0) / n;
          const deviation = Math.sqrt(row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / n);
          row.forEach((v, i) => (f32(out)[r * n + i] = (v - mean) / deviation));
          f32(std)[r] = deviation;
          f64(silent)[r] = row.some((v) => v > 0) ? 0 : 1;
        }
      });
    },

    normalizeCodesGradient(dValue, codes, { out, std }, dOut) {
      record(() => {
        const n = codes.width;
        for (let r = 0; r < codes.rows; r++) {
          const [y, g] = [f32(out), f32(dOut)].map((all) => all.subarray(r * n, r * n + n));
          const mean = g.reduce((sum, v) => sum + v, 0) / n;
          const along = g.reduce((sum, v, i) => sum + v * y[i], 0) / n;
          for (let e = u32(codes.rowPtr)[r]; e < u32(codes.rowPtr)[r + 1]; e++) {
            const i = u32(codes.index)[e];
            const before = dValue.accumulate ? f32(dValue.tensor)[e] : 0;
            f32(dValue.tensor)[e] = before + (g[i] - mean - y[i] * along) / f32(std)[r];
          }
        }
      });
    },
  };
}
