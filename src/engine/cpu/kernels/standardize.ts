/** Tokens standardised one by one. */
import { sizeOf } from '../../device.ts';
import type { StandardizeKernels } from '../../kernels.ts';
import type { CpuDevice } from '../device.ts';
import { on } from './arguments.ts';

export function standardizeKernels(
  device: CpuDevice,
): StandardizeKernels {
  return {
    standardizeRows({ out, mean, std }, x, epsilon) {
      const [rows, cols] = x.shape;
      device.emit('standardizeRows', on(out), on(mean), on(std), on(x), rows, cols, epsilon);
    },
    restoreRows(out, a, std, mean) {
      const [rows, cols] = a.shape;
      device.emit('restoreRows', on(out), on(a), on(std), on(mean), rows, cols);
    },
    variance(out, a, epsilon) {
      const [rows, cols] = a.shape;
      const [sums, squares] = [device.scratch('f64', rows), device.scratch('f64', rows)];
      device.emit('rowMoments', sums, squares, on(a), rows, cols);
      device.emit('varianceOfMoments', on(out), sums, squares, rows, sizeOf(a.shape), epsilon);
    },
  };
}
