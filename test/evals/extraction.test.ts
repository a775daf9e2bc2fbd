import { expect, it } from 'vitest';
import { codesFromDense } from '../../src/core/codes.ts';
import { forestOf } from '../../src/evals/extraction.ts';
import { topTokens } from '../../src/evals/top-tokens.ts';
import { Firings } from '../../src/forest/firings.ts';

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
