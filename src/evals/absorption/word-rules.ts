/**
 * SAEBench's rules for absorption and splitting (methods 7.2; `evals/absorption`), on numbers alone. For one property of words, say
 * "begins with s", and one word that has it:
 *
 *   p̂    direction of a probe for the property, of length 1
 *   P     x · p̂, the activation's projection
 *   cᵢ    cos(dᵢ, p̂) of the decoder row of latent i
 *   aᵢcᵢ  contribution of latent i, aᵢ being its activation times ‖dᵢ‖
 *   M     main latents: those that the property is split into
 */

/** cᵢ from which on the strongest latent may absorb fully. */
export const FULL_COSINE = 0.025;
/** cᵢ from which on a latent may absorb a part. */
export const FRACTION_COSINE = 0.1;
/** Share of P that absorbers must explain. */
export const PROPORTION = 0.4;
/** Latents that may absorb a part together. */
const MAX_ABSORBERS = 3;
/** Main latents with less are off. */
const OFF = 1e-8;

/** An active latent at one word. */
export interface Contribution {
  readonly latent: number;
  /** aᵢ */
  readonly activation: number;
  /** cᵢ */
  readonly cosine: number;
}

export interface WordAbsorption {
  /** All of M are off, and one latent explains the projection in their place. */
  readonly full: boolean;
  /** Share of what M and up to three absorbers explain that is the absorbers'. */
  readonly fraction: number;
}

/**
 * full: all aₘ < 1e-8 and, for i* = argmax aᵢcᵢ over all latents, c_i* ≥ .025, P > 0 and a_i*c_i* / P ≥ .4. fraction: with A = the
 * sum of the three largest aᵢcᵢ > 0 of latents outside M with cᵢ ≥ .1, and m = Σ_M aᵢcᵢ, it is 0 if m ≥ P or A / P < .4, 1 if m ≤ 0,
 * else A' / (A' + m) with A' = min(A, P − m). The released code divides by P = 0; here such a word is not absorbed.
 * @param active latents that are on, each once; @param projection P
 */
export function absorptionOf(
  active: readonly Contribution[],
  main: ReadonlySet<number>,
  projection: number,
): WordAbsorption {
  if (!(projection > 0)) return { full: false, fraction: 0 };
  let isMainOn = false;
  let ofMain = 0;
  let top = { cosine: 0, contribution: 0 };
  const absorbers: number[] = [];
  for (const { latent, activation, cosine } of active) {
    const contribution = activation * cosine;
    if (contribution > top.contribution) top = { cosine, contribution };
    if (main.has(latent)) {
      isMainOn ||= Math.abs(activation) >= OFF;
      ofMain += contribution;
    } else if (cosine >= FRACTION_COSINE && contribution > 0) absorbers.push(contribution);
  }
  const full = !isMainOn && top.cosine >= FULL_COSINE && top.contribution / projection >= PROPORTION;
  const strongest = absorbers.sort((a, b) => b - a).slice(0, MAX_ABSORBERS);
  const ofAbsorbers = strongest.reduce((sum, contribution) => sum + contribution, 0);
  return { full, fraction: fractionOf(projection, ofMain, ofAbsorbers) };
}

function fractionOf(projection: number, ofMain: number, ofAbsorbers: number): number {
  if (ofMain >= projection || ofAbsorbers / projection < PROPORTION) return 0;
  if (ofMain <= 0) return 1;
  const absorbed = Math.min(ofAbsorbers, projection - ofMain);
  return absorbed / (absorbed + ofMain);
}

/** Gain of F1 that one more latent must bring. */
const F1_STEP = 0.03;

/**
 * Number of latents that a property is split into: the largest k such that each of 2 … k raised F1 by more than .03 over the one before.
 * @param f1ByK F1 with the best 1, 2, … latents, at least one
 */
export function splitCount(f1ByK: readonly number[]): number {
  for (let k = 1; k < f1ByK.length; k++) if (!(f1ByK[k] > f1ByK[k - 1] + F1_STEP)) return k;
  return f1ByK.length;
}
