#!/usr/bin/env node
/**
 * Measures all architectures on the toy tree (src/cli/toy-settings.ts) and writes what docs/architectures.md shows of it, without
 * times, so that the same code writes the same file. Some five minutes. Build first (npm run build):
 *
 *   node bench/toy-tree.mjs [--seeds 5] [--out docs/results/toy-tree.json]
 */
import { execFileSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { makeFolder, writeFileAtomic } from '../dist/core/files.js';

const { values: flags } = parseArgs({
  options: { seeds: { type: 'string', default: '5' }, out: { type: 'string', default: 'docs/results/toy-tree.json' } },
});
const program = fileURLToPath(new URL('../bin/saeforest.js', import.meta.url));
const printed = execFileSync(process.execPath, [program, 'bench', 'toy-tree', '--json', '--seeds', flags.seeds], {
  encoding: 'utf8',
  maxBuffer: 2 ** 26,
  stdio: ['ignore', 'pipe', 'inherit'],
});
const { seeds, results } = JSON.parse(printed);
const definitions = Object.fromEntries(
  Object.entries(results[0].metrics).map(([name, { definition }]) => [name, definition]),
);
const timeless = results.map(({ metrics, ...result }) => ({
  ...result,
  seconds_per_seed: undefined,
  metrics: Object.fromEntries(
    Object.entries(metrics).map(([name, { value, low, high, n }]) => [name, { value, low, high, n }]),
  ),
}));
makeFolder(dirname(flags.out));
writeFileAtomic(flags.out, `${JSON.stringify({ seeds, definitions, results: timeless }, null, 1)}\n`);
