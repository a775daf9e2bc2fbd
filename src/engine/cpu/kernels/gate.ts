/** Encoding through a gate: children of active parents. */
import type { GateKernels } from '../../kernels.ts';
import type { CpuDevice } from '../device.ts';
import { maybe, on, takeCursor } from './arguments.ts';

/** Most rows whose parents are sorted together: the more, the more rows share what is read of a family. */
const TILE = 2048;
/** Numbers of W that are read together: they stay in a near cache. */
const BLOCK = 16384;
/** Blocks of rows of W that are read ahead. */
const AHEAD = 4;
/** Counters of the sort. */
const COUNTERS = 2048;

export function gateKernels(device: CpuDevice): GateKernels {
  return {
    topChildren(codes, before, parents, { childPtr, children }, x, W, bias, { above, floor, range, roots, only }) {
      const [rows, d] = x.shape;
      const [kParents, kBefore] = [parents.perRow!, before?.perRow ?? 0];
      const k = codes.perRow! - kBefore;
      const tile = Math.min(Math.ceil(rows / device.info.threads), TILE);
      const block = Math.min(512, Math.max(8, Math.floor(BLOCK / d)));
      // Pairs twice and the best of every row, 8 bytes each; counters, rows to be read ahead, children with scores for two rows.
      const scratchBytes = 8 * tile * (2 * kParents + k + 1) + 4 * Math.ceil((COUNTERS + (AHEAD + 3) * block) / 2) * 2;
      device.emit(
        'topChildren',
        on(codes.index),
        on(codes.value),
        maybe(before && before.index),
        maybe(before && before.value),
        on(parents.index),
        on(parents.value),
        on(childPtr),
        on(children),
        on(W),
        maybe(bias),
        on(x),
        maybe(roots && roots.rowPtr),
        maybe(roots && roots.index),
        maybe(roots && roots.value),
        maybe(only ? only.counter : null),
        takeCursor(device),
        device.scratch('f64', (device.info.threads * scratchBytes) / 8),
        scratchBytes,
        rows,
        d,
        tile,
        block,
        parents.width,
        kParents,
        kBefore,
        k,
        range.from,
        above,
        floor,
        only?.threshold ?? 0,
      );
    },
    keepAtLeast(set, among, counter, threshold) {
      device.emit('keepAtLeast', on(set.list), on(set.count), on(among.list), on(among.count), on(counter), threshold);
    },
  };
}
