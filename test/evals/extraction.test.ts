import { expect, it } from 'vitest';
import { codesFromDense } from '../../src/core/codes.ts';
import { Random } from '../../src/core/random.ts';
import { forestOf } from '../../src/evals/extraction.ts';
import { nearestParents } from '../../src/evals/nearest-parents.ts';
import { topTokens } from '../../src/evals/top-tokens.ts';
import { Firings } from '../../src/forest/firings.ts';
import { onDevices } from '../sae/bench.ts';

onDevices((device) => {
  it('finds the parent of largest cosine, the lowest of equal ones, none that points away', async () => {
    const d = 16;
    const random = new Random(4);
    const draw = (rows: number): Float32Array => Float32Array.from({ length: rows * d }, () => random.normal());
    const [children, parents] = [draw(2100), draw(9)];
    parents.copyWithin(7 * d, 2 * d, 3 * d);
    for (let k = 0; k < d; k++) parents[4 * d + k] *= 30;
    const { parent, cosine } = await nearestParents(device(), children, parents, d);
    const dot = (c: number, p: number): number => {
      const [a, b] = [children.subarray(c * d, (c + 1) * d), parents.subarray(p * d, (p + 1) * d)];
      return a.reduce((sum, value, k) => sum + value * b[k], 0) / (Math.hypot(...a) * Math.hypot(...b));
    };
    for (let c = 0; c < 2100; c++) {
      const cosines = Array.from({ length: 9 }, (_, p) => dot(c, p));
      const best = Math.max(...cosines);
      expect(cosine[c]).toBeCloseTo(Math.max(0, best), 5);
      expect(parent[c] === 7).toBe(false);
      if (best > 1e-5) expect(cosines[parent[c]]).toBeCloseTo(best, 5);
      else if (best < -1e-5) expect(parent[c]).toBe(-1);
    }
    expect(parent.includes(-1)).toBe(true);
  });
});

it('shows the tokens with the largest sums', () => {
  const firings = new Firings(2);
  firings.add(codesFromDense([1, 0, 3, 1, 2, 0, 0, 5, 3, 0], 5, 2));
  const tokens = Int32Array.of(7, 8, 7, 9, 6);
  expect(topTokens(firings, tokens, 0, 2)).toEqual([6, 7]);
  expect(topTokens(firings, tokens, 1, 5)).toEqual([9, 8]);
});

it('puts parents of another SAE before the latents', () => {
  const forest = forestOf({ parent: Int32Array.of(1, -1, 0, 1) }, 2);
  expect([...forest.parent]).toEqual([-1, -1, 1, -1, 0, 1]);
  expect([...forestOf({ parent: Int32Array.of(1, -1) }, undefined).parent]).toEqual([1, -1]);
});
