import { describe, expect, it } from 'vitest';
import { codesFromDense } from '../../../src/core/codes.ts';
import { Random } from '../../../src/core/random.ts';
import { fitL1Probe } from '../../../src/evals/absorption/l1-probe.ts';

const ROWS = 300;
const WIDTH = 12;

/** Latent 2 tells the label well, latent 5 a little, latent 7 its opposite; the others are noise. */
function sample(): { dense: Float64Array; labels: Uint8Array } {
  const random = new Random(3);
  const labels = Uint8Array.from({ length: ROWS }, () => Number(random.uniform() < 0.2));
  const dense = new Float64Array(ROWS * WIDTH);
  labels.forEach((label, r) => {
    for (let j = 0; j < WIDTH; j++) {
      const p = { 2: label ? 0.8 : 0.05, 5: label ? 0.7 : 0.2, 7: label ? 0.05 : 0.6 }[j] ?? 0.3;
      if (random.uniform() < p) dense[r * WIDTH + j] = 1 + random.uniform();
    }
  });
  return { dense, labels };
}

describe('L1 probe', () => {
  const { dense, labels } = sample();
  const weights = fitL1Probe(codesFromDense(dense, ROWS, WIDTH), labels);

  it('ranks the latents by what they tell', () => {
    const order = [...weights.keys()].sort((a, b) => weights[b] - weights[a]);
    expect(order.slice(0, 2)).toEqual([2, 5]);
    expect(order.at(-1)).toBe(7);
  });

  it('is the minimum: no step along a coordinate lowers the objective', () => {
    const positives = labels.reduce((sum, label) => sum + label, 0);
    const entropy = (w: Float64Array, b: number): number =>
      labels.reduce((sum, label, r) => {
        const logit = b + w.reduce((dot, weight, j) => dot + weight * dense[r * WIDTH + j], 0);
        const cost = label ? (ROWS - positives) / positives : 1;
        return sum + (cost * Math.log1p(Math.exp(label ? -logit : logit))) / ROWS;
      }, 0);
    // The intercept is not handed out: the best one by golden section.
    const objective = (w: Float64Array): number => {
      let [low, high] = [-20, 20];
      while (high - low > 1e-9) {
        const [a, b] = [high - 0.618034 * (high - low), low + 0.618034 * (high - low)];
        if (entropy(w, a) < entropy(w, b)) high = b;
        else low = a;
      }
      return entropy(w, low) + 0.01 * w.reduce((sum, weight) => sum + Math.abs(weight), 0);
    };
    const least = objective(weights);
    for (let j = 0; j < WIDTH; j++) {
      for (const step of [-0.02, 0.02]) {
        const moved = weights.slice();
        moved[j] += step;
        expect(objective(moved)).toBeGreaterThan(least);
      }
    }
  });
});
