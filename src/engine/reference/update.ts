/** The update of parameters. Rows are the last axis. */
import type { Tensor } from '../device.ts';
import type { UpdateKernels } from '../kernels.ts';
import type { Recorder } from './kernels.ts';
import { f32, f64 } from './tensors.ts';

export function updateKernels({ record }: Recorder): UpdateKernels {
  return {
    projectRows(gradient, square, W, epsilon) {
      record(() => {
        let total = 0;
        eachRow(W, (row, from, to) => {
          const slice = f32(gradient).subarray(from, to);
          const length = epsilon === 'raw' ? 1 : Math.sqrt(dot(row, row)) + epsilon;
          const along = dot(slice, row) / length ** 2;
          if (length > 0) slice.forEach((g, i) => (slice[i] = g - along * row[i]));
          total += dot(slice, slice);
        });
        f64(square)[0] = total;
      });
    },

    normalizeRows(W, epsilon) {
      record(() => eachRow(W, (row) => normalize(row, epsilon)));
    },

    normalizeRowsGradient(dW, accumulate, dU, W, epsilon) {
      record(() => {
        eachRow(W, (row, from, to) => {
          const [result, gradient] = [f32(dW).subarray(from, to), f32(dU).subarray(from, to)];
          const n = Math.sqrt(dot(row, row));
          const along = dot(row, gradient) / (n * (n + epsilon) ** 2);
          row.forEach((w, i) => {
            // A row of zeros stays one: nothing flows through it.
            const flow = n === 0 ? 0 : gradient[i] / (n + epsilon) - w * along;
            result[i] = (accumulate ? result[i] : 0) + flow;
          });
        });
      });
    },

    adam(parameter, gradient, m, v, step, unitRows) {
      record(() => {
        const { gradientScale, beta1, beta2, stepSize, correction, epsilon, decay, coupledDecay } = step;
        const [p, g, first, second] = [f32(parameter), f32(gradient), f32(m), f32(v)];
        for (let i = 0; i < p.length; i++) {
          const scaled = gradientScale * g[i] + coupledDecay * p[i];
          first[i] = beta1 * first[i] + (1 - beta1) * scaled;
          second[i] = beta2 * second[i] + (1 - beta2) * scaled ** 2;
          p[i] = decay * p[i] - (stepSize * first[i]) / (Math.sqrt(second[i]) * correction + epsilon);
        }
        if (unitRows) eachRow(parameter, (row) => normalize(row, unitRows.epsilon));
      });
    },
  };
}

/** Calls `visit` with every row of a matrix and its range of elements. */
function eachRow(matrix: Tensor, visit: (row: Float32Array, from: number, to: number) => void): void {
  const data = f32(matrix);
  const cols = matrix.shape[matrix.shape.length - 1];
  for (let from = 0; from < data.length; from += cols) visit(data.subarray(from, from + cols), from, from + cols);
}

function normalize(row: Float32Array, epsilon: number): void {
  const length = Math.sqrt(dot(row, row)) + epsilon;
  if (length > 0) row.forEach((w, i) => (row[i] = w / length));
}

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * b[i], 0);
