/** Matching of latents and features where several levels each reconstruct alone. */
import { expect, it } from 'vitest';
import { matchByLevel } from '../../src/evals/toy-recovery.ts';

/** Live latents 0, 2 (first level) and 5, 6 (second); latents 2 and 5 both stand for feature 1, latent 6 for none. */
const LIVE = [0, 2, 5, 6];
// prettier-ignore
const COSINES = Float32Array.from([
  1,   0,
  0,   0.95,
  0.1, 1,
  0.5, 0.5,
]);

it('gives a feature one latent in each level, and one in all without levels', () => {
  const levels = [
    { from: 0, to: 4 },
    { from: 4, to: 8 },
  ];
  expect([...matchByLevel(COSINES, LIVE, 2, levels)]).toEqual([0, 1, 1, -1]);
  expect([...matchByLevel(COSINES, LIVE, 2, levels.toReversed())]).toEqual([0, 1, 1, -1]);
  expect([...matchByLevel(COSINES, LIVE, 2, [{ from: 0, to: 8 }])]).toEqual([0, -1, 1, -1]);
});

it('copes with a level without live latents', () => {
  const levels = [
    { from: 0, to: 3 },
    { from: 3, to: 5 },
    { from: 5, to: 8 },
  ];
  expect([...matchByLevel(COSINES, LIVE, 2, levels)]).toEqual([0, 1, 1, -1]);
});
