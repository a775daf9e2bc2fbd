/** Routing each row to one expert. */
import type { RoutingKernels } from '../kernels.ts';
import type { Recorder } from './kernels.ts';
import { eachRow } from './sparse.ts';
import { f32, u32 } from './tensors.ts';

export function routingKernels({ record }: Recorder): RoutingKernels {
  return {
    route({ p, codes, chosen }, logits) {
      record(() => {
        const [probabilities, scores] = [f32(p), f32(logits)];
        const [rows, n] = logits.shape;
        for (let r = 0; r < rows; r++) {
          const row = scores.subarray(r * n, r * n + n);
          const best = row.reduce((top, score, j) => (score > row[top] ? j : top), 0);
          const exponentials = Array.from(row, (score) => Math.exp(score - row[best]));
          const sum = exponentials.reduce((total, value) => total + value, 0);
          probabilities.set(
            exponentials.map((value) => value / sum),
            r * n,
          );
          u32(codes.index)[r] = best;
          f32(codes.value)[r] = 1;
          f32(chosen)[r] = probabilities[r * n + best];
        }
      });
    },

    routeGradient(dLogits, p, codes, dChosen, dEvery) {
      record(() => {
        const [result, probabilities, every] = [f32(dLogits), f32(p), f32(dEvery)];
        const extra = dChosen && f32(dChosen);
        const [rows, n] = p.shape;
        for (let r = 0; r < rows; r++) {
          const row = probabilities.subarray(r * n, r * n + n);
          const best = u32(codes.index)[r];
          const dP = Array.from(every, (d, j) => d + (extra && j === best ? extra[r] : 0));
          const mean = dP.reduce((sum, d, j) => sum + d * row[j], 0);
          dP.forEach((d, j) => (result[r * n + j] = row[j] * (d - mean)));
        }
      });
    },

    scaleEntries(out, accumulate, codes, values, factor) {
      record(() => {
        const [result, inputs, factors] = [f32(out), f32(values), f32(factor)];
        eachRow(codes, (r, from, to) => {
          for (let e = from; e < to; e++) result[e] = (accumulate ? result[e] : 0) + factors[r] * inputs[e];
        });
      });
    },

    entryDots(out, accumulate, codes, a, b) {
      record(() => {
        const [result, left, right] = [f32(out), f32(a), f32(b)];
        eachRow(codes, (r, from, to) => {
          let sum = accumulate ? result[r] : 0;
          for (let e = from; e < to; e++) sum += left[e] * right[e];
          result[r] = sum;
        });
      });
    },
  };
}
