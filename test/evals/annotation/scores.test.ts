import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/random.ts';
import type { GivenAnswer } from '../../../src/evals/annotation/files.ts';
import { ABOUT, type KeyEntry, type Kind } from '../../../src/evals/annotation/items.ts';
import { annotationMetrics } from '../../../src/evals/annotation/scores.ts';

const keyOf = (kind: Kind, count: number): Map<string, KeyEntry> =>
  new Map(
    Array.from({ length: count }, (_, i) => {
      const id = `${kind}${i}`;
      return [id, { id, kind, condition: ABOUT[kind].conditions[i % 2], latents: [i] }];
    }),
  );

const answersOf = (
  key: Map<string, KeyEntry>,
  annotator: string,
  answer: (entry: KeyEntry, i: number) => string,
): GivenAnswer[] =>
  [...key.values()].map((entry, i) => ({ item: entry.id, annotator, answer: answer(entry, i), time: '' }));

const rightly = ({ kind, condition }: KeyEntry): string => {
  const isTarget = condition === ABOUT[kind].conditions[0];
  return kind === 'coherence' ? (isTarget ? '5' : '1') : isTarget ? 'yes' : 'no';
};

/** Beside somebody who says yes to the first 25 of 50: the table 20/5/10/15 of the textbook, κ = .4. */
const second = (_: KeyEntry, i: number): string => (i < 20 || (i >= 25 && i < 35) ? 'yes' : 'no');

describe('scores of annotations', () => {
  it.each(['relation', 'detection', 'coherence'] as const)('of %s by people who see it all agree', (kind) => {
    const key = keyOf(kind, 40);
    const answers = ['anna', 'ben', 'carl'].flatMap((name) => answersOf(key, name, rightly));
    const metrics = annotationMetrics(answers, key, 0)[kind]!;
    expect(metrics.fleiss_kappa).toMatchObject({ value: 1, low: 1, n: 40 });
    expect(metrics['cohen_kappa anna and carl'].value).toBe(1);
    expect(metrics.difference.value).toBe(kind === 'coherence' ? 4 : 1);
    if (kind === 'relation')
      expect(metrics).toMatchObject({ yes_forest: { value: 1, n: 20 }, yes_random: { value: 0, n: 20 } });
    if (kind === 'detection') expect(metrics.accuracy.value).toBe(1);
    if (kind === 'coherence')
      expect(metrics.cohen_kappa_quadratic ?? metrics['cohen_kappa_quadratic anna and ben']).toMatchObject({
        value: 1,
      });
  });

  it('by people who guess are at chance', () => {
    const key = keyOf('relation', 400);
    const random = new Random(1);
    const guess = (): string => (random.uniform() < 0.5 ? 'yes' : 'no');
    const answers = ['anna', 'ben'].flatMap((name) => answersOf(key, name, guess));
    const { relation } = annotationMetrics(answers, key, 0);
    for (const name of ['cohen_kappa', 'fleiss_kappa', 'difference']) {
      expect(relation![name].low).toBeLessThan(0);
      expect(relation![name].high).toBeGreaterThan(0);
    }
  });

  it('use weights for scales only, and agree with a count by hand', () => {
    const key = keyOf('relation', 50);
    const answers = [...answersOf(key, 'anna', (_, i) => (i < 25 ? 'yes' : 'no')), ...answersOf(key, 'ben', second)];
    const { relation } = annotationMetrics(answers, key, 0);
    expect(relation!.cohen_kappa.value).toBeCloseTo(0.4, 12);
    expect(relation).not.toHaveProperty('cohen_kappa_linear');
    const scale = keyOf('coherence', 20);
    const { coherence } = annotationMetrics(
      ['anna', 'ben'].flatMap((name, a) => answersOf(scale, name, (_, i) => String(1 + ((i + a) % 5)))),
      scale,
      0,
    );
    expect(Object.keys(coherence!)).toEqual(expect.arrayContaining(['cohen_kappa_linear', 'cohen_kappa_quadratic']));
  });

  it('do not depend on the order of the answers', () => {
    const key = keyOf('detection', 30);
    const answers = ['anna', 'ben'].flatMap((name, a) =>
      answersOf(key, name, (_, i) => ((i * 7 + a) % 3 ? 'yes' : 'no')),
    );
    expect(annotationMetrics(answers.toReversed(), key, 0)).toEqual(annotationMetrics(answers, key, 0));
  });

  it('of too few items, or of one person, are no numbers', () => {
    const key = keyOf('relation', 18);
    const few = annotationMetrics(
      ['anna', 'ben'].flatMap((name) => answersOf(key, name, rightly)),
      key,
      0,
    ).relation!;
    expect(few.yes_forest).toMatchObject({ value: null, insufficient: '9 items, at least 10 are needed' });
    expect(few.difference).toMatchObject({
      value: null,
      insufficient: '9 items of one condition, at least 10 are needed',
    });
    expect(few.cohen_kappa.value).toBe(1);
    const alone = annotationMetrics(answersOf(key, 'anna', rightly), key, 0).relation!;
    expect(alone.fleiss_kappa).toMatchObject({ value: null, insufficient: 'one annotator, at least 2 are needed' });
    expect(Object.keys(alone).some((name) => name.startsWith('cohen'))).toBe(false);
  });

  it('leave κ undefined where everybody always says the same', () => {
    const key = keyOf('relation', 20);
    const { relation } = annotationMetrics(
      ['anna', 'ben'].flatMap((name) => answersOf(key, name, () => 'yes')),
      key,
      0,
    );
    expect(relation!.cohen_kappa).toMatchObject({ value: null, n: 20 });
    expect(relation!.fleiss_kappa.insufficient).toBeUndefined();
    expect(relation!.fleiss_kappa.value).toBeNull();
  });

  it('count for κ only the items that both answered', () => {
    const key = keyOf('relation', 40);
    const answers = [...answersOf(key, 'anna', rightly), ...answersOf(key, 'ben', rightly).slice(0, 25)];
    const { relation } = annotationMetrics(answers, key, 0);
    expect(relation!.cohen_kappa.n).toBe(25);
    expect(relation!.yes_forest.n).toBe(20);
  });
});
