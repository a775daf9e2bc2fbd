/** Penalties weighted by the norms of decoder rows. */
import { sizeOf } from '../../device.ts';
import type { PenaltyKernels } from '../../kernels.ts';
import type { CpuDevice } from '../device.ts';
import { on } from './arguments.ts';

export function penaltyKernels(device: CpuDevice): PenaltyKernels {
  return {
    rowNorms(out, W) {
      const cols = W.shape[W.shape.length - 1];
      device.emit('rowNorms', on(out), on(W), sizeOf(W.shape) / cols, cols);
    },
    normWeightedSums(rowSums, codes, norms, { kind, scale }) {
      const entries = [on(codes.rowPtr), on(codes.index), on(codes.value)];
      device.emit('normWeightedSums', on(rowSums), ...entries, on(norms), codes.rows, Number(kind === 'tanh'), scale);
    },
    normWeightedGradient({ dValue, coefficient }, codes, norms, { kind, scale }, seed) {
      const entries = [on(codes.rowPtr), on(codes.index), on(codes.value)];
      device.emit(
        'normWeightedGradient',
        dValue ? on(dValue.tensor) : null,
        Number(dValue?.accumulate ?? false),
        on(coefficient),
        ...entries,
        on(norms),
        codes.rows,
        Number(kind === 'tanh'),
        scale,
        seed,
      );
    },
  };
}
