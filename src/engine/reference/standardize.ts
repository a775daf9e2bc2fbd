/** Tokens standardised one by one. */
import type { StandardizeKernels } from '../kernels.ts';
import type { Recorder } from './kernels.ts';
import { f32, f64 } from './tensors.ts';

export function standardizeKernels({ record }: Recorder): StandardizeKernels {
  return {
    standardizeRows({ out, mean, std }, x, epsilon) {
      record(() => {
        const [rows, cols] = x.shape;
        for (let r = 0; r < rows; r++) {
          const row = f32(x).subarray(r * cols, (r + 1) * cols);
          const average = row.reduce((sum, v) => sum + v, 0) / cols;
          const deviation = Math.sqrt(row.reduce((sum, v) => sum + (v - average) ** 2, 0) / (cols - 1));
          row.forEach((v, i) => (f32(out)[r * cols + i] = (v - average) / (deviation + epsilon)));
          f32(mean)[r] = average;
          f32(std)[r] = deviation;
        }
      });
    },

    restoreRows(out, a, std, mean) {
      record(() => {
        const cols = a.shape[1];
        f32(a).forEach((v, i) => {
          const r = Math.floor(i / cols);
          f32(out)[i] = v * f32(std)[r] + f32(mean)[r];
        });
      });
    },

    variance(out, a, epsilon) {
      record(() => {
        const values = f32(a);
        const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
        f64(out)[0] = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1) + epsilon;
      });
    },
  };
}
