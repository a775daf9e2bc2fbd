import { describe, expect, it } from 'vitest';
import { CorrelatedFiring } from '../../../src/activations/synth-bench/correlated-firing.ts';
import { RowKernels } from '../../../src/activations/synth-bench/row-kernels.ts';
import { normalTail, normalThreshold } from '../../../src/core/normal-distribution.ts';
import { Random } from '../../../src/core/random.ts';

const ROWS = 50_000;

/** P(both of two correlated normal variables exceed their thresholds), by Simpson's rule over the first. */
function jointTail(p: number, q: number, correlation: number): number {
  const [from, other] = [normalThreshold(p), normalThreshold(q)];
  const steps = 4000;
  const width = (9 - from) / steps;
  let sum = 0;
  for (let i = 0; i <= steps; i++) {
    const x = from + i * width;
    const weight = i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2;
    const tail = normalTail((other - correlation * x) / Math.sqrt(1 - correlation ** 2));
    sum += (weight * Math.exp(-(x * x) / 2) * tail) / Math.sqrt(2 * Math.PI);
  }
  return (sum * width) / 3;
}

/** Counts of each feature, and of each pair; a feature that was visited twice in a row would be too frequent. */
async function fire(
  probability: number[],
  { rank, scale, asked }: { rank: number; scale: number; asked: 'independent' | 'singly' },
): Promise<{ firing: CorrelatedFiring; single: Float64Array; pair: Float64Array }> {
  const n = probability.length;
  const all = Int32Array.from({ length: n }, (_, i) => i);
  const kernels = await RowKernels.create();
  const firing = new CorrelatedFiring(kernels, Float64Array.from(probability), all, { rank, scale }, new Random(5));
  const random = new Random(6, asked);
  const single = new Float64Array(n);
  const pair = new Float64Array(n * n);
  for (let r = 0; r < ROWS; r++) {
    firing.startRow(random);
    const on: number[] = [];
    if (asked === 'independent') firing.eachIndependent(random, (i) => on.push(i));
    else for (const i of all) if (firing.fires(i, random)) on.push(i);
    for (const i of on) {
      single[i]++;
      for (const j of on) pair[i * n + j]++;
    }
  }
  return { firing, single, pair };
}

/** Within five standard deviations of a binomial count. */
function expectCount(count: number, p: number): void {
  expect(Math.abs(count - ROWS * p)).toBeLessThan(5 * Math.sqrt(ROWS * p * (1 - p)) + 1e-9);
}

describe.each(['independent', 'singly'] as const)('features asked %s', (asked) => {
  const probability = [1, 0.9, 0.5, 0.4, 0.1, 0.03, 0.02, 0.01, 0.01, 0.005, 0.002, 0.001, 0];

  it.each([
    ['without shared factors', 0, 0.3],
    ['as published', 25, 0.1],
    ['with strong ties', 2, 0.6],
    ['with all ties that are allowed', 3, 5],
  ])('fire at their rates, together as they are correlated, %s', async (_, rank, scale) => {
    const { firing, single, pair } = await fire(probability, { rank, scale, asked });
    const n = probability.length;
    single.forEach((count, i) => expectCount(count, probability[i]));
    for (let i = 1; i < n - 1; i++) {
      for (let j = i + 1; j < n - 1; j++) {
        let correlation = 0;
        for (let k = 0; k < rank; k++) correlation += firing.factors[i * rank + k] * firing.factors[j * rank + k];
        expect(Math.abs(correlation)).toBeLessThan(0.991);
        expectCount(pair[i * n + j], jointTail(probability[i], probability[j], correlation));
      }
    }
  });
});
