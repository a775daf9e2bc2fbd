import { expect, it } from 'vitest';
import { Random } from '../../../src/core/random.ts';
import { encoderScale } from '../../../src/sae/parts/encoder-scaling.ts';
import { unitRows } from '../../../src/sae/parts/initial.ts';

const [WIDTH, D, K] = [60, 10, 4];

/** Mean length of the reconstructions of random directions by the k latents that respond most. */
function meanLength(encoder: Float32Array, decoder: Float32Array, samples: number): number {
  const random = new Random(5);
  let total = 0;
  for (let s = 0; s < samples; s++) {
    const direction = unitRows(1, D, random.below(2 ** 30), 'sample');
    const score = (latent: number): number =>
      direction.reduce((sum, value, i) => sum + value * encoder[latent * D + i], 0);
    const best = Array.from({ length: WIDTH }, (_, i) => i).toSorted((a, b) => score(b) - score(a));
    const out = Array.from({ length: D }, () => 0);
    for (const latent of best.slice(0, K)) {
      for (let i = 0; i < D; i++) out[i] += Math.max(0, score(latent)) * decoder[latent * D + i];
    }
    total += Math.hypot(...out);
  }
  return total / samples;
}

it('brings the mean length of reconstructions of unit inputs to 1', () => {
  const W = unitRows(WIDTH, D, 1, 'W');
  const scale = encoderScale(W, D, K, 1);
  expect(Math.abs(meanLength(W, W, 500) - 1)).toBeGreaterThan(0.3);
  const scaled = W.map((value) => scale * value);
  expect(Math.abs(meanLength(scaled, W, 500) - 1)).toBeLessThan(0.05);
});

it('depends on the seed only by chance', () => {
  const W = unitRows(WIDTH, D, 1, 'W');
  expect(encoderScale(W, D, K, 1)).toBe(encoderScale(W, D, K, 1));
  expect(encoderScale(W, D, K, 2)).not.toBe(encoderScale(W, D, K, 1));
});
