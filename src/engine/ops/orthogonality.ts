/**
 * H-SAE's penalty on the alignment of encoder and decoder (arXiv 2506.01197, eq. 3.4; methods 1.4). With M_ij = d̂_i · ê_j:
 *
 *   release    ‖M − 1·diag(M)ᵀ‖_F / (n² − n)   the released code: each entry minus the diagonal entry of its column
 *   paper      ‖offdiag(M)‖_F / (n² − n)       on the same normalised rows
 *   paper_raw  the same without normalisation, as eq. (3.4) is printed
 *
 * M [n, n] is never formed: ‖M‖²_F = ⟨ÊᵀÊ, D̂ᵀD̂⟩ costs n·d² instead of n²·d, and its gradient 2 Ê (D̂ᵀD̂) likewise. With
 * m_j = M_jj, s = Σ_i d̂_i and t_j = s·ê_j, the square of the norm is ‖M‖² − 2 Σ m_j t_j + n Σ m_j² (release) or
 * ‖M‖² − Σ m_j² (paper). E, D [n, d]; rows are divided by (norm + 1e-6).
 */
import type { Tensor } from '../device.ts';
import type { Scalar, Tape } from '../tape.ts';

export type OrthogonalityVariant = 'release' | 'paper' | 'paper_raw';

const EPSILON = 1e-6;

export function orthogonality(tape: Tape, E: Tensor, D: Tensor, variant: OrthogonalityVariant): Scalar {
  const { device } = tape;
  const { kernels } = device;
  const [n, d] = E.shape;
  const unit = variant !== 'paper_raw';
  const e = unit ? normalized(tape, E) : E;
  const h = unit ? normalized(tape, D) : D;

  const gramE = device.scratch('f32', d, d);
  const gramD = device.scratch('f32', d, d);
  kernels.product(gramE, e, e, 'tn');
  kernels.product(gramD, h, h, 'tn');
  const m = device.scratch('f32', n);
  kernels.rowDots(m, h, e);
  const all = tape.scalar();
  const diagonal = tape.scalar();
  kernels.innerProduct(all, gramE, gramD);
  kernels.innerProduct(diagonal, m, m);
  const terms = [{ term: all, weight: 1 }];
  const s = device.scratch('f32', d);
  const t = device.scratch('f32', n);
  if (variant === 'release') {
    const cross = tape.scalar();
    kernels.columnSum(s, false, h, null, 1);
    kernels.rowDots(t, e, s);
    kernels.innerProduct(cross, m, t);
    terms.push({ term: cross, weight: -2 }, { term: diagonal, weight: n });
  } else terms.push({ term: diagonal, weight: -1 });
  const scale = 1 / (n * n - n);
  const penalty = tape.scalar();
  kernels.rootOfSum(penalty, terms, scale);
  if (tape.tracks(E, D)) tape.record([penalty], backward);
  return penalty;

  function backward(): void {
    const seed = tape.seed(penalty);
    if (seed === 0) return;
    // Gradients of the squared norm first; ∂penalty = scale²/(2·penalty) times that.
    const dE = device.scratch('f32', n, d);
    const dH = device.scratch('f32', n, d);
    kernels.product(dE, e, gramD, 'nn');
    kernels.product(dH, h, gramE, 'nn');
    kernels.scale(dE, false, dE, 2);
    kernels.scale(dH, false, dH, 2);
    const ofDiagonal = variant === 'release' ? 2 * n : -2;
    kernels.scaleRows(dE, true, m, h, ofDiagonal);
    kernels.scaleRows(dH, true, m, e, ofDiagonal);
    if (variant === 'release') {
      kernels.scaleRows(dE, true, t, h, -2);
      kernels.scaleRows(dE, true, m, s, -2);
      kernels.scaleRows(dH, true, t, e, -2);
      const u = device.scratch('f32', d);
      kernels.columnSum(u, false, e, m, 1);
      kernels.scaleRows(dH, true, null, u, -2);
    }
    contribute(E, dE, seed);
    contribute(D, dH, seed);
  }

  function contribute(W: Tensor, dU: Tensor, seed: number): void {
    const slot = tape.slotFor(W);
    if (!slot) return;
    const factor = (seed * scale * scale) / 2;
    if (!unit) {
      kernels.scaleBy(slot.tensor, slot.accumulate, dU, factor, penalty);
      return;
    }
    kernels.scaleBy(dU, false, dU, factor, penalty);
    kernels.normalizeRowsGradient(slot.tensor, slot.accumulate, dU, W, EPSILON);
  }
}

function normalized(tape: Tape, W: Tensor): Tensor {
  const rows = tape.device.scratch('f32', ...W.shape);
  tape.device.kernels.scale(rows, false, W, 1);
  tape.device.kernels.normalizeRows(rows, EPSILON);
  return rows;
}
