/** Encoding through a gate: children of active parents. */
import type { Codes } from '../device.ts';
import type { GateKernels } from '../kernels.ts';
import { store, top, type Entry } from './encoding.ts';
import type { Recorder } from './kernels.ts';
import { f32, ReferenceCodes, u32 } from './tensors.ts';

export function gateKernels({ record }: Recorder): GateKernels {
  return {
    topChildren(codes, before, parents, { childPtr, children }, x, W, bias, { above, floor, range, roots, only }) {
      record(() => {
        const own = ReferenceCodes.of(codes);
        const k = own.perRow! - (before?.perRow ?? 0);
        const latents = Array.from({ length: range.to - range.from }, (_, i) => range.from + i);
        const [starts, names, inputs, weights] = [u32(childPtr), u32(children), f32(x), f32(W)];
        const biases = bias && f32(bias);
        const counts = only && f32(only.counter);
        const d = x.shape[1];
        const [first, free] = [before && entriesOf(before), roots && entriesOf(roots)];
        const rows = entriesOf(parents).map((row, r) => {
          const open = row
            .filter(({ value }) => value > Math.fround(above))
            .flatMap(({ latent: parent }) => [...names.subarray(starts[parent], starts[parent + 1])])
            .filter((latent) => !counts || counts[latent] >= Math.fround(only.threshold))
            .map((latent): Entry => {
              let z = biases ? biases[latent] : 0;
              for (let i = 0; i < d; i++) z += weights[latent * d + i] * inputs[r * d + i];
              return { latent, value: Math.fround(z) };
            });
          const scored = [...open, ...(free ? free[r] : [])].filter(({ value }) => value >= Math.fround(floor));
          return [...(first ? first[r] : []), ...top(scored, latents, k)];
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
