/**
 * The scale of a tied encoder at the start, as in OpenAI's sparse_autoencoder (init_from_data_; methods 9.2): such that
 * reconstructions of inputs of length 1 around b_dec have a mean length of 1. Biases are 0 then, and b_dec cancels out.
 */
import { Random } from '../../core/random.ts';

/** Random directions whose reconstructions are measured. */
const SAMPLES = 256;

/** The factor on the encoder W [F, d], for unit decoder rows equal to W and the k largest positive latents per input. */
export function encoderScale(W: Float32Array, d: number, k: number, seed: number): number {
  const width = W.length / d;
  const random = new Random(seed, 'init', 'encoder scale');
  const scores = new Float64Array(width);
  let total = 0;
  for (let sample = 0; sample < SAMPLES; sample++) {
    const direction = Float64Array.from({ length: d }, () => random.normal());
    const length = Math.hypot(...direction);
    for (let i = 0; i < width; i++) {
      let dot = 0;
      for (let p = 0; p < d; p++) dot += W[i * d + p] * direction[p];
      scores[i] = Math.max(0, dot / length);
    }
    const least = scores.toSorted()[width - k];
    const reconstruction = new Float64Array(d);
    scores.forEach((score, i) => {
      if (score < least || score === 0) return;
      for (let p = 0; p < d; p++) reconstruction[p] += score * W[i * d + p];
    });
    total += Math.hypot(...reconstruction);
  }
  return SAMPLES / total;
}
