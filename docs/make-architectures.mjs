#!/usr/bin/env node
/**
 * Writes docs/architectures.md and docs/plots/*.svg from the registry and the results of bench/architectures.mjs and
 * bench/toy-tree.mjs:
 *   npm run docs                                      needs a build
 *   node docs/make-architectures.mjs --check          only says (exit code 1) whether they are up to date
 *   … --results FILE --toy-tree FILE --to FOLDER      other results, another place
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { architectures } from '../dist/sae/registry.js';
import { equalWidths } from '../dist/sae/equal-width.js';
import { describeOwnKeys } from '../dist/training/config.js';
import { plot } from './plot.mjs';
import { READING } from './real-data-reading.mjs';
import { onKnownTree } from './known-tree.mjs';
import { markdownTable, number } from './markdown.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { values: flags } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    results: { type: 'string', default: here('results/real.json') },
    'toy-tree': { type: 'string', default: here('results/toy-tree.json') },
    to: { type: 'string', default: here('.') },
  },
});
/** Dimension of the activations in the table of costs. */
const D = 768;
const measured = resultsIn(flags.results);
const toyTree = resultsIn(flags['toy-tree']);

const files = new Map([['architectures.md', page()]]);
for (const { name } of architectures.filter(hasResults)) files.set(`plots/${name}.svg`, plotOf(name));

const present = existsSync(join(flags.to, 'plots'))
  ? readdirSync(join(flags.to, 'plots')).map((name) => `plots/${name}`)
  : [];
const superfluous = present.filter((path) => !files.has(path));
if (flags.check) {
  const isStale = ([path, text]) =>
    !existsSync(join(flags.to, path)) || readFileSync(join(flags.to, path), 'utf8') !== text;
  const stale = [...[...files].filter(isStale).map(([path]) => path), ...superfluous];
  if (stale.length > 0) {
    console.error(`not up to date, npm run docs writes them: ${stale.join(', ')}`);
    process.exitCode = 1;
  }
} else {
  for (const path of superfluous) rmSync(join(flags.to, path));
  for (const [path, text] of files) {
    mkdirSync(dirname(join(flags.to, path)), { recursive: true });
    writeFileSync(join(flags.to, path), text);
  }
}

function resultsIn(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}

function hasResults({ name }) {
  return measured?.results.some(({ arch }) => arch === name) ?? false;
}

function page() {
  return `${[
    '# Architectures',
    '',
    '<!-- Written by docs/make-architectures.mjs from src/sae/ and docs/results/: npm run docs. Do not edit. -->',
    '',
    `In the order of the registry. Costs are those of the default configuration at d = ${D}, in floating-point operations per token at`,
    'inference, selection not counted; `saeforest archs NAME --d … --set …` gives them for other sizes. Defaults are the published values.',
    ...comparison(),
    ...(toyTree ? onKnownTree(toyTree) : []),
    ...architectures.flatMap(section),
  ].join('\n')}\n`;
}

function comparison() {
  if (measured === undefined)
    return [
      '',
      'Nothing is measured yet: `node bench/architectures.mjs --acts DIR` compares them on real activations.',
    ];
  const { conditions, results } = measured;
  const { description } = conditions.data;
  const aims = [...new Set(results.map(({ aim }) => aim))].sort((a, b) => Math.abs(a - 32) - Math.abs(b - 32));
  const shown = architectures.flatMap(({ name }) =>
    results.filter(({ arch, aim }) => arch === name && aim === aims[0]),
  );
  return [
    '',
    '## Side by side',
    '',
    `Trained on one stream of ${conditions.tokens.toLocaleString('en')} activations (${description.model?.architecture ?? conditions.data.kind}, layer ${description.layer ?? '–'}, d = ${conditions.d}), batch ${conditions.batch},`,
    `each with the parameters of a flat SAE of ${conditions.flatWidth.toLocaleString('en')} latents and a total L0 near ${aims[0]}; measured on held-out documents. Intervals`,
    'are 95 %, over documents. Step: time of a training step against that of `topk` in the same run.',
    '',
    ...markdownTable(
      ['', 'variance explained', 'CE score', 'L0', 'dead', 'step', 'parameters', 'latents', 'P(parent \\| child)'],
      shown.map(({ arch, metrics, cost, width, step_vs_topk, parent_given_child }) => [
        `[\`${arch}\`](#${arch})`,
        withInterval(metrics.variance_explained),
        number(metrics.ce_loss_score?.value, 3),
        l0(metrics),
        `${number(100 * metrics.dead_fraction.value, 1)} %`,
        `${number(step_vs_topk, 1)} ×`,
        cost.parameters.toLocaleString('en'),
        width.toLocaleString('en'),
        number(parent_given_child?.value, 3),
      ]),
    ),
    '',
    `P(parent | child): ${measured.definitions.parent_given_child}.`,
    '',
    ...READING,
  ];
}

/** Latents per token; where one level reconstructs at a time, that level's of all. */
function l0({ l0: own, l0_total: all }) {
  const isPart = all !== undefined && Math.abs(all.value - own.value) > 0.05;
  return isPart ? `${number(own.value, 1)} of ${number(all.value, 1)}` : number(own.value, 1);
}

function section(architecture) {
  const { name, paper, summary, about, schema, views, normalization } = architecture;
  const cost = architecture.cost(schema.parse({}), D);
  const equal = equalWidths(cost, D);
  return [
    '',
    `## ${name}`,
    '',
    `_${paper}_ — ${summary}.`,
    '',
    about.idea,
    '',
    `**Equations.** ${about.equations}`,
    '',
    `**Use.** ${about.use}`,
    '',
    `**Cost.** ${cost.parameters.toLocaleString('en')} parameters; ${cost.encodeFlops.toLocaleString('en')} FLOPs to encode, ${cost.decodeFlops.toLocaleString('en')} to decode. A flat SAE of` +
      ` ${equal.parameters.toLocaleString('en')} latents has as many parameters, one of ${equal.encodeFlops.toLocaleString('en')} encodes at the same price.`,
    '',
    `Views: ${views.map((view) => `\`${view}\``).join(', ')}. Inputs: \`${normalization}\`.`,
    ...(hasResults(architecture)
      ? ['', `![Variance explained against L0, ${name} among the others](plots/${name}.svg)`]
      : []),
    '',
    ...markdownTable(
      ['key', 'default', 'meaning'],
      describeOwnKeys(architecture).map(({ key, default: value, meaning }) => [
        `\`${key}\``,
        `\`${JSON.stringify(value)}\``,
        meaning.replaceAll('|', '\\|'),
      ]),
    ),
  ];
}

function plotOf(name) {
  const curves = architectures.flatMap(({ name: arch }) => {
    const points = measured.results
      .filter((result) => result.arch === arch)
      .map(({ metrics }) => ({ x: (metrics.l0_total ?? metrics.l0).value, y: metrics.variance_explained.value }))
      .sort((a, b) => a.x - b.x);
    return points.length > 0 ? [{ name: arch, points }] : [];
  });
  return plot(curves, name, { x: 'L0 (active latents per token)', y: 'variance explained' });
}

function withInterval({ value, low, high }) {
  return `${number(value, 3)} [${number(low, 3)}, ${number(high, 3)}]`;
}
