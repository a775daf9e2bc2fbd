/** Layer norm of codes. */
import type { LayerNormKernels } from '../../kernels.ts';
import type { CpuDevice } from '../device.ts';
import { on } from './arguments.ts';

export function layerNormKernels(device: CpuDevice): LayerNormKernels {
  return {
    normalizeCodes({ out, std, silent }, codes) {
      const entries = [on(codes.rowPtr), on(codes.index), on(codes.value)];
      device.emit('normalizeCodes', on(out), on(std), on(silent), ...entries, codes.rows, codes.width);
    },
    normalizeCodesGradient(dValue, codes, { out, std }, dOut) {
      device.emit(
        'normalizeCodesGradient',
        on(dValue.tensor),
        Number(dValue.accumulate),
        on(codes.rowPtr),
        on(codes.index),
        on(out),
        on(std),
        on(dOut),
        codes.rows,
        codes.width,
      );
    },
  };
}
