import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/random.ts';
import { nearestDirections } from '../../../src/evals/truth/directions.ts';

const d = 24;
const random = new Random(2);
const rows = (count: number): Float32Array => Float32Array.from({ length: count * d }, () => random.normal());
const sum = (values: Float64Array): number => values.reduce((all, value) => all + value, 0);

describe('directions too many to hold all cosines', () => {
  it.each([
    [60, 80],
    [80, 60],
  ])('%i latents and %i features: are matched nearly as well, never better', (latents, features) => {
    const [decoder, directions] = [rows(latents), rows(features)];
    const exact = nearestDirections(decoder, directions, d);
    const few = nearestDirections(decoder, directions, d, 1);
    expect([exact.isExact, few.isExact]).toEqual([true, false]);
    expect(few.nearest).toEqual(exact.nearest);
    expect(sum(few.matchedCosine)).toBeLessThanOrEqual(sum(exact.matchedCosine) + 1e-9);
    expect(sum(few.matchedCosine)).toBeGreaterThan(0.98 * sum(exact.matchedCosine));
  });

  it('are all matched where every latent has its own', () => {
    const directions = rows(50);
    const decoder = directions.slice(5 * d);
    const { matchedCosine, nearest } = nearestDirections(decoder, directions, d, 1);
    expect([...nearest]).toEqual(Array.from({ length: 45 }, (_, i) => i + 5));
    expect(matchedCosine.subarray(0, 5).every((cosine) => cosine === 0)).toBe(true);
    expect(matchedCosine.subarray(5).every((cosine) => cosine > 0.99999)).toBe(true);
  });
});
