/** docs/claims.md is made from the ledger and its results; it may not lag behind. Needs a build. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../training/support.ts';

const SCRIPT = join(import.meta.dirname, '../../docs/make-claims.mjs');

const make = (...flags: string[]): { status: number | null; stderr: string } =>
  spawnSync(process.execPath, [SCRIPT, ...flags], { encoding: 'utf8' });

it('is up to date', () => {
  const { status, stderr } = make('--check');
  expect(status, stderr).toBe(0);
});

it('shows verdict, interval and provenance of a result, and what is not tested yet', () => {
  const folder = temporaryFolder();
  const result = {
    id: 'hsae-recon',
    scale: 'small',
    verdict: 'mixed',
    because: 'Invented for this test.',
    comparisons: [
      {
        what: 'variance explained',
        data: 'W',
        a: 'h-sae',
        b: 'a | b',
        matching: 'total L0',
        valueA: 0.75,
        valueB: 0.5,
        difference: { value: 0.25, low: 0.125, high: 0.375, seeds: 3, detectable: 0.125, paired: true, p: 0.01 },
        claimed: { is: 'higher' },
        decides: true,
        outcome: 'as claimed',
      },
    ],
    tables: [{ title: 'A table', columns: ['x', 'y'], rows: [['one', 0.123456]] }],
    version: '9.9.9',
    commit: 'abcdef',
    machine: 'an abacus',
    seconds: 7,
    measured: '2026-01-01',
  };
  mkdirSync(join(folder, 'small'));
  writeFileSync(join(folder, 'small', 'hsae-recon.json'), JSON.stringify(result));
  const page = join(folder, 'page.md');
  expect(make('--results', folder, '--to', page).status).toBe(0);
  const text = readFileSync(page, 'utf8');
  expect(text).toContain('**Verdict: mixed.** Invented for this test.');
  expect(text).toContain('0.125 … 0.375');
  expect(text).toContain('a \\| b 0.5');
  expect(text).toContain('| one | 0.123 |');
  expect(text).toContain('version 9.9.9, commit abcdef, an abacus, 7 s');
  expect(text).toContain('Not tested yet: `saeforest reproduce hsae-languages`');
  expect(make('--results', folder, '--to', page, '--check').status).toBe(0);
  writeFileSync(page, `${text}more`);
  expect(make('--results', folder, '--to', page, '--check').status).toBe(1);
});
