/** The example runs as its README says, through the package's entry point; needs the built program. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { latestOf, jsonOf, temporaryFolder } from '../training/support.ts';

const EXAMPLES = join(import.meta.dirname, '../../examples');

it('an architecture of your own trains on the toy tree', { timeout: 120_000 }, () => {
  const out = join(temporaryFolder(), 'run');
  const ended = spawnSync(process.execPath, [join(EXAMPLES, 'own-architecture.mjs'), out], { encoding: 'utf8' });
  expect([ended.status, ended.stderr]).toEqual([0, '']);
  const [, explained, found] = /^variance explained (\S+), L0 3\.00, (\d+) of 20 features found/.exec(ended.stdout)!;
  expect(Number(explained)).toBeGreaterThan(0.9);
  expect(Number(found)).toBeGreaterThanOrEqual(10);
  expect(jsonOf(join(out, 'run.json'))).toMatchObject({ state: 'done', architecture: 'trunk' });
  expect(jsonOf(join(latestOf(out), 'cfg.json'))).toMatchObject({
    views: [{ name: 'full' }, { name: 'trunk', to: 3 }],
  });
});

it('imports nothing but the package and Node', () => {
  const source = readFileSync(join(EXAMPLES, 'own-architecture.mjs'), 'utf8');
  const modules = [...source.matchAll(/from '([^']*)'/g)].map(([, name]) => name);
  expect(modules.filter((name) => !name.startsWith('node:') && name !== 'saeforest')).toEqual([]);
});
