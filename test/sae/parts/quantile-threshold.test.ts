import { expect, it } from 'vitest';
import { Random } from '../../../src/core/random.ts';
import { quantileThreshold } from '../../../src/sae/parts/quantile-threshold.ts';

it('lets through the wanted share of scores, and is positive', () => {
  const [d, rows, latents] = [12, 64, 200];
  const random = new Random(3);
  const [batch, directions] = [rows, latents].map((n) => Float32Array.from({ length: n * d }, () => random.normal()));
  const theta = quantileThreshold(batch, directions, d, 0.05);
  let above = 0;
  for (let r = 0; r < rows; r++)
    for (let i = 0; i < latents; i++) {
      let z = 0;
      for (let p = 0; p < d; p++) z += batch[r * d + p] * directions[i * d + p];
      if (z > theta) above++;
    }
  expect(above / (rows * latents)).toBeCloseTo(0.05, 3);
  expect(
    quantileThreshold(
      batch.map(() => 0),
      directions,
      d,
      0.5,
    ),
  ).toBeGreaterThan(0);
});
