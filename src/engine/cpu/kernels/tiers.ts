/** Codes in tiers. */
import type { TiersKernels } from '../../kernels.ts';
import type { CpuDevice } from '../device.ts';
import { CpuCodes } from '../tensors.ts';
import { on } from './arguments.ts';

export function tiersKernels(device: CpuDevice): TiersKernels {
  return {
    joinCodes(out, parts) {
      const own = CpuCodes.of(out);
      const { rows } = own;
      if (own.perRow === undefined) {
        device.emitHost(() => {
          const rowPtr = device.view(own.rowPtr).fill(0);
          for (const part of parts) device.view(part.rowPtr).forEach((at, r) => (rowPtr[r] += at));
          device.place(own, rowPtr[rows]);
        });
      }
      const next = device.scratch('u32', rows);
      let offset = 0;
      for (const [p, part] of parts.entries()) {
        const start = p === 0 ? own.rowPtr : next;
        const entries = [on(part.rowPtr), on(part.index), on(part.value)];
        device.emit('appendCodes', own.index, own.value, next, start, ...entries, rows, offset);
        offset += part.width;
      }
    },
    baseGradients(dBelow, dV, below, index, V, above, dAbove) {
      device.emit(
        'baseGradients',
        dBelow && on(dBelow.tensor),
        Number(dBelow?.accumulate ?? false),
        on(dV.tensor),
        Number(dV.accumulate),
        on(index.latentPtr),
        on(index.entryOf),
        on(index.rowOf),
        on(below.value),
        on(V),
        on(above.rowPtr),
        on(above.index),
        on(dAbove),
        below.width,
        above.width,
      );
    },
    composedEntries({ composed, active }, codes, base, bias) {
      const entries = [on(codes.rowPtr), on(codes.index), on(codes.value)];
      device.emit(
        'composedEntries',
        on(composed),
        on(active),
        ...entries,
        on(base),
        on(bias),
        codes.rows,
        codes.width,
      );
    },
  };
}
