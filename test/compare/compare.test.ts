import { describe, expect, it } from 'vitest';
import { parseColumn, valueIn } from '../../src/compare/columns.ts';
import { compare, type Test } from '../../src/compare/compare.ts';
import { familyOf } from '../../src/compare/matched.ts';
import { rowsOf } from '../../src/compare/rows.ts';
import type { ComparedRun } from '../../src/compare/runs.ts';
import { besideNull, insufficient, type Metric } from '../../src/evals/metric.ts';
import { family, fakeRun, score } from './support.ts';

const COLUMNS = ['core.l0_total', 'core.variance_explained'].map(parseColumn);

function tested(test: Test | undefined): Exclude<Test['difference'], { refused: string }> {
  if (!test || 'refused' in test.difference) throw new Error(JSON.stringify(test));
  return test.difference;
}

function sized(width: number, k: number): ComparedRun {
  return fakeRun(`w${width}k${k}`, { settings: { width, k }, core: { l0_total: score(k, `${width}`) } });
}

describe('rows', () => {
  it('are runs that differ only in their seed, named by what tells them apart', () => {
    const rows = rowsOf(family([2, 0, 1]));
    expect(rows.map(({ label, runs }) => [label, runs.map(({ config }) => config.common.seed)])).toEqual([
      ['topk k=2', [0, 1, 2]],
      ['topk k=4', [0, 1, 2]],
      ['topk k=8', [0, 1, 2]],
      ['h-sae', [0, 1, 2]],
    ]);
  });

  it('do not depend on how often a run logs', () => {
    expect(
      rowsOf([fakeRun('a', { seed: 0 }), fakeRun('b', { seed: 1, settings: { logEvery: 3, keepCheckpoints: 5 } })]),
    ).toHaveLength(1);
  });

  it('refuse the same run twice', () => {
    expect(() => rowsOf([fakeRun('a', {}), fakeRun('b', {})])).toThrow(
      'the same run twice, configuration and seed: a and b',
    );
  });
});

describe('a column', () => {
  const withNull = besideNull(score(0.7), 'shuffled', Float64Array.of(0.1, 0.3), 'parents permuted');
  const few = insufficient('2 pairs', { n: 2, unit: '', definition: '' });
  const run = fakeRun('runs/a', {
    core: { l0: score(3) },
    hierarchy: { mcs: withNull, few },
    skipped: { composition: 'no language model' },
  });
  const read = (key: string): Metric | string => valueIn(parseColumn(key), run);

  it('reads a suite, one of its views, or what lies beyond a null', () => {
    expect(read('core.l0')).toMatchObject({ unit: 'share', value: score(3).value });
    expect(read('hierarchy.mcs@full')).toMatchObject({ value: withNull.value });
    const beyond = read('hierarchy.mcs@top~shuffled') as Metric;
    expect(beyond.value).toBeCloseTo(withNull.value! - 0.2, 12);
    expect(beyond.high).toBeCloseTo(withNull.high! - 0.2, 12);
    expect(beyond.replicates![3]).toBeCloseTo(withNull.replicates![3] - 0.2, 12);
    expect(beyond.definition).toContain('minus its mean under the null shuffled: parents permuted');
  });

  it('says why there is nothing', () => {
    expect(read('truth.mcc')).toBe('truth was not measured: saeforest eval runs/a --suite truth');
    expect(read('hierarchy.composition')).toBe('no language model');
    expect(read('hierarchy.few')).toBe('2 pairs');
    expect(read('core.l0@deep')).toBe('topk has no view deep');
    expect(read('core.nothing')).toBe('the suite core did not report nothing');
    expect(read('core.l0~shuffled')).toBe('l0 has no null shuffled here');
  });

  it('knows its title and which way is better', () => {
    expect(parseColumn('hierarchy.p_parent_given_child~shuffled')).toMatchObject({
      title: 'P(parent | child) beyond shuffled null',
      better: 'higher',
    });
    expect(parseColumn('absorption.truth_absorption_rate').better).toBe('lower');
    expect(parseColumn('probing.probing_k1').title).toBe('probing, k = 1');
    expect(parseColumn('hierarchy.sibling_cosine').better).toBeUndefined();
    for (const wrong of ['variance_explained', 'core.', 'core.a~', '']) {
      expect(() => parseColumn(wrong)).toThrow('not a column');
    }
  });
});

describe('a comparison', () => {
  it('tests every row against the first, with the seeds and units that they share', () => {
    const { rows, tests, reference } = compare(family([0, 1, 2]), { columns: COLUMNS });
    expect(reference!.label).toBe('topk k=2');
    expect(rows[3].cells[1]).toMatchObject({ seeds: 3, paired: true, unit: 'share' });
    // L0 is a cost: it is shown, not tested.
    expect(tests.map(({ row, column }) => [row, column])).toEqual(
      ['topk k=4', 'topk k=8', 'h-sae'].map((row) => [row, 'core.variance_explained']),
    );
    const difference = tested(tests[0]);
    expect(difference.value).toBeCloseTo(0.1, 2);
    expect(difference.detectable!).toBeLessThan(0.01);
    expect(tests.every(({ adjusted }) => adjusted! <= 0.05)).toBe(true);
    expect(tests[0].adjusted!).toBeGreaterThanOrEqual(difference.p!);
  });

  it('matches L0: the same score at another L0 is a gain, on the curve there is none', () => {
    const runs = family([0, 1, 2]);
    const { matched } = compare(runs, { columns: COLUMNS, against: 'topk k=8', match: 'l0' });
    expect(matched!.family.map(({ label }) => label)).toEqual(['topk k=2', 'topk k=4', 'topk k=8']);
    expect(matched!.tests.map(({ row }) => row)).toEqual(['h-sae']);
    // 0.9 at an L0 of 4, where the curve is at 0.7.
    const gain = tested(matched!.tests[0]);
    expect(gain.value).toBeCloseTo(0.2, 2);
    expect(gain.low!).toBeGreaterThan(0.18);
    expect(gain.outside).toBe(false);
  });

  it('refuses to match where the reference has no curve', () => {
    const { matched } = compare(family([0]), { columns: COLUMNS, against: 'h-sae', match: 'l0' });
    expect(matched!.tests.map(({ difference }) => 'refused' in difference && difference.refused)).toEqual(
      Array.from({ length: 3 }, () => 'a curve over l0 needs 2 different values of it, there are 1'),
    );
    const sizes = compare(family([0]), { columns: COLUMNS, against: 'topk k=4', match: 'parameters' }).matched!;
    expect(sizes.family.map(({ label }) => label)).toEqual(['topk k=4']);
  });

  it('has a family of equally sparse sizes where parameters are matched', () => {
    const rows = rowsOf([sized(32, 4), sized(64, 4), sized(64, 8)]);
    const labels = (match: 'l0' | 'flops' | 'parameters'): string[] =>
      familyOf(match, rows[1], rows).map(({ label }) => label);
    expect(labels('l0')).toEqual(['topk width=64 k=4', 'topk width=64 k=8']);
    expect(labels('parameters')).toEqual(['topk width=32 k=4', 'topk width=64 k=4']);
    expect(labels('flops')).toEqual(labels('parameters'));
  });

  it('refuses paired tests of runs that saw other data, were measured otherwise, or have no seed in common', () => {
    const core = { variance_explained: score(0.5) };
    const a = fakeRun('a', { core });
    const refusal = (facts: Parameters<typeof fakeRun>[1]): string => {
      const { tests } = compare([a, fakeRun('b', { core, settings: { k: 3 }, ...facts })], { columns: COLUMNS });
      const [{ difference }] = tests;
      return 'refused' in difference ? difference.refused : 'tested';
    };
    expect(refusal({})).toBe('tested');
    expect(refusal({ measured: { data: { hash: 'other' } } })).toBe(
      'they were not trained and measured on the same data: b and a',
    );
    expect(refusal({ measured: { rows: 500 } })).toContain('rows 500 and 1000');
    expect(refusal({ measured: { step: 20 } })).toContain('measured at step 20 of b, which is at step 40');
    expect(refusal({ settings: { k: 3, tokens: 8000 } })).toContain('tokens is 8000 in b, 4000 in a');
    expect(refusal({ seed: 5 })).toBe('no seed in common: 5 here, 0 there');
    const other = fakeRun('b', { core, settings: { k: 3 }, measured: { data: { hash: 'other' } } });
    expect(() => compare([a, other], { columns: COLUMNS, against: 'a' })).toThrow(
      'no paired test of topk k=3 against topk k=',
    );
  });

  it('names rows it does not know, and suites that nobody measured', () => {
    const runs = family([0]);
    expect(() => compare(runs, { columns: COLUMNS, against: 'topk k=3' })).toThrow('did you mean "topk k=');
    expect(() => compare(runs, { columns: [parseColumn('truth.mcc')] })).toThrow('no run has any of truth.mcc');
    expect(compare(runs, { columns: COLUMNS, against: 'seed0/h-sae/' }).reference!.label).toBe('h-sae');
  });

  it('shows runs that lack a metric with the reason, and one row without tests', () => {
    const runs = [fakeRun('a', { core: { variance_explained: score(0.5) } }), fakeRun('b', { settings: { k: 3 } })];
    const { rows } = compare(runs, { columns: COLUMNS });
    expect(rows[1].cells).toEqual([{ missing: 'core was not measured: saeforest eval b --suite core' }]);
    const alone = compare(runs.slice(0, 1), { columns: COLUMNS });
    expect([alone.reference, alone.tests]).toEqual([undefined, []]);
  });
});
