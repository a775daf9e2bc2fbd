/** Losses: scalars in float64, summed in a fixed order. */
import { sizeOf, type Codes, type Tensor } from '../device.ts';
import type { Scalar, Tape } from '../tape.ts';

/**
 * (1/B) Σ_b ‖a_b − b_b‖²: sum over d, mean over the batch. a, b [B, d]; b is data, null = 0.
 * Gradient: ∂a = (2/B)(a − b).
 */
export function squaredError(tape: Tape, a: Tensor, b: Tensor | null): Scalar {
  const { device } = tape;
  const [rows] = a.shape;
  const difference = device.scratch('f32', ...a.shape);
  const loss = meanSquaredNorm(tape, difference, a, b);
  if (tape.tracks(a)) {
    tape.record([loss], () => {
      const seed = tape.seed(loss);
      const dA = seed === 0 ? undefined : tape.slotFor(a);
      if (dA) device.kernels.scale(dA.tensor, dA.accumulate, difference, (2 * seed) / rows);
    });
  }
  return loss;
}

/**
 * Σ_b ‖estimate_b − target_b‖² / Σ_b ‖target_b − mean of target over the batch‖²; target [B, d] is data (detached).
 * The auxiliary loss of dead latents in dictionary_learning (methods 9.2). NaN (a target that does not vary) counts as 0,
 * as in the source. Gradient: ∂estimate = 2 (estimate − target) / denominator.
 */
export function normalizedError(tape: Tape, estimate: Tensor, target: Tensor): Scalar {
  const { device } = tape;
  const { kernels } = device;
  const [rows, d] = target.shape;
  const difference = device.scratch('f32', rows, d);
  const numerator = meanSquaredNorm(tape, difference, estimate, target);
  const denominator = totalVariance(tape, target);
  const ratio = tape.scalar();
  kernels.divide(ratio, numerator, denominator);
  if (tape.tracks(estimate)) {
    tape.record([ratio], () => {
      const seed = tape.seed(ratio);
      const slot = seed === 0 ? undefined : tape.slotFor(estimate);
      if (slot) kernels.scaleBy(slot.tensor, slot.accumulate, difference, (2 * seed) / rows, denominator);
    });
  }
  return ratio;
}

/**
 * Mean squared error per element over the variance of the data: mean((a − x)²) / (Var(x) + 1e-8), Var unbiased over all elements of
 * the batch with one mean for all (Tree SAE). a, x [B, d]; x is data. Gradient: ∂a = 2 (a − x) / (B d (Var + 1e-8)).
 */
export function relativeError(tape: Tape, a: Tensor, x: Tensor): Scalar {
  const { device } = tape;
  const { kernels } = device;
  const size = sizeOf(x.shape);
  const difference = device.scratch('f32', ...x.shape);
  const error = meanSquaredNorm(tape, difference, a, x);
  const variance = tape.scalar();
  kernels.variance(variance, x, 1e-8);
  const ratio = tape.scalar();
  kernels.divide(ratio, error, variance);
  // meanSquaredNorm sums over d.
  kernels.sum(ratio, ratio, 1 / x.shape[1]);
  if (tape.tracks(a)) {
    tape.record([ratio], () => {
      const seed = tape.seed(ratio);
      const slot = seed === 0 ? undefined : tape.slotFor(a);
      if (slot) kernels.scaleBy(slot.tensor, slot.accumulate, difference, (2 * seed) / size, variance);
    });
  }
  return ratio;
}

/**
 * mean((e − ê)²) / mean((e − mean_d e)²), e = x − x̂, means over all elements, mean_d over each row's own d ≥ 2 elements: the
 * auxiliary loss of dead latents in Tree SAE (methods 5.2). ê = estimate, x̂ = reconstruction, x [B, d]; x is data, e is not
 * detached. An e without any spread counts as 0. With D the denominator and R the ratio:
 *   ∂ê = 2 (ê − e) / (B d D),   ∂x̂ = 2 (ê − e) / (B d D) + 2 R (e − mean_d e) / (B d D)
 */
export function residualRatio(tape: Tape, estimate: Tensor, reconstruction: Tensor, x: Tensor): Scalar {
  const { device } = tape;
  const { kernels } = device;
  const [rows, d] = x.shape;
  const matrix = (): Tensor => device.scratch('f32', rows, d);
  const [residual, difference, centered, standard] = [matrix(), matrix(), matrix(), matrix()];
  meanSquaredNorm(tape, residual, x, reconstruction);
  const numerator = meanSquaredNorm(tape, difference, estimate, residual);
  // e − mean_d e = standard · (std + ε), whatever ε > 0.
  const [mean, std] = [device.scratch('f32', rows), device.scratch('f32', rows)];
  kernels.standardizeRows({ out: standard, mean, std }, residual, CENTERING_EPSILON);
  kernels.scaleRows(centered, false, std, standard, 1);
  kernels.scale(centered, true, standard, CENTERING_EPSILON);
  const denominator = meanSquaredNorm(tape, centered, centered, null);
  const ratio = tape.scalar();
  kernels.divide(ratio, numerator, denominator);
  if (tape.tracks(estimate, reconstruction)) {
    tape.record([ratio], () => {
      const seed = tape.seed(ratio);
      if (seed === 0) return;
      const scale = (2 * seed) / rows;
      const dEstimate = tape.slotFor(estimate);
      if (dEstimate) kernels.scaleBy(dEstimate.tensor, dEstimate.accumulate, difference, scale, denominator);
      const dReconstruction = tape.slotFor(reconstruction);
      if (!dReconstruction) return;
      kernels.scaleBy(dReconstruction.tensor, dReconstruction.accumulate, difference, scale, denominator);
      const inverse = tape.scalar();
      kernels.divide(inverse, denominator, ratio);
      kernels.scaleBy(dReconstruction.tensor, true, centered, scale, inverse);
    });
  }
  return ratio;
}

const CENTERING_EPSILON = 1e-5;

/** (1/B) Σ_b ‖x_b − mean of x over the batch‖², x [B, d] data: the variance of all d coordinates together. */
export function totalVariance(tape: Tape, x: Tensor): Scalar {
  const { device } = tape;
  const [rows, d] = x.shape;
  const mean = device.scratch('f32', d);
  device.kernels.columnSum(mean, false, x, null, 1 / rows);
  const centered = device.scratch('f32', rows, d);
  device.kernels.subtractRow(centered, x, mean);
  return meanSquaredNorm(tape, centered, centered, null);
}

/** (1/B) Σ |value| over all entries, over a divisor that is constant under differentiation. Gradient: sign(value)/B/divisor. */
export function absoluteSum(tape: Tape, codes: Codes, divisor?: Scalar): Scalar {
  const { device } = tape;
  const rowSums = device.scratch('f64', codes.rows);
  const loss = tape.scalar();
  device.kernels.absoluteRowSums(rowSums, codes);
  device.kernels.sum(loss, rowSums, 1 / codes.rows);
  if (divisor) device.kernels.divide(loss, loss, divisor);
  if (tape.tracks(codes.value)) {
    tape.record([loss], () => {
      const seed = tape.seed(loss);
      const slot = seed === 0 ? undefined : tape.slotForValues(codes);
      if (!slot) return;
      if (!divisor) {
        device.kernels.absoluteGradient(slot.tensor, slot.accumulate, codes, seed / codes.rows);
        return;
      }
      const signs = device.scratchLike(codes, 'f32');
      device.kernels.absoluteGradient(signs, false, codes, 1);
      device.kernels.scaleBy(slot.tensor, slot.accumulate, signs, seed / codes.rows, divisor);
    });
  }
  return loss;
}

function meanSquaredNorm(tape: Tape, difference: Tensor, a: Tensor, b: Tensor | null): Scalar {
  const { kernels } = tape.device;
  const rowSums = tape.device.scratch('f64', a.shape[0]);
  const loss = tape.scalar();
  kernels.squaredDifference(difference, rowSums, a, b);
  kernels.sum(loss, rowSums, 1 / a.shape[0]);
  return loss;
}
