#!/usr/bin/env node
/**
 * The table of README.md: architectures × what matters, on the embedded world and on a real language model. SAEs are set as those of the
 * ledger (src/claims/recipes.ts) and share its folder, so that what `saeforest reproduce` trained is not trained again. Can be stopped
 * and goes on. Build first (npm run build):
 *
 *   node bench/evaluations.mjs [--model DIR --text FILE] [--scale small] [--work runs/reproduce-small] [--into README.md]
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Lab } from '../dist/claims/lab.js';
import * as recipes from '../dist/claims/recipes.js';
import { EMBEDDED_MODEL } from '../dist/cli/embedded-model.js';

const { values: flags } = parseArgs({
  options: {
    model: { type: 'string' },
    text: { type: 'string', multiple: true },
    layer: { type: 'string', default: '2' },
    scale: { type: 'string', default: 'small' },
    work: { type: 'string' },
    into: { type: 'string' },
  },
});
const SUITES = { W: ['core', 'absorption', 'hierarchy', 'truth'], S: ['core', 'absorption', 'hierarchy'] };
const COLUMNS = {
  W: [
    'core.l0_total',
    'core.variance_explained',
    'core.ce_loss_score',
    'absorption.truth_absorption_rate',
    'hierarchy.tree_hit_rate~frequency_matched',
    'truth.ancestor_f1_matched',
  ],
  S: [
    'core.l0_total',
    'core.variance_explained',
    'core.ce_loss_score',
    'absorption.absorption_fraction',
    'hierarchy.tree_hit_rate~frequency_matched',
  ],
};
const MARKERS = { W: 'world', S: 'real' };

const lab = new Lab({
  folder: flags.work ?? `runs/reproduce-${flags.scale}`,
  scale: flags.scale,
  texts: {
    W: { model: EMBEDDED_MODEL, text: ['world'], layer: 1 },
    ...(flags.model && { S: { model: flags.model, text: flags.text, layer: Number(flags.layer) } }),
  },
  signal: new AbortController().signal,
  note: (line) => console.error(line),
});
for (const data of lab.available('W', 'S')) {
  const specs = [
    recipes.topk(lab, data),
    recipes.matryoshka(lab, data),
    recipes.matchingPursuit(lab, data),
    recipes.dynamicSparse(lab, data),
    recipes.compositional(lab, data),
    recipes.hSae(lab, data),
    recipes.treeSae(lab, data),
    recipes.hsaeForest(lab, data),
  ];
  const runs = (await lab.train(specs)).flat();
  for (const run of runs) for (const suite of SUITES[data]) await lab.measure(run, suite);
  const argv = ['compare', ...runs.map(({ folder }) => folder), '--columns', COLUMNS[data].join(',')];
  const into = flags.into ? ['--into', `${flags.into}#${MARKERS[data]}`] : [];
  spawnSync(process.execPath, [fileURLToPath(new URL('../bin/saeforest.js', import.meta.url)), ...argv, ...into], {
    stdio: 'inherit',
  });
}
