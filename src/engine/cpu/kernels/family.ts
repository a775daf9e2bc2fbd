/** The parent–child loss of a feature forest. */
import type { FamilyKernels } from '../../kernels.ts';
import type { CpuDevice } from '../device.ts';
import { on } from './arguments.ts';

export function familyKernels(device: CpuDevice): FamilyKernels {
  const { threads } = device.info;
  return {
    familyResiduals({ dValue, next, rowSums }, codes, W, { parents, hasChildren, from, split, to }) {
      const cols = W.shape[1];
      const words = codes.width + cols + ((codes.width + cols) % 2);
      device.emit(
        'familyResiduals',
        on(dValue),
        on(next),
        on(rowSums),
        on(codes.rowPtr),
        on(codes.index),
        on(codes.value),
        on(parents),
        on(hasChildren),
        on(W),
        codes.rows,
        cols,
        codes.width,
        from,
        split,
        to,
        device.scratch('u32', threads * words),
        4 * words,
      );
    },
    coActivate(out, codes, index, { from, split, to }, weight) {
      const entries = [on(index.latentPtr), on(index.entryOf), on(index.rowOf)];
      const rows = [on(codes.rowPtr), on(codes.index), on(codes.value)];
      device.emit('coActivate', on(out), ...entries, ...rows, from, split, to, weight);
    },
    familyGradient(dW, codes, index, next, W, { from, split, to }, scale) {
      device.emit(
        'familyGradient',
        on(dW),
        on(index.latentPtr),
        on(index.entryOf),
        on(codes.index),
        on(codes.value),
        on(next),
        on(W),
        codes.width,
        W.shape[1],
        from,
        split,
        to,
        scale,
        device.scratch('f64', threads * 2 * codes.width),
        16 * codes.width,
      );
    },
  };
}
