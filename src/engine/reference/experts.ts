/** The two-level experts of H-SAE between the projections down and up (methods: `c = sub · D[winner]`). */
import type { ExpertShape, ExpertsKernels } from '../kernels.ts';
import type { Recorder } from './kernels.ts';
import { eachLatent } from './sparse.ts';
import { f32, f64, u32 } from './tensors.ts';

export function expertKernels({ record }: Recorder): ExpertsKernels {
  return {
    expertsForward(out, codes, y, E, D, shape) {
      record(() => {
        const [c, winner, sub, rowSums] = [f32(out.c), u32(out.winner), f32(out.sub), f64(out.rowSums)];
        const [rowPtr, index, value] = [u32(codes.rowPtr), u32(codes.index), f32(codes.value)];
        const [inputs, encoder, decoder] = [f32(y), f32(E), f32(D)];
        const { atoms, subspace } = shape;
        for (let r = 0; r < codes.rows; r++) {
          rowSums[r] = 0;
          for (let e = rowPtr[r]; e < rowPtr[r + 1]; e++) {
            const q = atomsOf(index[e], e, inputs, encoder, shape).map((atom) => atom.q);
            const best = q.indexOf(Math.max(...q));
            rowSums[r] += q.reduce((sum, v) => sum + Math.abs(v), 0);
            winner[e] = best;
            // An expert whose parent was only filled in stays silent.
            sub[e] = value[e] > 0 ? q[best] : 0;
            for (let i = 0; i < subspace; i++) {
              c[e * subspace + i] = sub[e] * decoder[(index[e] * atoms + best) * subspace + i];
            }
          }
        }
      });
    },

    expertsBackward(out, codes, latents, saved, E, D, shape, l1) {
      record(() => {
        const [dY, dE, dD] = [f32(out.dY), f32(out.dE), f32(out.dD)];
        const [winner, sub, y, dC] = [u32(saved.winner), f32(saved.sub), f32(saved.y), f32(saved.dC)];
        const [value, encoder, decoder] = [f32(codes.value), f32(E), f32(D)];
        const { atoms, subspace, slope } = shape;
        if (!out.accumulate) {
          dE.fill(0);
          dD.fill(0);
        }
        dY.fill(0);
        eachLatent(codes, latents, (latent, entries) => {
          for (const { entry } of entries) {
            atomsOf(latent, entry, y, encoder, shape).forEach(({ q, on }, m) => {
              const row = (latent * atoms + m) * subspace;
              let dq = l1 * Math.sign(q);
              if (m === winner[entry] && value[entry] > 0) {
                for (let i = 0; i < subspace; i++) {
                  dq += dC[entry * subspace + i] * decoder[row + i];
                  dD[row + i] += sub[entry] * dC[entry * subspace + i];
                }
              }
              const du = on ? dq : slope * dq;
              for (let i = 0; i < subspace; i++) {
                dE[row + i] += du * y[entry * subspace + i];
                dY[entry * subspace + i] += du * encoder[row + i];
              }
            });
          }
        });
      });
    },

    joinExperts(out, top, winner, sub, atoms) {
      record(() => {
        const [index, value, parents, activations] = [u32(out.index), f32(out.value), u32(top.index), f32(top.value)];
        const [winners, subs] = [u32(winner), f32(sub)];
        const k = top.perRow!;
        parents.forEach((parent, e) => {
          // The entries of the rows before stand there twice.
          const o = Math.floor(e / k) * k + e;
          index[o] = parent;
          value[o] = activations[e];
          index[o + k] = top.width + parent * atoms + winners[e];
          value[o + k] = subs[e];
        });
      });
    },
  };
}

/** For each atom of the expert of an entry: u = E[atom] · y, q = u where u ≥ theta (`on`), else slope · u. */
function atomsOf(
  latent: number,
  entry: number,
  y: Float32Array,
  encoder: Float32Array,
  { atoms, subspace, theta, slope }: ExpertShape,
): { q: number; on: boolean }[] {
  return Array.from({ length: atoms }, (_, m) => {
    let u = 0;
    for (let i = 0; i < subspace; i++) u += encoder[(latent * atoms + m) * subspace + i] * y[entry * subspace + i];
    return { q: u >= theta ? u : slope * u, on: u >= theta };
  });
}
