import { describe, expect, it } from 'vitest';
import { codesFromDense } from '../../src/core/codes.ts';
import { absoluteCosines, FiringAgreement, matchLatents } from '../../src/forest/truth.ts';

describe('matching latents to features', () => {
  it('ignores sign and length of the rows, and gives 0 for zero rows', () => {
    const decoder = Float32Array.of(0, -3, 0, 0, 2, 2);
    expect([...absoluteCosines(decoder, Float32Array.of(5, 0, 0, 0.5), 2)]).toEqual([
      0,
      1,
      0,
      0,
      Math.fround(Math.SQRT1_2),
      Math.fround(Math.SQRT1_2),
    ]);
  });

  it('separates one-to-one, nearest and recovered', () => {
    // Two latents want feature 0; the second has to take feature 1, where its cosine is too low to count.
    const cosines = Float32Array.of(0.98, 0, 0, 0.95, 0.5, 0.25, 0, 0, 0.91);
    const matching = matchLatents(cosines, 3, 3);
    expect([...matching.oneToOne]).toEqual([0, 1, 2]);
    expect([...matching.nearest]).toEqual([0, 0, 2]);
    expect([...matching.recoveredBy]).toEqual([0, -1, 2]);
    expect([...matching.recovers]).toEqual([0, -1, 2]);
    expect(matching.mcc).toBeCloseTo((0.98 + 0.5 + 0.91) / 3, 6);
    expect(matching.uniqueness).toBeCloseTo(2 / 3, 12);
    expect(matching.recoveredShare).toBeCloseTo(2 / 3, 12);
  });

  it('averages over the smaller side', () => {
    const wide = matchLatents(Float32Array.of(0.1, 1, 0.5), 3, 1);
    expect([...wide.oneToOne]).toEqual([-1, 0, -1]);
    expect(wide.mcc).toBe(1);
    const narrow = matchLatents(Float32Array.of(0.1, 1, 0.5), 1, 3);
    expect(narrow.mcc).toBe(1);
    expect(narrow.recoveredShare).toBeCloseTo(1 / 3, 12);
  });
});

describe('agreement of firing', () => {
  // Latents 0 and 2 stand for feature 0, latent 1 for feature 1, latent 3 for none; feature 2 has no latent.
  const agreement = new FiringAgreement(Int32Array.of(0, 1, 0, -1), 3);
  agreement.add(codesFromDense([1, 0, 0, 1, 2, 1, 0, 0], 2, 4), codesFromDense([1, 0, 1, 1, 0, 0], 2, 3));
  agreement.add(codesFromDense([1, 0, 0, 0, 0, 0, 3, 0], 2, 4), codesFromDense([0, 0, 0, 1, 1, 0], 2, 3));

  it('counts per latent over batches', () => {
    const { precision, recall, f1 } = agreement.scores();
    expect([...precision]).toEqual([2 / 3, 0, 1, 0]);
    expect([...recall]).toEqual([2 / 3, 0, 1 / 3, 0]);
    expect([...f1]).toEqual([4 / 6, 0, 2 / 4, 0]);
  });

  it('gives each feature its best latent, and means over all', () => {
    const scores = agreement.scores();
    expect([...scores.featureF1]).toEqual([4 / 6, 0, 0]);
    expect(scores.meanFeatureF1).toBeCloseTo(4 / 18, 12);
    expect(scores.mean.f1).toBeCloseTo((4 / 6 + 2 / 4) / 4, 12);
  });

  it('refuses rows that do not fit', () => {
    expect(() => agreement.add(codesFromDense([1], 1, 1), codesFromDense([1, 0, 0], 1, 3))).toThrow('got 1 × 1 codes');
  });
});
