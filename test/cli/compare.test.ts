import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { temporaryFolder } from '../activations/folders.ts';
import { coreSchema } from '../evals/saebench/schema.ts';

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => ((out += String(chunk)), true));
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => ((err += String(chunk)), true));
  const code = await main(argv);
  vi.restoreAllMocks();
  return { code, out, err };
}

const folder = temporaryFolder();
const at = (...names: string[]): string => join(folder.path, ...names);
const SAES = ['topk:width=24,k=1', 'topk:width=24,k=3', 'h-sae:width=8,k=1,atoms=2'];
const COLUMNS = 'core.l0_total,core.variance_explained';

interface Document {
  rows: { label: string; runs: { folder: string }[]; cells: Record<string, { value: number; seeds: number }> }[];
  tests: { row: string; column: string; difference: { seeds?: number; value?: number; refused?: string } }[];
  matched?: { family: string[]; tests: { row: string }[] };
}

async function compared(...argv: string[]): Promise<Document> {
  const { code, out, err } = await run('compare', ...argv, '--json');
  expect(code, err).toBe(0);
  return JSON.parse(out) as Document;
}

afterEach(() => vi.restoreAllMocks());
afterAll(folder.remove);

describe('compare', () => {
  beforeAll(async () => {
    for (const seed of ['0', '1']) {
      const saes = SAES.flatMap((sae) => ['--sae', sae]);
      const out = at('runs', `seed${seed}`);
      const flags = ['--acts', 'synthetic:toy-tree', '--out', out, '--seed', seed, '--tokens', '6k'];
      const trained = await run('train', ...flags, '--set', 'batch=200', ...saes);
      expect(trained.code, trained.err).toBe(0);
      for (const name of readdirSync(out)) {
        const { code, err } = await run('eval', join(out, name), '--rows', '1k', '--saebench', at('saebench'));
        expect(code, err).toBe(0);
      }
    }
  }, 120_000);

  it('puts runs that differ in their seed into one row, and tests rows against the first', async () => {
    const { rows, tests } = await compared(at('runs'), '--columns', COLUMNS);
    expect(rows.map(({ label, runs }) => [label, runs.length])).toEqual([
      ['h-sae', 2],
      ['topk k=1', 2],
      ['topk k=3', 2],
    ]);
    expect(tests.map(({ row, difference }) => [row, difference.seeds])).toEqual([
      ['topk k=1', 2],
      ['topk k=3', 2],
    ]);
    const of = (row: number): number => rows[row].cells['core.variance_explained'].value;
    expect(tests[1].difference.value).toBeCloseTo(of(2) - of(0), 9);
    expect(rows[1].cells['core.l0_total'].value).toBeLessThanOrEqual(1);
  });

  it('tests against the row that is named, also at the same L0', async () => {
    const document = await compared(at('runs'), '--columns', COLUMNS, '--against', 'topk k=3', '--match', 'l0');
    expect(document.matched).toMatchObject({ family: ['topk k=1', 'topk k=3'] });
    expect(document.matched!.tests.map(({ row }) => row)).toEqual(['h-sae']);
    expect(document.tests.map(({ row }) => row)).toEqual(['h-sae', 'topk k=1']);
  });

  it('prints tables for readers, Markdown, and CSV', async () => {
    const runs = [at('runs', 'seed0'), at('runs', 'seed1'), '--columns', `${COLUMNS},truth.mcc`];
    const { out } = await run('compare', ...runs);
    expect(out).toMatch(/^ +seeds +total L0 +variance explained ↑$/m);
    expect(out).toMatch(/^topk k=1 +2 +1[.\d]* .*$/m);
    expect(out).toContain('p (Holm) is adjusted for the 2 tests of this table');
    const markdown = (await run('compare', ...runs, '--markdown')).out;
    expect(markdown).toMatch(/^\| h-sae +\| +2 \|/m);
    expect(markdown).toContain('**Minus h-sae**');
    const [heading, ...records] = (await run('compare', ...runs, '--csv')).out.trimEnd().split('\n');
    expect(heading).toMatch(/^row,architecture,seeds,column,value,low,high,/);
    expect(records).toHaveLength(6);
    expect(records[1]).toMatch(/^h-sae,h-sae,0 1,core.variance_explained,0\.\d+/);
  });

  it('writes plots, also of other axes', async () => {
    const { code, err } = await run('compare', at('runs'), '--plots', at('plots'));
    expect(code, err).toBe(0);
    expect(readdirSync(at('plots'))).toEqual(['variance-explained.svg']);
    await run('compare', at('runs'), '--plots', at('plots'), '--x', 'core.l0', '--y', 'core.mse');
    expect(readFileSync(at('plots', 'core.mse-core.l0.svg'), 'utf8')).toContain('lower is better');
    const none = await run('compare', at('runs'), '--plots', at('plots'), '--x', 'core.l0', '--y', 'truth.mcc');
    expect([none.code, none.out]).toEqual([2, '']);
    expect(none.err).toContain('there is nothing to plot: no run has both core.l0 and truth.mcc');
  });

  it('puts its table between the lines of a document, as a formatter would', async () => {
    const text = '# Results\n\n<!-- compare:toy -->\n\nold\n\n<!-- /compare:toy -->\n\nend\n';
    writeFileSync(at('README.md'), text);
    for (let i = 0; i < 2; i++) {
      const { code, err } = await run('compare', at('runs'), '--columns', COLUMNS, '--into', `${at('README.md')}#toy`);
      expect(code, err).toBe(0);
    }
    const now = readFileSync(at('README.md'), 'utf8');
    expect(now).toMatch(/^# Results\n\n<!-- compare:toy -->\n\n\| .*\n\| -+ \| -+: \|.*\n\| h-sae /);
    expect(now).toMatch(/\n\n<!-- \/compare:toy -->\n\nend\n$/);
    expect(now).not.toContain('old');
    const elsewhere = await run('compare', at('runs'), '--into', `${at('README.md')}#world`);
    expect([elsewhere.code, elsewhere.out]).toEqual([2, '']);
    expect(elsewhere.err).toContain('<!-- compare:world -->');
  });

  it('measures what is missing where it is asked to', async () => {
    rmSync(at('runs', 'seed0', 'h-sae', 'evals'), { recursive: true });
    const before = await compared(at('runs', 'seed0'), '--columns', COLUMNS);
    expect(before.tests.every(({ difference }) => difference.refused?.includes('saeforest eval'))).toBe(true);
    const after = await compared(at('runs', 'seed0'), '--columns', COLUMNS, '--measure');
    // With default settings, which the others were not measured with.
    expect(after.tests[0].difference.refused).toContain('rows 1000 and 100000');
  });

  it('wrote files in the schema of SAEBench', () => {
    const names = readdirSync(at('saebench', 'core'));
    expect(names).toHaveLength(6);
    for (const name of names) {
      const document: unknown = JSON.parse(readFileSync(at('saebench', 'core', name), 'utf8'));
      expect(coreSchema.safeParse(document).error).toBeUndefined();
    }
  });

  it.each([
    ['a folder that is no run', () => [at('empty')], 'not a run, and no folder of runs'],
    ['a folder that is not there', () => [at('nowhere')], 'not a run, and no folder of runs'],
    ['no runs', () => [], 'name at least one run'],
    ['metrics that nobody measured', () => [at('runs'), '--columns', 'truth.mcc'], 'no run has any of truth.mcc'],
    ['a column that is none', () => [at('runs'), '--columns', 'mse'], 'not a column: mse'],
    ['an unknown row', () => [at('runs'), '--against', 'topk k=2'], 'unknown row "topk k=2"'],
    ['an unknown cost', () => [at('runs'), '--match', 'l1'], 'unknown cost "l1"; did you mean "l0"?'],
    ['half of a plot', () => [at('runs'), '--x', 'core.l0'], '--x and --y belong together'],
    ['two outputs', () => [at('runs'), '--csv', '--markdown'], 'exclude each other'],
    ['an unknown suite', () => [at('runs'), '--columns', 'cor.l0', '--measure'], 'unknown suite "cor"'],
    [
      'runs of other data in one paired test',
      () => [at('runs', 'seed1'), at('other'), '--against', at('runs', 'seed1', 'topk-k=1')],
      'they did not see the same stream',
    ],
  ])('refuses %s', async (_, argv, message) => {
    mkdirSync(at('empty'), { recursive: true });
    if (argv().includes(at('other'))) {
      const acts = ['--acts', 'synthetic:toy-tree', '--out', at('other'), '--seed', '1', '--tokens', '2k'];
      await run('train', ...acts, '--arch', 'topk', '--set', 'width=24', '--set', 'k=2', '--set', 'batch=200');
      await run('eval', at('other'), '--rows', '1k');
    }
    const { code, out, err } = await run('compare', ...argv());
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(message);
  });
});
