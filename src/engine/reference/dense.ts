/** Dense products, losses and reductions. */
import type { Tensor } from '../device.ts';
import type { DenseKernels } from '../kernels.ts';
import type { Recorder } from './kernels.ts';
import { dataOf, f32, f64 } from './tensors.ts';

export function denseKernels({ record }: Recorder): DenseKernels {
  return {
    product(out, a, b, kind) {
      record(() => {
        const [result, left, right] = [f32(out), f32(a), f32(b)];
        const [m, n] = out.shape;
        const depth = kind === 'tn' ? a.shape[0] : a.shape[1];
        for (let i = 0; i < m; i++) {
          for (let j = 0; j < n; j++) {
            let sum = 0;
            for (let p = 0; p < depth; p++) {
              sum += left[kind === 'tn' ? p * m + i : i * depth + p] * right[kind === 'nt' ? j * depth + p : p * n + j];
            }
            result[i * n + j] = sum;
          }
        }
      });
    },

    subtractRow(out, x, row) {
      record(() => {
        const [result, values, subtrahend] = [f32(out), f32(x), f32(row)];
        const cols = x.shape[1];
        for (let i = 0; i < values.length; i++) result[i] = values[i] - subtrahend[i % cols];
      });
    },

    scale(out, accumulate, a, scale) {
      record(() => addScaled(f32(out), accumulate, f32(a), scale));
    },

    clear(out) {
      record(() => void dataOf(out, out.dtype).fill(0));
    },

    place(out, at, a) {
      record(() => f32(out).set(f32(a), at));
    },

    squaredDifference(difference, rowSums, a, b) {
      record(() => {
        const [result, sums, left] = [f32(difference), f64(rowSums), f32(a)];
        const right = b && f32(b);
        const [rows, cols] = a.shape;
        for (let r = 0; r < rows; r++) {
          sums[r] = 0;
          for (let i = r * cols; i < (r + 1) * cols; i++) {
            result[i] = left[i] - (right ? right[i] : 0);
            sums[r] += result[i] ** 2;
          }
        }
      });
    },

    sum(out, values, scale) {
      record(() => {
        f64(out)[0] = scale * f64(values).reduce((sum, value) => sum + value, 0);
      });
    },

    innerProduct(out, a, b) {
      record(() => {
        const [left, right] = [f32(a), f32(b)];
        f64(out)[0] = left.reduce((sum, value, i) => sum + value * right[i], 0);
      });
    },

    maximum(out, a) {
      record(() => {
        f64(out)[0] = f32(a).reduce((largest, value) => Math.max(largest, value));
      });
    },

    divide(out, a, b) {
      record(() => {
        f64(out)[0] = quotient(f64(a)[0], b);
      });
    },

    clampedRatio(out, a, b, scale, low, high) {
      record(() => {
        const divisor = b ? f64(b)[0] : 1;
        const ratio = (scale * f64(a)[0]) / divisor;
        f64(out)[0] = divisor === 0 ? high : Math.min(Math.max(ratio, low), high);
      });
    },

    rootOfSum(out, terms, scale) {
      record(() => {
        const sum = terms.reduce((total, { term, weight }) => total + weight * f64(term)[0], 0);
        f64(out)[0] = scale * Math.sqrt(Math.max(0, sum));
      });
    },

    scaleBy(out, accumulate, a, scale, divisor) {
      record(() => addScaled(f32(out), accumulate, f32(a), quotient(scale, divisor)));
    },

    columnSum(out, accumulate, a, weights, scale) {
      record(() => {
        const [result, values] = [f32(out), f32(a)];
        const factors = weights && f32(weights);
        const [rows, cols] = a.shape;
        for (let i = 0; i < cols; i++) {
          let sum = 0;
          for (let r = 0; r < rows; r++) sum += (factors ? factors[r] : 1) * values[r * cols + i];
          result[i] = (accumulate ? result[i] : 0) + scale * sum;
        }
      });
    },

    rowDots(out, a, b) {
      record(() => {
        const [result, left, right] = [f32(out), f32(a), f32(b)];
        const [rows, cols] = a.shape;
        const stride = b.shape.length === 1 ? 0 : cols;
        for (let r = 0; r < rows; r++) {
          let sum = 0;
          for (let i = 0; i < cols; i++) sum += left[r * cols + i] * right[r * stride + i];
          result[r] = sum;
        }
      });
    },

    scaleRows(out, accumulate, weights, a, scale) {
      record(() => {
        const [result, values] = [f32(out), f32(a)];
        const factors = weights && f32(weights);
        const [rows, cols] = out.shape;
        const stride = a.shape.length === 1 ? 0 : cols;
        for (let r = 0; r < rows; r++) {
          const factor = scale * (factors ? factors[r] : 1);
          for (let i = 0; i < cols; i++) {
            const o = r * cols + i;
            result[o] = (accumulate ? result[o] : 0) + factor * values[r * stride + i];
          }
        }
      });
    },
  };
}

function addScaled(out: Float32Array, accumulate: boolean, a: Float32Array, scale: number): void {
  for (let i = 0; i < a.length; i++) out[i] = (accumulate ? out[i] : 0) + scale * a[i];
}

/** dividend / divisor[0], 0 where the divisor is 0. */
function quotient(dividend: number, divisor: Tensor): number {
  const by = f64(divisor)[0];
  return by === 0 ? 0 : dividend / by;
}
