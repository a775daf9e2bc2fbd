/** Codes with matrices, sums over entries, and the bookkeeping of latents. */
import type { Codes, LatentIndex } from '../device.ts';
import type { CodesKernels, LatentRange } from '../kernels.ts';
import type { Recorder } from './kernels.ts';
import { f32, f64, u32 } from './tensors.ts';

export function sparseKernels({ record }: Recorder): CodesKernels {
  return {
    decode(out, codes, values, W, base, block = 1, range = all(codes)) {
      record(() => {
        const [result, coefficients, weights, index] = [f32(out), f32(values), f32(W), u32(codes.index)];
        const d = out.shape[1];
        const start = base && f32(base);
        const stride = base?.shape.length === 2 ? d : 0;
        eachRow(codes, (r, from, to) => {
          for (let i = 0; i < d; i++) {
            let sum = start ? start[r * stride + i] : 0;
            for (let t = from * block; t < to * block; t++) {
              if (isIn(range, index[Math.floor(t / block)]))
                sum += coefficients[t] * weights[weightRow(index, t, block) * d + i];
            }
            result[r * d + i] = sum;
          }
        });
      });
    },

    gatheredDots(out, accumulate, codes, mask, W, vectors, block = 1, range = all(codes)) {
      record(() => {
        const [result, weights, rows, index] = [f32(out), f32(W), f32(vectors), u32(codes.index)];
        const d = vectors.shape[1];
        const open = mask && f32(mask);
        eachRow(codes, (r, from, to) => {
          for (let t = from * block; t < to * block; t++) {
            if (!isIn(range, index[Math.floor(t / block)])) continue;
            let sum = accumulate ? result[t] : 0;
            if (!open || open[t] !== 0) {
              for (let i = 0; i < d; i++) sum += weights[weightRow(index, t, block) * d + i] * rows[r * d + i];
            }
            result[t] = sum;
          }
        });
      });
    },

    indexLatents(latents, codes) {
      record(() => {
        const index = u32(codes.index);
        const found: { entry: number; row: number }[] = [];
        eachEntry(codes, (entry, row) => found.push({ entry, row }));
        found.sort((a, b) => index[a.entry] - index[b.entry] || a.entry - b.entry);
        u32(latents.entryOf).set(found.map(({ entry }) => entry));
        u32(latents.rowOf).set(found.map(({ row }) => row));
        const latentPtr = u32(latents.latentPtr).fill(0);
        for (const { entry } of found) latentPtr[index[entry] + 1]++;
        for (let i = 0; i < codes.width; i++) latentPtr[i + 1] += latentPtr[i];
      });
    },

    latentGradient(out, accumulate, codes, latents, coefficient, source, block = 1, range = all(codes)) {
      record(() => {
        const [result, factors, rows] = [f32(out), f32(coefficient), f32(source)];
        const d = source.shape[1];
        eachLatent(codes, latents, (latent, entries) => {
          if (!isIn(range, latent)) return;
          for (let b = 0; b < block; b++) {
            for (let i = 0; i < d; i++) {
              const o = (latent * block + b) * d + i;
              let sum = accumulate ? result[o] : 0;
              for (const { entry, row } of entries) sum += factors[entry * block + b] * rows[row * d + i];
              result[o] = sum;
            }
          }
        });
      });
    },

    decodeGradients(
      dValues,
      dW,
      codes,
      latents,
      values,
      W,
      dOut,
      block = 1,
      range = all(codes),
      mask = block === 1 ? values : null,
    ) {
      this.gatheredDots(dValues.tensor, dValues.accumulate, codes, mask, W, dOut, block, range);
      this.latentGradient(dW.tensor, dW.accumulate, codes, latents, values, dOut, block, range);
    },

    dotsByLatent(out, codes, _latents, W, vectors, block = 1) {
      this.gatheredDots(out, false, codes, null, W, vectors, block);
    },

    latentSum(out, accumulate, codes, latents, coefficient) {
      record(() => {
        const [result, factors] = [f32(out), f32(coefficient)];
        eachLatent(codes, latents, (latent, entries) => {
          const start = accumulate ? result[latent] : 0;
          result[latent] = entries.reduce((sum, { entry }) => sum + factors[entry], start);
        });
      });
    },

    absoluteRowSums(rowSums, codes) {
      record(() => {
        const [sums, value] = [f64(rowSums), f32(codes.value)];
        eachRow(codes, (r, from, to) => {
          sums[r] = value.subarray(from, to).reduce((sum, v) => sum + Math.abs(v), 0);
        });
      });
    },

    absoluteGradient(dValue, accumulate, codes, scale) {
      record(() => {
        const [result, value] = [f32(dValue), f32(codes.value)];
        eachEntry(codes, (e) => {
          result[e] = (accumulate ? result[e] : 0) + scale * Math.sign(value[e]);
        });
      });
    },

    scatterAdd(out, source, position) {
      record(() => {
        const [result, values] = [f32(out), f32(source)];
        u32(position).forEach((at, e) => {
          if (at !== 2 ** 32 - 1) result[at] += values[e];
        });
      });
    },

    smallestPositive(rowMin, codes) {
      record(() => {
        const [result, value] = [f64(rowMin), f32(codes.value)];
        eachRow(codes, (r, from, to) => {
          const positive = [...value.subarray(from, to)].filter((v) => v > 0);
          result[r] = positive.reduce((least, v) => Math.min(least, v), positive[0] ?? 0);
        });
      });
    },

    countSinceFired(counter, codes, latents, increment, above = -Infinity) {
      record(() => {
        const [counts, value] = [f32(counter), f32(codes.value)];
        eachLatent(codes, latents, (latent, entries) => {
          const fired = entries.some(({ entry }) => value[entry] > Math.fround(above));
          counts[latent] = fired ? 0 : counts[latent] + increment;
        });
      });
    },

    listAtLeast(set, counter, threshold) {
      record(() => {
        const counts = f32(counter);
        const listed = [...counts.keys()].filter((latent) => counts[latent] >= Math.fround(threshold));
        u32(set.list).set(listed);
        u32(set.count)[0] = listed.length;
      });
    },
  };
}

const all = (codes: Codes): LatentRange => ({ from: 0, to: codes.width });

const isIn = ({ from, to }: LatentRange, latent: number): boolean => from <= latent && latent < to;

/** Row of W that value `t` stands for. */
const weightRow = (index: Uint32Array, t: number, block: number): number =>
  index[Math.floor(t / block)] * block + (t % block);

/** Calls `visit` with every row and the range of its entries. */
export function eachRow(codes: Codes, visit: (row: number, from: number, to: number) => void): void {
  const rowPtr = u32(codes.rowPtr);
  for (let r = 0; r < codes.rows; r++) visit(r, rowPtr[r], rowPtr[r + 1]);
}

/** Calls `visit` with every entry and its row. */
export function eachEntry(codes: Codes, visit: (entry: number, row: number) => void): void {
  eachRow(codes, (row, from, to) => {
    for (let entry = from; entry < to; entry++) visit(entry, row);
  });
}

/** Calls `visit` with every latent and its entries. */
export function eachLatent(
  codes: Codes,
  latents: LatentIndex,
  visit: (latent: number, entries: { entry: number; row: number }[]) => void,
): void {
  const [latentPtr, entryOf, rowOf] = [u32(latents.latentPtr), u32(latents.entryOf), u32(latents.rowOf)];
  for (let latent = 0; latent < codes.width; latent++) {
    const entries: { entry: number; row: number }[] = [];
    for (let p = latentPtr[latent]; p < latentPtr[latent + 1]; p++) entries.push({ entry: entryOf[p], row: rowOf[p] });
    visit(latent, entries);
  }
}
