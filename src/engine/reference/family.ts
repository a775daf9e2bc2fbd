/** The parent–child loss of a feature forest. */
import type { Codes, Tensor } from '../device.ts';
import type { FamilyKernels, FamilyLevels } from '../kernels.ts';
import type { Recorder } from './kernels.ts';
import { eachLatent, eachRow } from './sparse.ts';
import { f32, f64, u32 } from './tensors.ts';

const NONE = 2 ** 32 - 1;

export function familyKernels({ record }: Recorder): FamilyKernels {
  return {
    familyResiduals({ dValue, next, rowSums }, codes, W, levels) {
      record(() => {
        const [index, value, weights] = [u32(codes.index), f32(codes.value), f32(W)];
        const d = W.shape[1];
        const [gradient, ring, sums] = [f32(dValue).fill(0), u32(next).fill(NONE), f64(rowSums).fill(0)];
        const sign = (e: number): number => (index[e] < levels.split ? 1 : -1);
        eachFamily(codes, levels, (row, members) => {
          members.forEach((e, m) => (ring[e] = members[(m + 1) % members.length]));
          const residual = new Float64Array(d);
          for (const e of members)
            for (let i = 0; i < d; i++) residual[i] += sign(e) * value[e] * weights[index[e] * d + i];
          sums[row] += residual.reduce((sum, r) => sum + r * r, 0);
          for (const e of members) {
            let dot = 0;
            for (let i = 0; i < d; i++) dot += residual[i] * weights[index[e] * d + i];
            gradient[e] = 2 * sign(e) * dot;
          }
        });
      });
    },

    coActivate(out, codes, _latents, { from, split, to }, weight) {
      record(() => {
        const [counts, index, value] = [f32(out), u32(codes.index), f32(codes.value)];
        const columns = split - from + 1;
        eachRow(codes, (_row, first, last) => {
          const active = [...index.subarray(first, last)].filter((_, e) => value[first + e] !== 0);
          for (const child of active.filter((latent) => split <= latent && latent < to)) {
            const own = (child - split) * columns;
            counts[own + columns - 1] += Math.fround(weight);
            for (const parent of active)
              if (from <= parent && parent < split) counts[own + parent - from] += Math.fround(weight);
          }
        });
      });
    },

    familyGradient(dW, codes, latents, next, W, { from, split, to }, scale) {
      record(() => {
        const [out, index, value, ring, weights] = [f32(dW), u32(codes.index), f32(codes.value), u32(next), f32(W)];
        const d = W.shape[1];
        eachLatent(codes, latents, (latent, entries) => {
          if (latent < from || latent >= to) return;
          const shared = new Map<number, number>();
          for (const { entry } of entries) {
            if (ring[entry] === NONE) continue;
            let e = entry;
            do {
              shared.set(index[e], (shared.get(index[e]) ?? 0) + value[entry] * value[e]);
              e = ring[e];
            } while (e !== entry);
          }
          for (const [mate, sum] of shared) {
            const sign = mate < split === latent < split ? 1 : -1;
            for (let i = 0; i < d; i++) out[latent * d + i] += Math.fround(scale) * sign * sum * weights[mate * d + i];
          }
        });
      });
    },
  };
}

/** Calls `visit` with the entries of every family in every row: the parent's first, children ascending. */
function eachFamily(
  codes: Codes,
  { parents, hasChildren, from, split, to }: FamilyLevels & { parents: Tensor; hasChildren: Tensor },
  visit: (row: number, members: number[]) => void,
): void {
  const [index, links, open] = [u32(codes.index), u32(parents), u32(hasChildren)];
  eachRow(codes, (row, first, last) => {
    const families = new Map<number, number[]>();
    for (let e = first; e < last; e++) {
      const latent = index[e];
      const isParent = from <= latent && latent < split && open[latent] !== 0;
      const isChild = split <= latent && latent < to && links[latent] !== NONE;
      if (!isParent && !isChild) continue;
      const family = isParent ? latent : links[latent];
      families.set(family, [...(families.get(family) ?? []), e]);
    }
    for (const members of families.values()) visit(row, members);
  });
}
