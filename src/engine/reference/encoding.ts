/** Encoding: scores of latents, and which of them become entries of the codes. */
import type { Tensor } from '../device.ts';
import type { EncodingKernels } from '../kernels.ts';
import type { Recorder } from './kernels.ts';
import { f32, ReferenceCodes, u32 } from './tensors.ts';

export interface Entry {
  latent: number;
  value: number;
  /** Where it was taken from (topOfCodes). */
  position?: number;
}

export function encodingKernels({ record, resolve }: Recorder): EncodingKernels {
  return {
    encodeTop(codes, x, W, bias, floor) {
      record(() => {
        const own = ReferenceCodes.of(codes);
        const all = Array.from({ length: own.width }, (_, latent) => latent);
        store(
          own,
          scoresOf(own.rows, all, x, W, bias, floor).map((row) => top(row, all, own.perRow!)),
        );
      });
    },

    encodeTopAmong(codes, x, W, bias, floor, k, among) {
      record(() => {
        const own = ReferenceCodes.of(codes);
        const listed = [...u32(among.list).subarray(0, u32(among.count)[0])];
        const perRow = Math.min(k, listed.length);
        resolve(own, own.rows * perRow);
        store(
          own,
          scoresOf(own.rows, listed, x, W, bias, floor).map((row) => top(row, listed, perRow)),
        );
      });
    },

    encodeAtLeast(codes, x, W, bias, floor) {
      record(() => {
        const own = ReferenceCodes.of(codes);
        const all = Array.from({ length: own.width }, (_, latent) => latent);
        const rows = scoresOf(own.rows, all, x, W, bias, floor);
        resolve(
          own,
          rows.reduce((sum, row) => sum + row.length, 0),
        );
        store(own, rows);
      });
    },

    topOfCodes(topCodes, position, codes) {
      record(() => {
        const own = ReferenceCodes.of(topCodes);
        const [rowPtr, index, value] = [u32(codes.rowPtr), u32(codes.index), f32(codes.value)];
        const all = Array.from({ length: codes.width }, (_, latent) => latent);
        const rows: Entry[][] = [];
        for (let r = 0; r < codes.rows; r++) {
          const entries: Entry[] = [];
          for (let e = rowPtr[r]; e < rowPtr[r + 1]; e++) {
            entries.push({ latent: index[e], value: value[e], position: e });
          }
          rows.push(top(entries, all, own.perRow!));
        }
        store(own, rows);
        u32(position).set(rows.flat().map((entry) => entry.position ?? 2 ** 32 - 1));
      });
    },
  };
}

/** For every row of x the latents among `latents` with z = W x (+ bias) ≥ floor. */
export function scoresOf(
  rows: number,
  latents: readonly number[],
  x: Tensor,
  W: Tensor,
  bias: Tensor | null,
  floor: number,
): Entry[][] {
  const [inputs, weights] = [f32(x), f32(W)];
  const d = x.shape[1];
  const biases = bias && f32(bias);
  const stride = bias?.shape.length === 2 ? bias.shape[1] : 0;
  return Array.from({ length: rows }, (_, r) => {
    const entries: Entry[] = [];
    for (const latent of latents) {
      let z = biases ? biases[r * stride + latent] : 0;
      for (let i = 0; i < d; i++) z += weights[latent * d + i] * inputs[r * d + i];
      const value = Math.fround(z);
      if (value >= Math.fround(floor)) entries.push({ latent, value });
    }
    return entries;
  });
}

/** The k largest entries (ties: lowest latent), filled up with value 0 from the first latents on, in ascending order. */
export function top(entries: readonly Entry[], latents: readonly number[], k: number): Entry[] {
  const chosen = entries.toSorted((a, b) => b.value - a.value || a.latent - b.latent).slice(0, k);
  const taken = new Set(chosen.map((entry) => entry.latent));
  const fills = latents.filter((latent) => !taken.has(latent)).slice(0, k - chosen.length);
  return [...chosen, ...fills.map((latent) => ({ latent, value: 0 }))].toSorted((a, b) => a.latent - b.latent);
}

export function store(codes: ReferenceCodes, rows: readonly (readonly Entry[])[]): void {
  const rowPtr = u32(codes.rowPtr);
  rowPtr[0] = 0;
  rows.forEach((row, r) => (rowPtr[r + 1] = rowPtr[r] + row.length));
  u32(codes.index).set(rows.flat().map((entry) => entry.latent));
  f32(codes.value).set(rows.flat().map((entry) => entry.value));
}
