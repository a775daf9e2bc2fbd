import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cubicWarmup, defaultWarmup, linearWarmupDecay, warmupCosine } from '../../src/engine/schedules.ts';

const runs = fc
  .record({ total: fc.integer({ min: 2, max: 500 }), share: fc.double({ min: 0, max: 0.9, noNaN: true }) })
  .map(({ total, share }) => ({ total, warmup: Math.floor(share * total) }));

describe('linearWarmupDecay', () => {
  it('starts at 0, rises, stays at 1, and falls to 0 at the end', () => {
    fc.assert(
      fc.property(runs, fc.double({ min: 0, max: 0.99, noNaN: true }), ({ total, warmup }, share) => {
        const decayStart = Math.max(warmup, Math.floor(share * total));
        const factor = linearWarmupDecay(total, warmup, decayStart);
        for (let t = 0; t < total; t++) {
          if (t < warmup) expect(factor(t)).toBeCloseTo(t / warmup, 12);
          else if (t <= decayStart) expect(factor(t)).toBe(1);
          else expect(factor(t)).toBeLessThan(factor(t - 1));
          expect(factor(t)).toBeGreaterThanOrEqual(0);
        }
        expect(factor(total)).toBe(0);
      }),
    );
  });

  it('never decays without a decay start', () => {
    const factor = linearWarmupDecay(10, 0, undefined);
    expect([0, 5, 9, 100].map(factor)).toEqual([1, 1, 1, 1]);
  });
});

describe('warmupCosine', () => {
  it('rises to the peak and falls to a tenth of it', () => {
    fc.assert(
      fc.property(runs, ({ total, warmup }) => {
        const rate = warmupCosine(1e-11, 5e-4, warmup, total);
        if (warmup > 0) expect(rate(0)).toBeCloseTo(1e-11, 15);
        expect(rate(warmup)).toBeCloseTo(5e-4, 12);
        for (let t = 1; t < total; t++) {
          if (t <= warmup) expect(rate(t)).toBeGreaterThan(rate(t - 1));
          else expect(rate(t)).toBeLessThan(rate(t - 1));
        }
        for (const t of [total, total + 1, 10 * total]) expect(rate(t)).toBeCloseTo(5e-5, 12);
      }),
    );
  });
});

describe('cubicWarmup', () => {
  it('is the cube of the share of the warm-up, then 1', () => {
    expect([0, 1, 2, 4, 5].map(cubicWarmup(4))).toEqual([0, 1 / 64, 1 / 8, 1, 1]);
    expect([0, 7].map(cubicWarmup(0))).toEqual([1, 1]);
  });
});

describe('defaultWarmup', () => {
  it('is as published, but at most a tenth of the run', () => {
    expect([5, 100, 10_000, 30_000].map((total) => defaultWarmup(total))).toEqual([0, 10, 1000, 1000]);
    expect([5, 10_000, 30_000].map((total) => defaultWarmup(total, 2000))).toEqual([0, 1000, 2000]);
  });
});
