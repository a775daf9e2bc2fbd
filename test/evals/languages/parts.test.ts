import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codesFromDense } from '../../../src/core/codes.ts';
import { Random } from '../../../src/core/random.ts';
import { LanguageFirings } from '../../../src/evals/languages/specific.ts';
import { AlignedSets, TOP, topLatents } from '../../../src/evals/languages/top-latents.ts';

describe('the strongest latents', () => {
  const activations = fc.array(fc.constantFrom(0, -1, 0.5, 1, 2, 3), { minLength: 30, maxLength: 30 });

  it('are those of the range with the largest activations, the lower of equal ones', () => {
    fc.assert(
      fc.property(activations, fc.nat(15), (values, from) => {
        const range = { from, to: 28 };
        const expected = [...values.keys()]
          .filter((i) => values[i] !== 0 && i >= from && i < 28)
          .sort((a, b) => values[b] - values[a] || a - b)
          .slice(0, TOP);
        const found = topLatents(codesFromDense([...values, ...values], 2, 30), 1, range);
        expect([...found].filter((latent) => latent !== -1)).toEqual(expected);
        expect(found).toHaveLength(TOP);
      }),
    );
  });

  it('are compared as sets', () => {
    fc.assert(
      fc.property(activations, activations, (a, b) => {
        const range = { from: 0, to: 30 };
        const sets = [a, b].map((values) => topLatents(codesFromDense(values, 1, 30), 0, range));
        const aligned = new AlignedSets(2, range);
        for (let row = 0; row < 40; row++) aligned.add(row, row === 17 ? sets : [sets[1], sets[1]]);
        const [left, right] = sets.map((set) => new Set([...set].filter((latent) => latent !== -1)));
        const any = new Set([...left, ...right]);
        const different = [...any].filter((latent) => left.has(latent) !== right.has(latent));
        expect(aligned.compare(17, 0, 17, 1)).toEqual({ different: different.length, any: any.size });
        expect(aligned.compare(17, 0, 3, 0)).toEqual({ different: different.length, any: any.size });
        expect(aligned.compare(3, 0, 39, 1).different).toBe(0);
      }),
    );
  });

  it('are paired with any other row, never with their own', () => {
    const aligned = new AlignedSets(1, { from: 0, to: 1 });
    for (let row = 0; row < 5; row++) aligned.add(row, [new Int32Array(TOP).fill(-1)]);
    const seen = new Set<number>();
    for (let draw = 0; draw < 100; draw++) {
      const others = aligned.otherRows(new Random(draw));
      others.forEach((other, row) => expect(other).not.toBe(row));
      seen.add(others[2]);
    }
    expect([...seen].sort()).toEqual([0, 1, 3, 4]);
  });
});

/** 25 rows for every latent of `fires`, with that concept on; −1: no concept. */
function add(
  firings: LanguageFirings,
  language: number,
  fires: readonly (readonly [latent: number, concept: number])[],
) {
  for (const [latent, concept] of fires) {
    const codes = new Float32Array(12);
    codes[latent] = 1;
    const truth = new Float32Array(8);
    if (concept >= 0) truth[concept] = 1;
    const times = Array.from({ length: 25 }, (_, i) => i);
    const repeat = (row: Float32Array): number[] => times.flatMap(() => [...row]);
    firings.add(language, codesFromDense(repeat(codes), 25, 12), codesFromDense(repeat(truth), 25, 8));
  }
}

describe('latents of one language', () => {
  const range = { from: 0, to: 12 };
  const languages = ['a', 'b'];
  it('are those with nine firings in ten there', () => {
    const firings = new LanguageFirings(2, 12, 8);
    const nine = Array.from({ length: 9 }, () => [0, 0] as const);
    add(firings, 0, [...nine, [1, 1], [2, 2], [2, 2], [3, 3]]);
    add(firings, 1, [
      [0, 0],
      [1, 1],
      [4, 4],
    ]);
    expect([...firings.languagesOf(range)]).toEqual([0, -1, 0, 0, 1, ...Array<number>(7).fill(-2)]);
    const { language_specific } = firings.metrics(range, languages, 0);
    expect(language_specific).toMatchObject({ value: 4 / 5, n: 5 });
  });

  it('are redundant where another language has one for the concept', () => {
    const firings = new LanguageFirings(2, 12, 8);
    // Concepts 0 and 1 have a latent in each language, 2 and 3 in one, 4 has two in the same; the last has no concept.
    add(firings, 0, [
      [0, 0],
      [1, 1],
      [2, 2],
      [3, 4],
      [4, 4],
      [10, -1],
    ]);
    add(firings, 1, [
      [5, 0],
      [6, 1],
      [7, 3],
      [11, 2],
      [11, 3],
      [11, 5],
      [11, 6],
      [11, 7],
    ]);
    const { redundant_share } = firings.metrics(range, languages, 0);
    // Latent 11 tells nothing: 25 firings in each of five concepts. F1 with any: 2·25 / (125 + 25) = 1/3, with concept 3 less.
    expect(redundant_share).toMatchObject({ n: 8 });
    expect(redundant_share.value).toBeCloseTo(4 / 8, 12);
    expect(redundant_share.nulls!.random_concepts.draws).toBe(100);
  });

  it('need no concepts, and are not counted where they are few', () => {
    const firings = new LanguageFirings(2, 12, 0);
    firings.add(0, codesFromDense(new Float32Array(12), 1, 12), codesFromDense([], 1, 0));
    const metrics = firings.metrics(range, languages, 0);
    expect(Object.keys(metrics)).toEqual(['language_specific']);
    expect(metrics.language_specific.insufficient).toMatch(/0 latents fire often enough/);
  });
});
