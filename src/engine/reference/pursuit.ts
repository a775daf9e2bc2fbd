/** Matching pursuit. */
import type { PursuitKernels } from '../kernels.ts';
import type { Recorder } from './kernels.ts';
import { f32, u32 } from './tensors.ts';

export function pursuitKernels({ record }: Recorder): PursuitKernels {
  return {
    pursue({ residual, order, codes }, _scores, _gram, W, { threshold, onRepeat }) {
      record(() => {
        const [weights, d, k] = [f32(W), W.shape[1], codes.perRow!];
        for (let r = 0; r < codes.rows; r++) {
          const left = f32(residual).subarray(r * d, r * d + d);
          const taken = new Map<number, number>();
          let going = true;
          for (let e = r * k; e < r * k + k; e++) {
            const { latent, value } = going ? best(weights, left) : NOTHING;
            u32(order.index)[e] = latent;
            f32(order.value)[e] = value;
            if (value === 0) {
              going = false;
              continue;
            }
            left.forEach((v, p) => (left[p] = v - value * weights[latent * d + p]));
            if ((onRepeat && taken.has(latent)) || Math.hypot(...left) < threshold) going = false;
            taken.set(latent, (taken.get(latent) ?? 0) + value);
          }
          for (let latent = 0; taken.size < k; latent++) if (!taken.has(latent)) taken.set(latent, 0);
          const entries = [...taken].toSorted(([a], [b]) => a - b);
          u32(codes.index).set(
            entries.map(([latent]) => latent),
            r * k,
          );
          f32(codes.value).set(
            entries.map(([, value]) => value),
            r * k,
          );
        }
      });
    },

    pursuitGradients({ dInput, changes, steps }, order, W, residual, { from, to }) {
      record(() => {
        const [weights, d, k] = [f32(W), W.shape[1], order.rows / residual.shape[0]];
        for (let r = from; r < to; r++) {
          const gradient = f32(dInput).subarray(r * d, r * d + d);
          // The residual before the step at hand.
          const before = Float64Array.from(f32(residual).subarray(r * d, r * d + d));
          for (let t = k - 1; t >= 0; t--) {
            const [latent, value] = [u32(order.index)[r * k + t], f32(order.value)[r * k + t]];
            const w = weights.subarray(latent * d, latent * d + d);
            const gamma = value === 0 ? 0 : gradient.reduce((sum, v, p) => sum + v * w[p], 0);
            const out = (r - from) * k + t;
            u32(steps.index)[out] = latent;
            f32(steps.value)[out] = value === 0 ? 0 : -1;
            for (let p = 0; p < d; p++) {
              before[p] += value * w[p];
              f32(changes)[out * d + p] = value * gradient[p] + gamma * before[p];
              gradient[p] -= gamma * w[p];
            }
          }
        }
      });
    },
  };
}

interface Step {
  latent: number;
  value: number;
}

/** No latent fits. */
const NOTHING: Step = { latent: 0, value: 0 };

/** The latent with the largest positive score. */
function best(weights: Float32Array, left: Float32Array): Step {
  const d = left.length;
  let found = NOTHING;
  for (let latent = 0; latent < weights.length / d; latent++) {
    let score = 0;
    for (let p = 0; p < d; p++) score += weights[latent * d + p] * left[p];
    const value = Math.fround(score);
    if (value > found.value) found = { latent, value };
  }
  return found;
}
