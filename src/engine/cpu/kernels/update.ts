/** The update of parameters. Rows are the last axis. */
import { sizeOf } from '../../device.ts';
import type { UpdateKernels } from '../../kernels.ts';
import type { CpuDevice } from '../device.ts';
import { on, recordSum } from './arguments.ts';

export function updateKernels(
  device: CpuDevice,
): UpdateKernels {
  return {
    projectRows(gradient, square, W, epsilon) {
      const cols = W.shape[W.shape.length - 1];
      const rows = sizeOf(W.shape) / cols;
      const squares = device.scratch('f64', rows);
      const raw = Number(epsilon === 'raw');
      device.emit('projectRows', on(gradient), squares, on(W), rows, cols, epsilon === 'raw' ? 0 : epsilon, raw);
      recordSum(device, square, squares, 1);
    },
    normalizeRows(W, epsilon) {
      const cols = W.shape[W.shape.length - 1];
      device.emit('normalizeRows', on(W), sizeOf(W.shape) / cols, cols, epsilon);
    },
    normalizeRowsGradient(dW, accumulate, dU, W, epsilon) {
      const [rows, cols] = W.shape;
      device.emit('normalizeRowsGradient', on(dW), Number(accumulate), on(dU), on(W), rows, cols, epsilon);
    },
    adam(parameter, gradient, m, v, step, unitRows) {
      const { gradientScale, beta1, beta2, stepSize, correction, epsilon, decay, coupledDecay } = step;
      const moments = [gradientScale, beta1, 1 - beta1, beta2, 1 - beta2];
      const constants = [...moments, stepSize, correction, epsilon, decay, coupledDecay];
      const cols = parameter.shape[parameter.shape.length - 1];
      const rows = sizeOf(parameter.shape) / cols;
      const arrays = [on(parameter), on(gradient), on(m), on(v)];
      const unit = [unitRows ? 1 : 0, unitRows?.epsilon ?? 0];
      device.emit('adam', ...arrays, rows, cols, ...constants, ...unit);
    },
  };
}
