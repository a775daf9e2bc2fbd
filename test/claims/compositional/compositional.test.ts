import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decoded } from '../../../src/claims/compositional/abstract.ts';
import { attempt, publishedWidths, roundToBfloat16 } from '../../../src/claims/compositional/attempt.ts';
import { CoverageCounts, type TierWeights } from '../../../src/claims/compositional/composition.ts';
import { descend } from '../../../src/claims/compositional/weights.ts';
import { codesFromDense } from '../../../src/core/codes.ts';
import { ToyTree } from '../../../src/activations/toy-tree.ts';
import { ReferenceDevice } from '../../../src/engine/reference/device.ts';
import { Bootstrap } from '../../../src/evals/metric.ts';
import { documentUnits } from '../../../src/evals/units.ts';

describe('bfloat16', () => {
  it('keeps eight significant bits, ties to even', () => {
    const values = Float32Array.of(1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, -2.5, 0, Infinity);
    roundToBfloat16(values);
    expect(Array.from(values)).toEqual([1, 1, 1 + 2 ** -6, -2.5, 0, Infinity]);
  });

  it('is off by less than 2^-8 of the value, and idempotent', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, min: Math.fround(1e-30), max: Math.fround(1e30) }), (value) => {
        const once = Float32Array.of(value);
        roundToBfloat16(once);
        expect(Math.abs(once[0] - value)).toBeLessThanOrEqual(2 ** -8 * Math.abs(value));
        const twice = once.slice();
        roundToBfloat16(twice);
        expect(twice).toEqual(once);
      }),
    );
  });
});

describe('the published numbers', () => {
  it('decode to the norm of the inputs, their variance and uniform logits', () => {
    const gives = decoded().rows.map((row) => row[3]);
    expect(gives[0]).toBeCloseTo(309.9, 0);
    expect(gives[2]).toBeCloseTo(53_800, -2);
    expect(gives[3]).toBe(12.4375);
    expect(gives[4]).toBeCloseTo(5.3125, 10);
  });
});

describe('descent on the penalty', () => {
  const initial = [0.1, 0.3, 0.6];

  it('ends in the corner of the tier with the smallest L1, whichever that is', () => {
    for (const smallest of [0, 1, 2]) {
      const l1 = [0, 1, 2].map((tier) => (tier === smallest ? 10 : 20 + tier));
      const weights = descend(initial, l1, 60_000);
      expect(weights[smallest]).toBeGreaterThan(0.95);
      expect(weights.reduce((sum, w) => sum + w)).toBeCloseTo(1, 12);
    }
  });

  it('stays where it began when all tiers have the same L1', () => {
    descend(initial, [7, 7, 7], 1000).forEach((weight, i) => expect(weight).toBeCloseTo(initial[i], 6));
  });
});

describe('composition coverage', () => {
  // Latents 0 and 1 are the tier below, 2 and 3 the tier; one input dimension.
  const tier: TierWeights = {
    from: 2,
    to: 4,
    below: { from: 0, to: 2 },
    W: Float32Array.of(1, 1),
    V: Float32Array.of(3, 0, 0, 0.5),
    bias: Float32Array.of(0.5, 0),
    center: Float32Array.of(1),
  };
  const x = Float32Array.of(2, 2, 2);
  // Row 0: latent 0 feeds latent 2 with 3 ≥ 1 + 0.5; row 1: latent 1 feeds latent 3 with 0.5 < 1; row 2: nothing below.
  const codes = codesFromDense([1, 0, 4.5, 0, 0, 1, 0, 1.5, 0, 0, 1, 0], 3, 4);

  it('counts entries whose input comes from the tier below for the most part', () => {
    const counts = new CoverageCounts(tier, 3, 0);
    counts.add(x, codes, (row) => row);
    expect(Array.from(counts.active)).toEqual([1, 1, 1]);
    expect(Array.from(counts.covered)).toEqual([1, 0, 0]);
    const metric = counts.metric(new Bootstrap(documentUnits(Int32Array.of(0, 1, 2)), 0));
    expect(metric.value).toBeCloseTo(1 / 3, 12);
    // Where the two latents below change places, latent 2 gets nothing from latent 0.
    expect(metric.nulls!.shuffled.low).toBe(0);
    expect(metric.nulls!.shuffled.high).toBeCloseTo(1 / 3, 12);
  });

  it('does not depend on how rows come in batches', () => {
    const [whole, parts] = [new CoverageCounts(tier, 3, 0), new CoverageCounts(tier, 3, 0)];
    whole.add(x, codes, (row) => row);
    parts.add(x.subarray(0, 1), codesFromDense([1, 0, 4.5, 0], 1, 4), () => 0);
    parts.add(x.subarray(1), codesFromDense([0, 1, 0, 1.5, 0, 0, 1, 0], 2, 4), (row) => row + 1);
    expect(parts.covered).toEqual(whole.covered);
    expect(parts.shuffled).toEqual(whole.shuffled);
  });
});

describe('an attempt at the literal recipe', () => {
  const source = new ToyTree(0);
  const size = { seed: 0, steps: 12, batch: 64 };

  it('that goes well says how many steps were useful, and what was learned', async () => {
    const recipe = { keys: { width: [32, 48, 64], literalWithout: ['layer_norm'] }, inputs: 'normalised' } as const;
    const result = await attempt(new ReferenceDevice(), source, recipe, size);
    expect(result).toMatchObject({ steps: 12, useful: 12, failedAt: null, cause: undefined });
    expect(result.weights.reduce((sum, w) => sum + w)).toBeCloseTo(1, 12);
    expect(result.l1).toHaveLength(3);
  });

  it('that fails ends after ten bad steps, with the step and the cause', async () => {
    // Tiers of one latent are silent for some token of every batch.
    const recipe = { keys: { width: [1, 1, 1] }, inputs: 'published scale' } as const;
    const result = await attempt(new ReferenceDevice(), source, recipe, size);
    expect(result).toMatchObject({ useful: 0, failedAt: 0, l0: null, varianceExplained: null });
    expect(result.cause).toMatch(/went silent.*not normalised/);
  });

  it('keeps the published proportions of tiers', () => {
    expect(publishedWidths(2304)).toEqual([768, 1536, 2304]);
  });
});
