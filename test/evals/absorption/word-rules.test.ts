import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { absorptionOf, splitCount, type Contribution } from '../../../src/evals/absorption/word-rules.ts';

const active = fc.uniqueArray(
  fc.record({
    latent: fc.nat(20),
    activation: fc.double({ min: 0, max: 5, noNaN: true }),
    cosine: fc.double({ min: -1, max: 1, noNaN: true }),
  }),
  { selector: ({ latent }) => latent, maxLength: 12 },
);
const words = fc.record({
  active,
  main: fc.uniqueArray(fc.nat(20), { maxLength: 4 }),
  projection: fc.double({ min: -2, max: 5, noNaN: true }),
});

describe('absorption of a word', () => {
  it('lies between 0 and 1, whatever the order of the latents', () => {
    fc.assert(
      fc.property(words, fc.nat(), ({ active, main, projection }, turn) => {
        const found = absorptionOf(active, new Set(main), projection);
        expect(found.fraction).toBeGreaterThanOrEqual(0);
        expect(found.fraction).toBeLessThanOrEqual(1);
        const at = turn % (active.length + 1);
        const turned = absorptionOf([...active.slice(at), ...active.slice(0, at)], new Set(main), projection);
        expect(turned.full).toBe(found.full);
        expect(turned.fraction).toBeCloseTo(found.fraction, 12);
      }),
    );
  });

  it('is none where the input has nothing of the probe, and not full where a main latent fires', () => {
    fc.assert(
      fc.property(words, ({ active, main, projection }) => {
        if (projection <= 0) {
          expect(absorptionOf(active, new Set(main), projection)).toEqual({ full: false, fraction: 0 });
        }
        const isOn = active.some(({ latent, activation }) => main.includes(latent) && activation > 1e-8);
        if (isOn) expect(absorptionOf(active, new Set(main), projection).full).toBe(false);
      }),
    );
  });

  it('is full where one latent stands in for a silent main one, and partial beside a weak one', () => {
    const absorber: Contribution = { latent: 3, activation: 2, cosine: 0.5 };
    expect(absorptionOf([absorber], new Set([0]), 1)).toEqual({ full: true, fraction: 1 });
    const weak: Contribution = { latent: 0, activation: 0.25, cosine: 1 };
    expect(absorptionOf([weak, absorber], new Set([0]), 1)).toEqual({ full: false, fraction: 0.75 });
    // Explains 39 % only.
    expect(absorptionOf([absorber], new Set([0]), 1 / 0.39)).toEqual({ full: false, fraction: 0 });
  });
});

describe('split count', () => {
  it('grows only while every further latent brings more than .03', () => {
    expect(splitCount([0.5])).toBe(1);
    expect(splitCount([0.5, 0.52, 0.9])).toBe(1);
    expect(splitCount([0.5, 0.6, 0.7])).toBe(3);
  });
});
