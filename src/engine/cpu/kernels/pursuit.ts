/** Matching pursuit. */
import type { PursuitKernels } from '../../kernels.ts';
import type { CpuDevice } from '../device.ts';
import { on } from './arguments.ts';

export function pursuitKernels(device: CpuDevice): PursuitKernels {
  const { threads } = device.info;
  return {
    pursue({ residual, order, codes }, scores, gram, W, { threshold, onRepeat }) {
      const k = codes.perRow!;
      const outputs = [residual, order.index, order.value, codes.index, codes.value].map(on);
      const scratch = device.scratch('u32', threads * 2 * k);
      const sizes = [codes.rows, codes.width, W.shape[1], k];
      device.emit(
        'pursue',
        ...outputs,
        on(scores),
        on(gram),
        on(W),
        scratch,
        ...sizes,
        threshold,
        Number(onRepeat),
      );
    },
    pursuitGradients({ dInput, changes, steps }, order, W, residual, { from, to }) {
      const d = W.shape[1];
      const outputs = [dInput, changes, steps.index, steps.value].map(on);
      const scratch = device.scratch('f32', threads * d);
      const k = order.rows / residual.shape[0];
      device.emit(
        'pursuitGradients',
        ...outputs,
        on(order.index),
        on(order.value),
        on(W),
        on(residual),
        scratch,
        from,
        to,
        d,
        k,
      );
    },
  };
}
