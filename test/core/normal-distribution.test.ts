import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalTail, normalThreshold } from '../../src/core/normal-distribution.ts';

describe('the tail of the normal distribution', () => {
  it.each([
    [0, 0.5],
    [1, 0.15865525393145707],
    [-2, 0.9772498680518208],
    [3, 0.0013498980316300957],
    [5, 2.866515718791946e-7],
    [7.05, 8.945889558769917e-13],
    [7.1, 6.23784446333164e-13],
    [8, 6.220960574271819e-16],
    [20, 2.7536241186063314e-89],
  ])('beyond %d is %d', (x, tail) => {
    expect(Math.abs(normalTail(x) - tail)).toBeLessThan(1e-15);
    expect(Math.abs(normalTail(x) / tail - 1)).toBeLessThan(2e-8);
  });

  it('has its limits', () => {
    expect([normalTail(Infinity), normalTail(-Infinity), normalTail(40), normalTail(-40)]).toEqual([0, 1, 0, 1]);
  });
});

describe('the threshold that is exceeded with some probability', () => {
  it('is the inverse of the tail', () => {
    fc.assert(
      fc.property(fc.double({ min: -30, max: 5, noNaN: true }), (exponent) => {
        const p = 10 ** Math.min(exponent, -1e-3);
        expect(Math.abs(normalTail(normalThreshold(p)) / p - 1)).toBeLessThan(1e-9);
      }),
    );
  });

  it('knows 1.96, certainty and impossibility', () => {
    expect(normalThreshold(0.025)).toBeCloseTo(1.959963984540054, 12);
    expect(normalThreshold(0.975)).toBeCloseTo(-1.959963984540054, 12);
    expect([normalThreshold(0.5), normalThreshold(0), normalThreshold(1)].map(Number)).toEqual([
      0,
      Infinity,
      -Infinity,
    ]);
    expect(() => normalThreshold(1.1)).toThrow(RangeError);
  });
});
