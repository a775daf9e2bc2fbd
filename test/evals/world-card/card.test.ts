/** Small measurements of the model that the repository ships. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../../src/core/errors.ts';
import { measureWorldModel, type CardLimits } from '../../../src/evals/world-card/card.ts';
import { newPairsOf } from '../../../src/evals/world-card/new-pairs.ts';
import { LanguageModel } from '../../../src/lm/model.ts';
import { World } from '../../../src/world/world.ts';

const limits: CardLimits = {
  ngramTokens: 100_000,
  documents: 120,
  probeDocuments: 500,
  perMeaning: 8,
  conceptsPerLevel: 2,
  examples: 60,
};
const world = new World();
const model = await LanguageModel.open(join(import.meta.dirname, '../../../assets/world'));

const measure = (other: World): Promise<unknown> => measureWorldModel(other, model, limits, () => {});

describe('measureWorldModel', () => {
  it('measures losses by language, probes by site, and verbs', async () => {
    const doing: string[] = [];
    const card = await measureWorldModel(world, model, limits, (what) => doing.push(what));
    for (const split of ['held-out', 'new-combinations'] as const) {
      const { all, ...languages } = card.losses[split];
      expect(Object.keys(languages)).toEqual(['english', 'talori', 'krend', 'mixed']);
      const rows = Object.values(languages);
      expect(rows.reduce((sum, { documents }) => sum + documents, 0)).toBe(limits.documents);
      expect(rows.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(all.tokens);
      const { unigram, bigram, trigram } = all.baselines;
      expect(all.model.high).toBeLessThan(trigram.low);
      expect(trigram.value).toBeLessThan(bigram.value);
      expect(bigram.value).toBeLessThan(unigram.value);
      expect(all.generator === undefined).toBe(split === 'new-combinations');
    }
    expect(card.losses['held-out'].all.generator!.value).toBeLessThan(card.losses['held-out'].all.model.value);

    const probed = (test: string, site: string, level: number): number =>
      card.probes.find((score) => score.test === test && score.site === site && score.level === level)!.auc.value;
    expect([...new Set(card.probes.map(({ site }) => site))]).toEqual([
      'random',
      'resid_pre 0',
      ...model.info.residuals.map(({ layer }) => `resid_post ${layer}`),
    ]);
    expect(probed('words', 'resid_post 1', 0)).toBeGreaterThan(0.95);
    expect(probed('words', 'random', 0)).toBeLessThan(0.65);
    // The embedding is the same whatever a homonym means.
    const homonyms = card.probes.filter(({ test, site }) => test === 'homonyms' && site === 'resid_pre 0');
    expect(homonyms.length).toBeGreaterThan(0);
    for (const { auc } of homonyms) expect(auc.value).toBeCloseTo(0.5, 9);

    const { minimalPairs, afterSubject } = card.verbs;
    expect(minimalPairs.all.model.value).toBeGreaterThan(0.9);
    expect(afterSubject.neverSeen.low).toBeGreaterThan(3 * afterSubject.impossible.high);
    expect(doing[0]).toContain('n-gram models');
    expect(doing.at(-1)).toBe('probes on resid_post 3');
  });

  it('refuses a model of another world, naming the difference', async () => {
    await expect(measure(new World({ seed: 1 }))).rejects.toThrow(InputError);
    await expect(measure(new World({ depth: 2 }))).rejects.toThrow(/the model has 2112 tokens, the world \d+/);
  });
});

describe('newPairsOf', () => {
  it('finds subject and verb of pairs that are held out, and none in training text', () => {
    const pairs = Array.from({ length: 50 }, (_, i) => newPairsOf(world, world.document('new-combinations', i))).flat();
    expect(pairs.length).toBeGreaterThan(30);
    for (const { document, subject, verb, subjectPosition, position, end } of pairs) {
      expect(world.pairs.isHeldOut(subject, verb)).toBe(true);
      expect(document.concepts[position]).toBe(verb);
      expect(world.taxonomy.isA(subject, document.concepts[subjectPosition])).toBe(true);
      expect(position).toBeLessThan(end);
    }
    for (let i = 0; i < 50; i++) expect(newPairsOf(world, world.document('train', i))).toEqual([]);
  });
});
