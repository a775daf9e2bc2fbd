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

const toyMetrics = (rate: number, edges: number, wrong: number): object => ({
  variance_explained: metric(0.9),
  l0: metric(1.1),
  features_found: metric(12),
  feature_f1: metric(0.5),
  absorption_rate: metric(rate),
  decoder_leak: metric(rate),
  edges_found: metric(edges),
  wrong_edges: metric(wrong),
});

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
    const sections = page.split(/^## /m).slice(3);
    expect(sections.map((text) => text.split('\n')[0])).toEqual(architectures.map(({ name }) => name));
    for (const [i, { name, paper, about, schema }] of architectures.entries()) {
      for (const text of [paper, about.idea, about.equations, about.use]) expect(sections[i]).toContain(text);
      for (const key of Object.keys(schema.shape)) expect(sections[i]).toContain(`\n| \`${key}\` | `);
      const isMeasured = i < architectures.length - 1;
      expect(sections[i].includes(`](plots/${name}.svg)`)).toBe(isMeasured);
      expect(existsSync(join(to, 'plots', `${name}.svg`))).toBe(isMeasured);
    }
    const place = architectures.findIndex(({ name }) => name === 'topk');
    const [explained, l0] = [0.83 - 0.002 * place, 32 * (1 + 0.02 * place)];
    const interval = [explained, explained - 0.01, explained + 0.01].map((value) => value.toFixed(3));
    const cells = [
      `${interval[0]} [${interval[1]}, ${interval[2]}]`,
      '–',
      l0.toFixed(1),
      '1.0 %',
      `${(1 + place / 10).toFixed(1)} ×`,
    ];
    expect(page).toContain(`| [\`topk\`](#topk) | ${cells.join(' | ')} | 1,000,000 | 3,072 | – |`);
  });

  it('shows what was measured on the toy tree, with verdicts from the numbers', () => {
    const to = temporaryFolder();
    const result = { variant: null, own_forest: false, diverged: [] };
    const toy = {
      seeds: 3,
      definitions: {},
      results: [
        { ...result, architecture: 'topk', absorbs: 'yes', metrics: toyMetrics(0.7, 8, 5) },
        { ...result, architecture: 'matryoshka', variant: 'odd', absorbs: 'no', metrics: toyMetrics(0, 8, 1) },
      ],
    };
    toy.results.forEach(({ metrics: all }) =>
      Object.keys(all).forEach((name) => Object.assign(toy.definitions, { [name]: 'a share; mean over seeds' })),
    );
    const file = join(to, 'toy.json');
    writeFileSync(file, JSON.stringify(toy));
    make('--toy-tree', file, '--to', to);
    const page = readFileSync(join(to, 'architectures.md'), 'utf8');
    expect(page).toContain(
      '| [`topk`](#topk) | 0.900 ± 0.010 | 1.10 ± 0.01 | 12.0 ± 0.0 | 0.50 ± 0.01 | 0.70 ± 0.01 |',
    );
    expect(page).toContain('Absorbs: `topk`. Does not: `matryoshka` (odd). Unclear: none.');
    expect(page).toMatch(/Recovers the tree \(.*\): `matryoshka` \(odd\); no other/);
    expect(page).toContain('- VE: a share.');
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
