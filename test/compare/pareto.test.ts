import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { paretoFront, type Direction } from '../../src/compare/pareto.ts';

const spot = (x: number, y: number): { x: number; y: number } => ({ x, y });

const notWorse = (a: number, b: number, better: Direction): boolean => (better === 'higher' ? a >= b : a <= b);

describe('a Pareto front', () => {
  it('has the points that nothing beats', () => {
    const points = [spot(8, 0.8), spot(4, 0.5), spot(8, 0.9), spot(16, 0.9), spot(16, 0.95), spot(5, 0.4)];
    expect(paretoFront(points, { x: 'lower', y: 'higher' })).toEqual([spot(4, 0.5), spot(8, 0.9), spot(16, 0.95)]);
    expect(paretoFront(points, { x: 'lower', y: 'lower' })).toEqual([spot(4, 0.5), spot(5, 0.4)]);
    expect(paretoFront(points, { x: 'higher', y: 'higher' })).toEqual([spot(16, 0.95)]);
    expect(paretoFront([], { x: 'lower', y: 'higher' })).toEqual([]);
  });

  it('property: leaves out exactly what is beaten, in any order', () => {
    const number = fc.integer({ min: 0, max: 6 });
    const direction = fc.constantFrom<Direction>('higher', 'lower');
    fc.assert(
      fc.property(fc.array(fc.tuple(number, number)), direction, direction, (pairs, x, y) => {
        const points = pairs.map(([a, b]) => spot(a, b));
        const front = paretoFront(points, { x, y });
        const beats = (a: { x: number; y: number }, b: { x: number; y: number }): boolean =>
          notWorse(a.x, b.x, x) && notWorse(a.y, b.y, y) && (a.x !== b.x || a.y !== b.y);
        const isOn = (point: { x: number; y: number }): boolean =>
          front.some((one) => one.x === point.x && one.y === point.y);
        for (const point of points) expect(isOn(point)).toBe(!points.some((other) => beats(other, point)));
        expect(paretoFront(points.toReversed(), { x, y })).toEqual(front);
      }),
    );
  });
});
