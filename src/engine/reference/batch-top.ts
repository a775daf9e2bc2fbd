/** Selection over a whole batch, and scalars of selections. */
import type { BatchTopKernels } from '../kernels.ts';
import { scoresOf, store } from './encoding.ts';
import type { Recorder } from './kernels.ts';
import { f64, ReferenceCodes, u32 } from './tensors.ts';

export function batchTopKernels({ record, resolve }: Recorder): BatchTopKernels {
  return {
    encodeBatchTop(codes, x, W, bias, floor, total) {
      record(() => {
        const own = ReferenceCodes.of(codes);
        const all = Array.from({ length: own.width }, (_, latent) => latent);
        const rows = scoresOf(own.rows, all, x, W, bias, floor);
        // The sort is stable: ties stay in the order of rows and latents.
        const chosen = new Set(
          rows
            .flat()
            .toSorted((a, b) => b.value - a.value)
            .slice(0, total),
        );
        resolve(own, chosen.size);
        store(
          own,
          rows.map((row) => row.filter((entry) => chosen.has(entry))),
        );
      });
    },

    leastPositive(out, values) {
      record(() => {
        const positive = f64(values).filter((value) => value > 0);
        f64(out)[0] = positive.length === 0 ? 0 : Math.min(...positive);
      });
    },

    setSize(out, set) {
      record(() => {
        f64(out)[0] = u32(set.count)[0];
      });
    },
  };
}
