/** Penalties weighted by the norms of decoder rows. */
import type { PenaltyKernels } from '../kernels.ts';
import type { Recorder } from './kernels.ts';
import { eachEntry, eachRow } from './sparse.ts';
import { f32, f64, u32 } from './tensors.ts';

export function penaltyKernels({ record }: Recorder): PenaltyKernels {
  return {
    rowNorms(out, W) {
      record(() => {
        const cols = W.shape[W.shape.length - 1];
        const weights = f32(W);
        f32(out).forEach((_, i, norms) => (norms[i] = Math.hypot(...weights.subarray(i * cols, (i + 1) * cols))));
      });
    },

    normWeightedSums(rowSums, codes, norms, { kind, scale }) {
      record(() => {
        const [sums, index, value, lengths] = [f64(rowSums), u32(codes.index), f32(codes.value), f32(norms)];
        eachRow(codes, (r, from, to) => {
          sums[r] = 0;
          for (let e = from; e < to; e++) {
            const u = value[e] * lengths[index[e]];
            sums[r] += kind === 'tanh' ? Math.tanh(scale * u) : u;
          }
        });
      });
    },

    normWeightedGradient({ dValue, coefficient }, codes, norms, { kind, scale }, seed) {
      record(() => {
        const [index, value, lengths, out] = [u32(codes.index), f32(codes.value), f32(norms), f32(coefficient)];
        const gradient = dValue && f32(dValue.tensor);
        eachEntry(codes, (e) => {
          const norm = lengths[index[e]];
          const slope = seed * (kind === 'tanh' ? scale * (1 - Math.tanh(scale * value[e] * norm) ** 2) : 1);
          out[e] = norm === 0 ? 0 : (slope * value[e]) / norm;
          if (gradient) gradient[e] = (dValue.accumulate ? gradient[e] : 0) + slope * norm;
        });
      });
    },
  };
}
