import { expect, it } from 'vitest';
import { normalizeRows } from '../../../src/core/rows.ts';
import { uniform, unitRows } from '../../../src/sae/parts/initial.ts';

it('unit rows have norm 1 and point everywhere', () => {
  const [rows, d] = [400, 7];
  const W = unitRows(rows, d, 1, 'W');
  const mean = new Float64Array(d);
  for (let r = 0; r < rows; r++) {
    const row = W.subarray(r * d, r * d + d);
    expect(Math.abs(Math.hypot(...row) - 1)).toBeLessThan(1e-6);
    row.forEach((value, i) => (mean[i] += value / rows));
  }
  expect(Math.hypot(...mean)).toBeLessThan(0.15);
});

it('uniform draws fill the interval', () => {
  const values = uniform(2000, 0.5, 1, 'W');
  expect(Math.max(...values)).toBeGreaterThan(0.49);
  expect(Math.min(...values)).toBeLessThan(-0.49);
  expect(values.every((value) => Math.abs(value) <= 0.5)).toBe(true);
});

it('every parameter and seed has a stream of its own, the same each time', () => {
  expect(unitRows(3, 4, 1, 'W')).toEqual(unitRows(3, 4, 1, 'W'));
  expect(unitRows(3, 4, 1, 'W')).not.toEqual(unitRows(3, 4, 2, 'W'));
  expect(unitRows(3, 4, 1, 'W')).not.toEqual(unitRows(3, 4, 1, 'V'));
  // A longer parameter starts like a shorter one.
  expect(uniform(10, 1, 1, 'W').subarray(0, 4)).toEqual(uniform(4, 1, 1, 'W'));
});

it('rows of zeros stay zeros', () => {
  const values = Float32Array.of(0, 0, 3, 4);
  normalizeRows(values, 2);
  expect(values).toEqual(Float32Array.of(0, 0, 0.6, 0.8));
});
