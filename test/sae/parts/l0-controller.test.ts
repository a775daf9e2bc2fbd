import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { autotune, followTrajectory } from '../../../src/sae/parts/l0-controller.ts';

const rule = { targetL0: 20, rate: 1e-3, momentum: 0.999, step: 1e-2 };

/** L0 of a model that has λ = 1 at L0 = 20 and answers at once. */
const respond = (lambda: number): number => 20 / Math.sqrt(lambda);

describe('followTrajectory', () => {
  it('the first step sets the running mean only', () => {
    const start = { lambda: 2, lambdaStart: 2, ema: -1 };
    expect(followTrajectory(start, 33, rule)).toEqual({ ...start, ema: 33 });
  });

  it('with momentum 1 − η the direction is that of L0 − target', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 100, noNaN: true }),
        fc.double({ min: 0.1, max: 100, noNaN: true }),
        (l0, ema) => {
          fc.pre(Math.abs(l0 - 20) > 1e-6);
          const { lambda } = followTrajectory({ lambda: 1, lambdaStart: 1, ema }, l0, rule);
          expect(lambda > 1).toBe(l0 > 20);
        },
      ),
    );
  });

  it('brings a model that answers to its target, and stays within its bounds', () => {
    let state = { lambda: 0.05, lambdaStart: 0.05, ema: -1 };
    for (let step = 0; step < 2000; step++) state = followTrajectory(state, respond(state.lambda), rule);
    expect(respond(state.lambda)).toBeCloseTo(20, 0);
    for (let step = 0; step < 2000; step++) state = followTrajectory(state, 1e6, rule);
    expect(state.lambda).toBe(5);
    for (let step = 0; step < 20_000; step++) state = followTrajectory(state, 0, rule);
    expect(state.lambda).toBe(0.0005);
  });
});

describe('autotune', () => {
  it('moves by tanh of the relative error, a hundredth while L0 approaches', () => {
    const away = autotune({ multiplier: 1, ema: 30, rate: 0 }, 30, 20);
    expect(away.multiplier).toBeCloseTo(1 + 3e-4 * Math.tanh(5), 12);
    const nearing = autotune({ multiplier: 1, ema: 30, rate: -1 }, 30, 20);
    expect(nearing.multiplier).toBeCloseTo(1 + 3e-6 * Math.tanh(5), 12);
    const below = autotune({ multiplier: 1, ema: 10, rate: 0 }, 10, 20);
    expect(below.multiplier).toBeCloseTo(1 - 3e-4 * Math.tanh(5), 12);
    expect(autotune({ multiplier: 1, ema: -1, rate: 0 }, 7, 20)).toEqual({ multiplier: 1, ema: 7, rate: 0 });
  });

  it('smooths L0 and its rate, and stays within its bounds', () => {
    const { ema, rate } = autotune({ multiplier: 1, ema: 30, rate: 0.2 }, 10, 20);
    expect(ema).toBeCloseTo(29.8, 12);
    expect(rate).toBeCloseTo(0.95 * 0.2 + 0.05 * -0.2, 12);
    expect(autotune({ multiplier: 100, ema: 30, rate: 1 }, 30, 20).multiplier).toBe(100);
    expect(autotune({ multiplier: 0.01, ema: 10, rate: -1 }, 10, 20).multiplier).toBe(0.01);
  });
});
