import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { Bootstrap, metric, type Metric } from '../../src/evals/metric.ts';
import { meanOverSeeds, pairedDifference } from '../../src/evals/paired.ts';
import { documentUnits } from '../../src/evals/units.ts';

const meaning = { n: 1, unit: '', definition: '' };
const units = documentUnits(Array.from({ length: 40 }, (_, i) => i));
const bare = (value: number): Metric => metric(value, value - 1, value + 1, meaning);

/** A mean over 40 documents whose difficulty all SAEs share. */
function measured(effect: number, noise = 0, seed = 0): Metric {
  const [difficulty, own] = [new Random(1), new Random(2, seed)];
  const values = Float64Array.from({ length: 40 }, () => effect + difficulty.normal() + noise * own.normal());
  return new Bootstrap(units, 0).ratio(values, new Float64Array(40).fill(1), { unit: '', definition: '' });
}

describe('a paired difference', () => {
  it('cancels what the units have in common', () => {
    const [a, b] = [measured(0.1), measured(0)];
    expect(a.low!).toBeLessThan(b.high!);
    const difference = pairedDifference([a], [b]);
    expect(difference).toMatchObject({ seeds: 1, paired: true });
    expect(difference.value).toBeCloseTo(0.1, 12);
    expect(difference.low).toBeCloseTo(0.1, 9);
    expect(difference.high).toBeCloseTo(0.1, 9);
  });

  it('has an interval of the seeds and of the units', () => {
    const seeds = [0, 1, 2, 3, 4];
    const a = seeds.map((s) => measured(0.3 + 0.1 * s, 0.2, s));
    const b = seeds.map((s) => measured(0, 0.2, 9 + s));
    const difference = pairedDifference(a, b);
    expect(difference.seeds).toBe(5);
    expect(difference.low!).toBeLessThan(difference.value!);
    expect(difference.value!).toBeLessThan(difference.high!);
    expect(difference.detectable).toBeCloseTo((difference.high! - difference.low!) / 2, 12);
    const units1 = pairedDifference(a.slice(0, 1), b.slice(0, 1));
    expect(difference.detectable!).toBeGreaterThan(0.3 * units1.detectable!);
    expect(difference.p!).toBeLessThan(0.05);
  });

  it('is 0 between a metric and itself, and changes its sign with the order', () => {
    const seeds = [0, 1, 2];
    const a = seeds.map((s) => measured(s, 1, s));
    const b = seeds.map((s) => measured(s / 2, 1, 5 + s));
    expect(pairedDifference(a, a)).toMatchObject({ value: 0, low: 0, high: 0, detectable: 0, p: null });
    const [forth, back] = [pairedDifference(a, b), pairedDifference(b, a)];
    expect(back.value).toBeCloseTo(-forth.value!, 12);
    expect(back.low).toBeCloseTo(-forth.high!, 12);
    expect(back.p).toBe(forth.p);
  });

  it('is a t-interval over the seeds where any metric has no resamples', () => {
    const a = [bare(1), bare(2), measured(3)];
    const b = [bare(0), measured(0.5), measured(1)];
    const difference = pairedDifference(a, b);
    const values = a.map(({ value }, s) => value! - b[s].value!);
    const mean = (values[0] + values[1] + values[2]) / 3;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 2);
    expect(difference.paired).toBe(false);
    expect(difference.value).toBeCloseTo(mean, 12);
    expect(difference.high! - difference.value!).toBeCloseTo((4.3027 * deviation) / Math.sqrt(3), 3);
    expect(difference.p! > 0 && difference.p! < 1).toBe(true);
  });

  it('has no interval for one seed without resamples, none where a metric is undefined', () => {
    const single = pairedDifference([bare(1)], [bare(0)]);
    expect(single).toEqual({ value: 1, low: null, high: null, seeds: 1, paired: false, detectable: null, p: null });
    const gap = pairedDifference([measured(1), { ...measured(1), value: null }], [measured(0), measured(0)]);
    expect(gap).toMatchObject({ value: null, low: null, high: null, detectable: null, p: null });
  });

  it('refuses lists that do not pair', () => {
    expect(() => pairedDifference([], [])).toThrow(RangeError);
    expect(() => pairedDifference([bare(1)], [bare(1), bare(2)])).toThrow('1 and 2 runs');
  });

  it('finds no difference more often than it should be in about one case of twenty', () => {
    let found = 0;
    for (let trial = 0; trial < 200; trial++) {
      const { low, high } = pairedDifference([measured(0, 0.5, 2 * trial)], [measured(0, 0.5, 2 * trial + 1)]);
      if (low! > 0 || high! < 0) found++;
    }
    expect(found).toBeLessThanOrEqual(22);
    expect(found).toBeGreaterThan(1);
  });

  it('property: p is below .05 about where the interval leaves 0 out', () => {
    fc.assert(
      fc.property(fc.double({ min: -0.5, max: 0.5, noNaN: true }), fc.nat(20), (effect, seed) => {
        const { low, high, p } = pairedDifference([measured(effect, 0.5, seed)], [measured(0, 0.5, seed + 50)]);
        if (low! > 0 || high! < 0) expect(p!).toBeLessThan(0.055);
        else expect(p!).toBeGreaterThan(0.045);
      }),
    );
  });
});

describe('a mean over seeds', () => {
  it('of one run is that run', () => {
    expect(meanOverSeeds([bare(3)])).toEqual({ value: 3, low: 2, high: 4, seeds: 1, paired: false });
    const one = measured(0.3, 1);
    const mean = meanOverSeeds([one]);
    expect([mean.value, mean.low, mean.high]).toEqual([one.value, one.low, one.high]);
  });

  it('is wider where the seeds differ', () => {
    const same = meanOverSeeds([0, 1, 2].map(() => measured(0)));
    const different = meanOverSeeds([0, 1, 2].map((s) => measured(3 * s)));
    expect(different.value).toBeCloseTo(same.value! + 3, 9);
    expect(different.high! - different.low!).toBeGreaterThan(2 * (same.high! - same.low!));
    expect(() => meanOverSeeds([])).toThrow(RangeError);
  });
});
