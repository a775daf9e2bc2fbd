/**
 * JumpReLU with a threshold θ_i per latent that is learned straight through (arXiv 2407.14435; methods 9.4):
 *
 *   z = W (x − center) + bias,   f = z · 1[z > θ]
 *   ∂f/∂z = 1[z > θ],   ∂f/∂θ = −(θ/ε) K,   ∂1[z > θ]/∂θ = −(1/ε) K,   ∂1/∂z = 0,   K = 1[|z − θ| < ε/2]
 *
 * x [B, d], W [F, d], θ [F], bandwidth ε. The codes hold every latent with z > θ − ε/2, and so all in the window; value 0 where
 * z ≤ θ. The dense product adds bias − θ + ε/2, so that it is compared with 0 and scores never leave the worker; z is
 * restored from the entries.
 */
import type { Codes, Tensor } from '../device.ts';
import type { GradientTarget, LatentRange, Window } from '../kernels.ts';
import type { Scalar, Tape } from '../tape.ts';
import { encodeAtLeast, RELU, type Encoder } from './encode.ts';

export interface JumpCodes {
  codes: Codes;
  /** Where the entries lie by their thresholds. */
  window: Window;
}

/** @param bandwidth 0 where thresholds are not learned (inference): the codes then hold active latents only */
export function jumpReLU(
  tape: Tape,
  x: Tensor,
  { W, bias, center }: Omit<Encoder, 'floor'>,
  threshold: Tensor,
  bandwidth: number,
): JumpCodes {
  const { device } = tape;
  const { kernels } = device;
  const lifted = device.scratch('f32', W.shape[0]);
  kernels.liftBias(lifted, bias, threshold, bandwidth / 2);
  if (bias && tape.tracks(bias)) {
    tape.record([lifted], () => {
      const dLifted = tape.gradientOf(lifted);
      const slot = dLifted && tape.slotFor(bias);
      if (slot) kernels.scale(slot.tensor, slot.accumulate, dLifted, 1);
    });
  }
  const scored = encodeAtLeast(tape, x, { W, bias: lifted, center, floor: RELU });
  const [z, value] = [device.scratchLike(scored, 'f32'), device.scratchLike(scored, 'f32')];
  kernels.jump({ z, value }, scored, lifted, bias, threshold);
  const codes = device.withValues(scored, value);
  const window = { z, threshold, bandwidth };
  if (tape.tracks(scored.value, threshold)) {
    tape.record([value], () => {
      const dValue = tape.gradientOf(value);
      if (!dValue) return;
      const dScore = tape.slotForValues(scored);
      if (dScore) kernels.scaleWhere(dScore.tensor, dScore.accumulate, dValue, value, 1);
      const dThreshold = tape.slotFor(threshold);
      if (dThreshold) kernels.windowSum(dThreshold, tape.latentIndex(codes), window, dValue, -1 / bandwidth);
    });
  }
  return { codes, window };
}

/**
 * Which latents push on their thresholds when active ones are counted:
 * - `pre`: K as above, by the score z (paper, SAELens);
 * - `post`: K by the code f in place of z (dictionary_learning): among active latents the upper half of the window, and every
 *   inactive one (f = 0) as soon as θ < ε/2.
 */
export type CountWindow = 'pre' | 'post';

export interface L0Options {
  window: CountWindow;
  /** Default: all latents. */
  range?: LatentRange;
  /** The loss is ((L0 / target) − 1)² of the mean over the batch, instead of L0 itself. */
  target?: number;
}

export interface L0Loss {
  /** Mean number of active latents. */
  l0: Scalar;
  /** L0 itself, or its squared relative distance from the target. */
  loss: Scalar;
}

export function l0Loss(tape: Tape, { codes, window }: JumpCodes, { window: kind, range, target }: L0Options): L0Loss {
  const { device } = tape;
  const { kernels } = device;
  const { rows } = codes;
  const rowSums = device.scratch('f64', rows);
  const l0 = tape.scalar();
  kernels.countActive(rowSums, codes, range);
  kernels.sum(l0, rowSums, 1 / rows);
  let loss = l0;
  let excess: Scalar | undefined;
  if (target !== undefined) {
    [loss, excess] = [tape.scalar(), tape.scalar()];
    kernels.squaredExcess({ excess, square: loss }, l0, target);
  }
  if (tape.tracks(window.threshold)) {
    tape.record([loss], () => {
      const slot = tape.seed(loss) === 0 ? undefined : tape.slotFor(window.threshold);
      if (!slot) return;
      const scale = (-tape.seed(loss) * (target === undefined ? 1 : 2 / target)) / (window.bandwidth * rows);
      kernels.windowCount(range ? cleared(slot) : slot, tape.latentIndex(codes), window, {
        scale,
        ...(excess && { factor: excess }),
        ...(kind === 'post' && { inactiveOf: rows }),
        ...(range && { range }),
      });
    });
  }
  return { l0, loss };

  /** What a range alone is written to has to be zero elsewhere. */
  function cleared(slot: GradientTarget): GradientTarget {
    if (!slot.accumulate) kernels.clear(slot.tensor);
    return { tensor: slot.tensor, accumulate: true };
  }
}

/**
 * The same entries with values max(0, θ_i − value): how far latents are from being active. Gradient where that is not 0:
 * ∂value = −∂out, ∂θ_i = Σ_b ∂out_bi.
 */
export function thresholdGap(tape: Tape, codes: Codes, threshold: Tensor): Codes {
  const { device } = tape;
  const { kernels } = device;
  const gap = device.scratchLike(codes, 'f32');
  kernels.thresholdGap(gap, codes, threshold);
  const out = device.withValues(codes, gap);
  if (tape.tracks(codes.value, threshold)) {
    tape.record([gap], () => {
      const dGap = tape.gradientOf(gap);
      if (!dGap) return;
      const dValue = tape.slotForValues(codes);
      if (dValue) kernels.scaleWhere(dValue.tensor, dValue.accumulate, dGap, gap, -1);
      const dThreshold = tape.slotFor(threshold);
      if (!dThreshold) return;
      const open = device.scratchLike(codes, 'f32');
      kernels.scaleWhere(open, false, dGap, gap, 1);
      kernels.latentSum(dThreshold.tensor, dThreshold.accumulate, codes, tape.latentIndex(codes), open);
    });
  }
  return out;
}
