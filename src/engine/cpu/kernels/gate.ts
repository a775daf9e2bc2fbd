/** Encoding through a gate: children of active parents. */
import type { GateKernels } from '../../kernels.ts';
import type { CpuDevice } from '../device.ts';
import { CpuCodes } from '../tensors.ts';
import { maybe, on } from './arguments.ts';

export function gateKernels(device: CpuDevice): GateKernels {
  return {
    scoreChildren(candidates, parents, index, { childPtr, children }, x, W, bias, above) {
      const own = CpuCodes.of(candidates);
      const { rows } = own;
      const offsets = device.scratchLike(parents, 'u32');
      const entries = [on(parents.rowPtr), on(parents.index), on(parents.value)];
      device.emit('countChildren', own.rowPtr, offsets, ...entries, on(childPtr), rows, above);
      device.emit('prefixSum', own.rowPtr, rows + 1);
      device.emitHost(() => device.place(own, device.view(own.rowPtr)[rows]));
      device.emit(
        'scoreChildren',
        own.index,
        own.value,
        own.rowPtr,
        offsets,
        on(index.latentPtr),
        on(index.entryOf),
        on(index.rowOf),
        on(parents.value),
        on(childPtr),
        on(children),
        on(W),
        maybe(bias),
        on(x),
        parents.width,
        x.shape[1],
        above,
      );
    },
    joinTop(codes, before, [first, second], { from, to }, floor, only) {
      const kBefore = before?.perRow ?? 0;
      const lists = [first, second].flatMap((list) =>
        list ? [on(list.rowPtr), on(list.index), on(list.value)] : [null, null, null],
      );
      // Keys of all that may be chosen, then what is chosen: 8 bytes each.
      const scratchBytes = 16 * (to - from);
      device.emit(
        'joinTop',
        on(codes.index),
        on(codes.value),
        maybe(before && before.index),
        maybe(before && before.value),
        ...lists,
        maybe(only ? only.counter : null),
        codes.rows,
        kBefore,
        codes.perRow! - kBefore,
        from,
        device.scratch('f64', device.info.threads * 2 * (to - from)),
        scratchBytes,
        floor,
        only?.threshold ?? 0,
      );
    },
    keepAtLeast(set, among, counter, threshold) {
      device.emit('keepAtLeast', on(set.list), on(set.count), on(among.list), on(among.count), on(counter), threshold);
    },
  };
}
