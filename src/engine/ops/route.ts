/**
 * Routing of Switch (arXiv 2410.08201): each token goes to one expert, a contiguous block of latents.
 *
 *   p_b = softmax(W (x_b − center)),   e_b = argmax p_b (ties: lowest),   balance = N Σ_e f_e P_e
 *
 * with f_e the share of tokens of expert e and P_e the mean of p_e. x [B, d], W [N, d]. Gradients: through p of the expert taken
 * and through P; f and the choice are constants. ∂W = ∂logitsᵀ (x − center), ∂center = −Σ_e (Σ_b ∂logits_be) W_e; none to x.
 */
import type { Codes, Tensor } from '../device.ts';
import type { Children } from '../kernels.ts';
import type { Scalar, Tape } from '../tape.ts';
import { centered, recordEncoder, type Encoder } from './encode.ts';

export interface Routes {
  /** The expert of each token: one entry with value 1, over N experts. */
  expert: Codes;
  /** f32 [B, N], not differentiated: use `chosen`. */
  p: Tensor;
  /** f32 [B]: p of the expert taken. */
  chosen: Tensor;
  balance: Scalar;
}

export function route(tape: Tape, x: Tensor, router: { W: Tensor; center: Tensor }): Routes {
  const { device } = tape;
  const { kernels } = device;
  const { W, center } = router;
  const [rows] = x.shape;
  const [n] = W.shape;
  const input = device.scratch('f32', ...x.shape);
  kernels.subtractRow(input, x, center);
  const [logits, p, chosen] = [
    device.scratch('f32', rows, n),
    device.scratch('f32', rows, n),
    device.scratch('f32', rows),
  ];
  kernels.product(logits, input, W, 'nt');
  const expert = device.scratchCodes(rows, n, 1);
  kernels.route({ p, codes: expert, chosen }, logits);
  const [counts, mean] = [device.scratch('f32', n), device.scratch('f32', n)];
  kernels.latentSum(counts, false, expert, tape.latentIndex(expert), expert.value);
  kernels.columnSum(mean, false, p, null, 1 / rows);
  const balance = tape.scalar();
  kernels.innerProduct(balance, counts, mean);
  kernels.sum(balance, balance, n / rows);
  if (tape.tracks(W, center)) tape.record([chosen, balance], backward);
  return { expert, p, chosen, balance };

  function backward(): void {
    const every = device.scratch('f32', n);
    kernels.scale(every, false, counts, (tape.seed(balance) * n) / rows ** 2);
    const dLogits = device.scratch('f32', rows, n);
    kernels.routeGradient(dLogits, p, expert, tape.gradientOf(chosen) ?? null, every);
    const dW = tape.slotFor(W);
    if (dW) {
      const target = dW.accumulate ? device.scratch('f32', ...W.shape) : dW.tensor;
      kernels.product(target, dLogits, input, 'tn');
      if (dW.accumulate) kernels.scale(dW.tensor, true, target, 1);
    }
    const dCenter = tape.slotFor(center);
    if (!dCenter) return;
    const sums = device.scratch('f32', n);
    kernels.columnSum(sums, false, dLogits, null, 1);
    kernels.columnSum(dCenter.tensor, dCenter.accumulate, W, sums, -1);
  }
}

/**
 * The k largest scores of each token among the latents of its expert, as in encode.ts; the others are not scored. Filled with
 * value 0 from latent 0 upwards.
 */
export function encodeRouted(
  tape: Tape,
  x: Tensor,
  encoder: Encoder,
  expert: Codes,
  latentsOf: Children,
  k: number,
): Codes {
  const { device } = tape;
  const { kernels } = device;
  const { W, bias, floor } = encoder;
  const width = W.shape[0];
  const input = centered(tape, x, encoder);
  const codes = device.scratchCodes(x.shape[0], width, k);
  const gate = { above: 0, floor, range: { from: 0, to: width }, roots: null };
  kernels.topChildren(codes, null, expert, latentsOf, input, W, bias, gate);
  recordEncoder(tape, codes, input, encoder);
  return codes;
}

/** Every value times its row's factor [B]. Gradients: ∂value_e = factor_b ∂out_e, ∂factor_b = Σ_e value_e ∂out_e. */
export function scaleCodes(tape: Tape, codes: Codes, factor: Tensor): Codes {
  const { device } = tape;
  const { kernels } = device;
  const scaled = device.withValues(codes, device.scratchLike(codes, 'f32'));
  kernels.scaleEntries(scaled.value, false, codes, codes.value, factor);
  if (tape.tracks(codes.value, factor)) {
    tape.record([scaled.value], () => {
      const dOut = tape.gradientOf(scaled.value);
      if (!dOut) return;
      const dValue = tape.slotForValues(codes);
      if (dValue) kernels.scaleEntries(dValue.tensor, dValue.accumulate, codes, dOut, factor);
      const dFactor = tape.slotFor(factor);
      if (dFactor) kernels.entryDots(dFactor.tensor, dFactor.accumulate, codes, codes.value, dOut);
    });
  }
  return scaled;
}
