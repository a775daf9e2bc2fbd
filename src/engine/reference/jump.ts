/** Thresholds that are learned straight through, and arithmetic on entries. */
import type { LatentIndex } from '../device.ts';
import type { JumpKernels, Window } from '../kernels.ts';
import type { Recorder } from './kernels.ts';
import { eachEntry } from './sparse.ts';
import { f32, f64, u32 } from './tensors.ts';

export function jumpKernels({ record }: Recorder): JumpKernels {
  return {
    liftBias(out, bias, threshold, offset) {
      record(() => {
        const [result, biases] = [f32(out), bias && f32(bias)];
        f32(threshold).forEach((theta, i) => (result[i] = (biases ? biases[i] : 0) - theta + Math.fround(offset)));
      });
    },

    jump(out, codes, lifted, bias, threshold) {
      record(() => {
        const [z, value, scores, index] = [f32(out.z), f32(out.value), f32(codes.value), u32(codes.index)];
        const [lifts, thresholds, biases] = [f32(lifted), f32(threshold), bias && f32(bias)];
        eachEntry(codes, (e) => {
          const i = index[e];
          const shift = lifts[i] - (biases ? biases[i] : 0);
          // Compared as lifted: a score that equals its threshold must not end above it by rounding.
          const active = scores[e] > Math.fround(thresholds[i] + shift);
          z[e] = scores[e] - shift;
          value[e] = active ? z[e] : 0;
          if (!active) z[e] = Math.min(z[e], thresholds[i]);
        });
      });
    },

    windowSum({ tensor, accumulate }, index, window, weight, scale) {
      record(() => {
        const [result, thresholds, weights] = [f32(tensor), f32(window.threshold), f32(weight)];
        eachInWindow(window, index, (i, entries) => {
          const sum = entries.filter(({ near }) => near).reduce((total, { entry }) => total + weights[entry], 0);
          result[i] = (accumulate ? result[i] : 0) + Math.fround(scale) * thresholds[i] * sum;
        });
      });
    },

    windowCount({ tensor, accumulate }, index, window, { scale, factor, inactiveOf, range }) {
      record(() => {
        const [result, thresholds] = [f32(tensor), f32(window.threshold)];
        eachInWindow(window, index, (i, entries) => {
          if (range && (i < range.from || i >= range.to)) return;
          const active = entries.filter(({ above }) => above);
          let count = (inactiveOf === undefined ? entries : active).filter(({ near }) => near).length;
          const reachesZero = Math.abs(thresholds[i]) < 0.5 * Math.fround(window.bandwidth);
          if (inactiveOf !== undefined && reachesZero) count += inactiveOf - active.length;
          const d = Math.fround(scale) * (factor ? f64(factor)[0] : 1) * count;
          result[i] = (accumulate ? result[i] : 0) + d;
        });
      });
    },

    countActive(rowSums, codes, { from, to } = { from: 0, to: codes.width }) {
      record(() => {
        const [sums, index, value] = [f64(rowSums), u32(codes.index), f32(codes.value)];
        sums.fill(0);
        eachEntry(codes, (e, row) => {
          if (from <= index[e] && index[e] < to && value[e] !== 0) sums[row]++;
        });
      });
    },

    squaredExcess({ excess, square }, a, target) {
      record(() => {
        const over = f64(a)[0] / target - 1;
        f64(excess)[0] = over;
        f64(square)[0] = over * over;
      });
    },

    thresholdGap(out, codes, threshold) {
      record(() => {
        const [result, index, value, thresholds] = [f32(out), u32(codes.index), f32(codes.value), f32(threshold)];
        eachEntry(codes, (e) => void (result[e] = Math.max(0, thresholds[index[e]] - value[e])));
      });
    },

    spreadLatents(out, codes, factor) {
      record(() => {
        const [result, index, factors] = [f32(out), u32(codes.index), f32(factor)];
        eachEntry(codes, (e) => void (result[e] = factors[index[e]]));
      });
    },

    exponential(out, a) {
      record(() => f32(a).forEach((value, i) => (f32(out)[i] = Math.exp(value))));
    },

    rectify(out, a) {
      record(() => f32(a).forEach((value, i) => (f32(out)[i] = Math.max(0, value))));
    },

    multiply(out, accumulate, a, b) {
      record(() => {
        const [result, left, right] = [f32(out), f32(a), f32(b)];
        left.forEach((value, i) => (result[i] = (accumulate ? result[i] : 0) + value * right[i]));
      });
    },

    scaleWhere(out, accumulate, a, mask, scale) {
      record(() => {
        const [result, values] = [f32(out), f32(a)];
        f32(mask).forEach((open, i) => {
          result[i] = (accumulate ? result[i] : 0) + (open === 0 ? 0 : Math.fround(scale) * values[i]);
        });
      });
    },

    ghostError({ gradient, rowSums }, ghost, residual) {
      record(() => {
        const [rows, cols] = residual.shape;
        for (let r = 0; r < rows; r++) {
          const [g, t] = [ghost, residual].map((all) => f32(all).subarray(r * cols, (r + 1) * cols));
          const s = Math.hypot(...t) / (1e-6 + 2 * Math.hypot(...g));
          f64(rowSums)[r] = 0;
          t.forEach((value, i) => {
            const delta = s * g[i] - value;
            const weight = value ** 2 / (delta ** 2 + 1e-6);
            f64(rowSums)[r] += weight * delta ** 2;
            f32(gradient)[r * cols + i] = s * weight * delta;
          });
        }
      });
    },
  };
}

interface WindowEntry {
  entry: number;
  above: boolean;
  near: boolean;
}

/** Calls `visit` with every latent and where its entries lie. */
function eachInWindow(
  { z, threshold, bandwidth }: Window,
  index: LatentIndex,
  visit: (latent: number, entries: WindowEntry[]) => void,
): void {
  const [latentPtr, entryOf, scores] = [u32(index.latentPtr), u32(index.entryOf), f32(z)];
  f32(threshold).forEach((theta, i) => {
    const entries = [...entryOf.subarray(latentPtr[i], latentPtr[i + 1])].map((entry) => ({
      entry,
      above: scores[entry] > theta,
      near: Math.abs(scores[entry] - theta) < 0.5 * Math.fround(bandwidth),
    }));
    visit(i, entries);
  });
}
