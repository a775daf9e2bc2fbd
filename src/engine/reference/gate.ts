/** Encoding through a gate: children of active parents. */
import type { Codes } from '../device.ts';
import type { GateKernels } from '../kernels.ts';
import { store, top, type Entry } from './encoding.ts';
import type { Recorder } from './kernels.ts';
import { f32, ReferenceCodes, u32 } from './tensors.ts';

export function gateKernels({ record, resolve }: Recorder): GateKernels {
  return {
    scoreChildren(candidates, parents, _index, { childPtr, children }, x, W, bias, above) {
      record(() => {
        const own = ReferenceCodes.of(candidates);
        const [starts, names, inputs, weights] = [u32(childPtr), u32(children), f32(x), f32(W)];
        const biases = bias && f32(bias);
        const d = x.shape[1];
        const scored = entriesOf(parents).map((row, r) =>
          row.flatMap(({ latent: parent, value }) => {
            if (!(value > Math.fround(above))) return [];
            return Array.from(names.subarray(starts[parent], starts[parent + 1]), (latent): Entry => {
              let z = biases ? biases[latent] : 0;
              for (let i = 0; i < d; i++) z += weights[latent * d + i] * inputs[r * d + i];
              return { latent, value: Math.fround(z) };
            });
          }),
        );
        resolve(own, scored.flat().length);
        store(own, scored);
      });
    },

    joinTop(codes, before, candidates, { from, to }, floor, only) {
      record(() => {
        const own = ReferenceCodes.of(codes);
        const k = own.perRow! - (before?.perRow ?? 0);
        const range = Array.from({ length: to - from }, (_, i) => from + i);
        const lists = candidates.filter((list) => list !== null).map(entriesOf);
        const counts = only && f32(only.counter);
        const first = before && entriesOf(before);
        const rows = Array.from({ length: own.rows }, (_, r) => {
          const open = lists
            .flatMap((list) => list[r])
            .filter(({ value }) => value >= Math.fround(floor))
            .filter(({ latent }) => !counts || counts[latent] >= Math.fround(only.threshold));
          return [...(first ? first[r] : []), ...top(open, range, k)];
        });
        store(own, rows);
      });
    },

    keepAtLeast(set, among, counter, threshold) {
      record(() => {
        const counts = f32(counter);
        const listed = u32(among.list).subarray(0, u32(among.count)[0]);
        const kept = listed.filter((latent) => counts[latent] >= Math.fround(threshold));
        u32(set.list).set(kept);
        u32(set.count)[0] = kept.length;
      });
    },
  };
}

function entriesOf(codes: Codes): Entry[][] {
  const [rowPtr, index, value] = [u32(codes.rowPtr), u32(codes.index), f32(codes.value)];
  return Array.from({ length: codes.rows }, (_, r) =>
    Array.from({ length: rowPtr[r + 1] - rowPtr[r] }, (_unused, t) => ({
      latent: index[rowPtr[r] + t],
      value: value[rowPtr[r] + t],
    })),
  );
}
