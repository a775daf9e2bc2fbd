/** docs/architectures.md and its plots are made from the registry and from measurements; they may not lag behind. Needs a build. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { architectures } from '../../src/sae/registry.ts';
import { temporaryFolder } from '../training/support.ts';

const SCRIPT = join(import.meta.dirname, '../../docs/make-architectures.mjs');

function make(...flags: string[]): { status: number | null; stderr: string } {
  return spawnSync(process.execPath, [SCRIPT, ...flags], { encoding: 'utf8' });
}

const metric = (value: number): object => ({ value, low: value - 0.01, high: value + 0.01 });

/** Results that nobody measured, of all architectures but the last. */
function inventedResults(): string {
  const results = architectures.slice(0, -1).flatMap(({ name }, i) =>
    [16, 32, 64].map((aim) => ({
      arch: name,
      aim,
      width: 3072,
      cost: { parameters: 1_000_000 },
      metrics: {
        variance_explained: metric(0.8 + 0.03 * Math.log2(aim / 16) - 0.002 * i),
        l0: metric(aim * (1 + 0.02 * i)),
        dead_fraction: metric(0.01),
      },
      step_vs_topk: 1 + i / 10,
      parent_given_child: null,
    })),
  );
  const file = join(temporaryFolder(), 'results.json');
  const data = { kind: 'shards', description: { layer: 2, model: { architecture: 'LlamaForCausalLM' } } };
  const conditions = { data, d: 192, tokens: 2_000_000, batch: 2048, flatWidth: 3072 };
  writeFileSync(file, JSON.stringify({ conditions, definitions: { parent_given_child: 'a share' }, results }));
  return file;
}

describe('docs/architectures.md', () => {
  it('is up to date', () => {
    expect(make('--check')).toMatchObject({ status: 0, stderr: '' });
  });

  it('says so when it is not', () => {
    const to = temporaryFolder();
    expect(make('--check', '--to', to).stderr).toContain('not up to date, npm run docs writes them: architectures.md');
    expect(make('--to', to).status).toBe(0);
    expect(make('--check', '--to', to).status).toBe(0);
    writeFileSync(join(to, 'architectures.md'), 'edited by hand');
    expect(make('--check', '--to', to).status).toBe(1);
  });

  it('describes every architecture in the order of the registry, with its keys', () => {
    const to = temporaryFolder();
    make('--results', inventedResults(), '--to', to);
    const page = readFileSync(join(to, 'architectures.md'), 'utf8');
    const sections = page.split(/^## /m).slice(2);
    expect(sections.map((text) => text.split('\n')[0])).toEqual(architectures.map(({ name }) => name));
    for (const [i, { name, paper, about, schema }] of architectures.entries()) {
      for (const text of [paper, about.idea, about.equations, about.use]) expect(sections[i]).toContain(text);
      for (const key of Object.keys(schema.shape)) expect(sections[i]).toContain(`\n| \`${key}\` | `);
      const isMeasured = i < architectures.length - 1;
      expect(sections[i].includes(`](plots/${name}.svg)`)).toBe(isMeasured);
      expect(existsSync(join(to, 'plots', `${name}.svg`))).toBe(isMeasured);
    }
    expect(page).toContain(
      '| [`topk`](#topk) | 0.830 [0.820, 0.840] | – | 32.0 | 1.0 % | 1.0 × | 1,000,000 | 3,072 | – |',
    );
  });

  it('every plot shows all curves inside its frame, and highlights one', () => {
    const to = temporaryFolder();
    make('--results', inventedResults(), '--to', to);
    for (const { name } of architectures.slice(0, -1)) {
      const svg = readFileSync(join(to, 'plots', `${name}.svg`), 'utf8');
      const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg)!.map(Number);
      expect(svg.match(/<polyline/g)).toHaveLength(architectures.length - 1);
      expect(svg.match(/font-weight="bold">[^<]*/g)).toEqual([`font-weight="bold">${name}`]);
      for (const [, x, y] of svg.matchAll(/ c?x="([^"]*)" c?y="([^"]*)"/g)) {
        expect(Number(x) > 0 && Number(x) < width, x).toBe(true);
        expect(Number(y) > 0 && Number(y) < height, y).toBe(true);
      }
      const labels = [...svg.matchAll(/<text x="460" y="([^"]*)"/g)].map(([, y]) => Number(y)).sort((a, b) => a - b);
      for (let i = 1; i < labels.length; i++) expect(labels[i] - labels[i - 1]).toBeGreaterThanOrEqual(12.9);
      expect(svg).toContain('>variance explained</text>');
    }
  });
});
