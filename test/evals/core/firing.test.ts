import { describe, expect, it } from 'vitest';
import { codesFromDense, sliceRows } from '../../../src/core/codes.ts';
import { Random } from '../../../src/core/random.ts';
import { FiringCounts } from '../../../src/evals/core/firing.ts';
import { Bootstrap } from '../../../src/evals/metric.ts';
import { documentUnits } from '../../../src/evals/units.ts';

const [ROWS, WIDTH] = [400, 30];
const VIEWS = [
  { name: 'full', from: 0, to: WIDTH },
  { name: 'first', from: 0, to: 10 },
];

describe('counts of firings', () => {
  it('are right whether many latents fire in a unit or few', () => {
    const random = new Random(3, 'counts of firings');
    const doc = Int32Array.from({ length: ROWS }, (_, row) => Math.floor(row / 20));
    // Every second document has firings of most latents.
    const dense = Float32Array.from({ length: ROWS * WIDTH }, (_, at) =>
      random.uniform() < (doc[Math.floor(at / WIDTH)] % 2 === 0 ? 0.2 : 0.005) && at % WIDTH !== 7 ? 1 : 0,
    );
    const units = documentUnits(doc);
    const counts = new FiringCounts(units, WIDTH);
    const codes = codesFromDense(dense, ROWS, WIDTH);
    for (let start = 0; start < ROWS; start += 33)
      counts.add(start, sliceRows(codes, start, Math.min(ROWS, start + 33)));
    const [full, first] = counts.metrics(new Bootstrap(units, 0), VIEWS);
    const densities = Array.from({ length: WIDTH }, (_, latent) => {
      let fired = 0;
      for (let row = 0; row < ROWS; row++) fired += dense[row * WIDTH + latent];
      return fired / ROWS;
    });
    expect(full.dead_fraction.value).toBeCloseTo(1 / WIDTH, 12);
    expect(first.dead_fraction.value).toBeCloseTo(1 / 10, 12);
    expect(full.density_p50.value).toBeCloseTo(quantile(densities, 0.5), 12);
    expect(first.density_p95.value).toBeCloseTo(quantile(densities.slice(0, 10), 0.95), 12);
    expect(full.density_p50.low).toBeLessThan(full.density_p50.value!);
  });
});

/** With values between neighbours by their distance. */
function quantile(values: number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = p * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (at % 1) * (high - low);
}
