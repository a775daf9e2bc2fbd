/** Controllers that steer the weight λ of a sparsity penalty so that L0 comes to a target. Pure: one update per step. */

/** Published for HSAE but for the size of its steps (methods 2.4). */
export interface TrajectoryRule {
  targetL0: number;
  /** η: share of the distance to the target by which L0 shall come nearer in a step. */
  rate: number;
  /** Momentum of the running mean of L0. */
  momentum: number;
  /** κ: log of the factor on λ [ours]. */
  step: number;
}

export interface TrajectoryState {
  lambda: number;
  /** λ stays within a factor of 100 of this. */
  lambdaStart: number;
  /** Running mean of L0; −1 = no step yet. */
  ema: number;
}

/**
 * HSAE (arXiv 2602.11881, App. A.2): the running mean of L0 shall change by −η (L0 − L0*) per step; where it falls slower than
 * that, λ grows, else it shrinks. The factor exp(±κ) and the bounds are ours. The first step sets the mean only.
 */
export function followTrajectory(state: TrajectoryState, l0: number, rule: TrajectoryRule): TrajectoryState {
  const { lambda, lambdaStart, ema: before } = state;
  if (before < 0) return { ...state, ema: l0 };
  const ema = rule.momentum * before + (1 - rule.momentum) * l0;
  const wanted = -rule.rate * (before - rule.targetL0);
  const moved = lambda * Math.exp(rule.step * Math.sign(ema - before - wanted));
  return { lambdaStart, ema, lambda: clamp(moved, lambdaStart / 100, 100 * lambdaStart) };
}

export interface AutotuneState {
  /** Factor on λ. */
  multiplier: number;
  /** Running mean of L0; −1 = no step yet. */
  ema: number;
  /** Running mean of its change per step. */
  rate: number;
}

const AUTOTUNE = { momentum: 0.99, rateMomentum: 0.95, step: 3e-4, whileApproaching: 0.01, sharpness: 10 };

/**
 * SynthSAEBench's autotuner (methods 9.14, verified): the factor moves by 3e-4 · tanh(10 |error| / L0*), a hundredth of that
 * while L0 already moves towards the target; within [0.01, 100].
 */
export function autotune(state: AutotuneState, l0: number, targetL0: number): AutotuneState {
  if (state.ema < 0) return { ...state, ema: l0 };
  const ema = AUTOTUNE.momentum * state.ema + (1 - AUTOTUNE.momentum) * l0;
  const rate = AUTOTUNE.rateMomentum * state.rate + (1 - AUTOTUNE.rateMomentum) * (ema - state.ema);
  const error = ema - targetL0;
  const gain = error * rate < 0 ? AUTOTUNE.whileApproaching : 1;
  const size = AUTOTUNE.step * gain * Math.tanh((AUTOTUNE.sharpness * Math.abs(error)) / targetL0);
  return { ema, rate, multiplier: clamp(state.multiplier * (1 + Math.sign(error) * size), 0.01, 100) };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
