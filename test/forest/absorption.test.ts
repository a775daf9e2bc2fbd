import { expect, it } from 'vitest';
import { codesFromDense } from '../../src/core/codes.ts';
import { measureAbsorption } from '../../src/forest/absorption.ts';
import { Forest } from '../../src/forest/forest.ts';
import { cosinesOf } from '../../src/forest/truth.ts';

/** Feature 0 is the parent of 1 and 2. Directions are the axes. */
const truth = new Forest([-1, 0, 0]);
const directions = Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1);
const on = Uint8Array.of(1, 0, 0, 1, 1, 0, 1, 1, 0, 1, 0, 1, 0, 0, 0);
const measure = (decoder: number[], codes: number[]): ReturnType<typeof measureAbsorption> =>
  measureAbsorption(truth, codesFromDense(codes, 5, 3), on, cosinesOf(Float32Array.from(decoder), directions, 3));

it('finds none where latents are the features', () => {
  const { rate, leak, pairs } = measure([2, 0, 0, 0, 1, 0, 0, 0, 5], [...on]);
  expect([rate, leak]).toEqual([0, 0]);
  expect(pairs.map(({ parent, child, rows, off }) => [parent, child, rows, off])).toEqual([
    [0, 1, 2, 0],
    [0, 2, 1, 0],
  ]);
});

it('sees a child that has taken its parent over, whatever its sign', () => {
  // Latent 1 is −(parent + first child); latent 0 is silent where it fires.
  const codes = [1, 0, 0, 0, -1, 0, 0, -1, 0, 1, 0, 1, 0, 0, 0];
  const { rate, leak, pairs } = measure([1, 0, 0, -1, -1, 0, 0, 0, 1], codes);
  expect(pairs.map(({ rows, off }) => off / rows)).toEqual([1, 0]);
  expect(rate).toBe(0.5);
  expect(leak).toBeCloseTo(Math.SQRT1_2 / 2, 6);
});

it('takes a stored zero for off', () => {
  const codes = codesFromDense([...on], 5, 3);
  codes.value[1] = 0;
  const cosines = cosinesOf(directions, directions, 3);
  expect(measureAbsorption(truth, codes, on, cosines).pairs[0]).toMatchObject({ rows: 2, off: 1 });
});

it('is undefined, not small, without latents or without pairs', () => {
  expect(measureAbsorption(truth, codesFromDense([], 5, 0), on, new Float32Array(0))).toMatchObject({
    rate: 1,
    leak: NaN,
  });
  const never = new Uint8Array(15);
  const cosines = cosinesOf(directions, directions, 3);
  expect(measureAbsorption(truth, codesFromDense([...never], 5, 3), never, cosines).rate).toBeNaN();
});
