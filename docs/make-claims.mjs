#!/usr/bin/env node
/**
 * Writes docs/claims.md from the ledger and its results at scale `small`:
 *   npm run docs                                needs a build
 *   node docs/make-claims.mjs --check           only says (exit code 1) whether it is up to date
 *   … --results FOLDER --to FILE                other results, another place
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { PAPERS, VERDICTS, withoutData } from '../dist/claims/claim.js';
import { claims, readLedgerResult } from '../dist/claims/ledger.js';
import { scales } from '../dist/claims/scales.js';
import { READINGS } from './claims-readings.mjs';
import { markdownTable } from './markdown.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { values: flags } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    results: { type: 'string', default: here('results/claims') },
    to: { type: 'string', default: here('claims.md') },
  },
});
const SCALE = 'small';
const OUTCOMES = ['as claimed', 'opposite', 'no difference seen', 'undefined'];
const results = new Map(claims.map(({ id }) => [id, readLedgerResult(flags.results, SCALE, id)]));

const page = `${[...head(), ...overview(), ...Object.keys(PAPERS).flatMap(ofPaper)].join('\n')}\n`;
const before = existsSync(flags.to) ? readFileSync(flags.to, 'utf8') : '';
if (flags.check) {
  if (page !== before) {
    console.error('docs/claims.md is not up to date; npm run docs writes it');
    process.exitCode = 1;
  }
} else writeFileSync(flags.to, page);

function head() {
  const { data } = scales[SCALE];
  const sizes = Object.entries(data).map(([name, { tokens, batch, seeds, rows, width, l0 }]) => [
    name,
    tokens.toLocaleString('en'),
    batch,
    width,
    l0,
    seeds,
    rows.toLocaleString('en'),
  ]);
  const { features, d } = scales[SCALE].synthBench;
  return [
    '<!-- Made by docs/make-claims.mjs from docs/results/claims; change these. -->',
    '',
    '# The claims of the papers, tested here',
    '',
    'Every claim of the five papers, with the rule that decides it, written down before the first run. To test one, some, or all of them:',
    '',
    '```sh',
    'saeforest reproduce --list',
    'saeforest reproduce hsae-recon tree-hierarchy --model models/stories3m --text stories.txt --data labelled',
    'npm run docs                                   # writes this page from the results',
    '```',
    '',
    'Runs can be stopped and go on; trained SAEs are shared between claims. `--scale tiny` takes minutes and decides nothing, `small` is what',
    'this page reports, `full` has the sizes of the papers and wants a GPU.',
    '',
    ...markdownTable(['data', 'activations', 'batch', 'flat width', 'L0', 'seeds', 'held-out rows'], sizes),
    '',
    '- **W**: the embedded language model (1.06 M parameters, d 128) after block 1, on text of its world, whose concepts are known.',
    '- **S**: stories3m (d 192) after block 2, on TinyStories.',
    `- **B**: SynthSAEBench, reduced to ${features} features in ${d} dimensions. **N**: Nabeshima’s toy tree, 20 features.`,
    '',
    '**How to read a verdict.** a and b see the same activations in the same order. An interval is a 95 % bootstrap over seeds and, within',
    'each, over held-out documents (or the units that the metric’s definition names), paired between a and b. A difference counts when the',
    'interval lies wholly on one side. *holds*: every deciding comparison came out as claimed; *does not hold*: none did; *mixed*: some did.',
    'Comparisons in parentheses do not decide: they show other matchings. *seen from* is half the width of the interval, about the smallest',
    'difference that could have been told from none. *cost a / b*: parameters of a divided by those of b · encode FLOPs per token likewise; where',
    'they are 1, a comparison at equal total L0 is one at equal parameters and FLOPs too. With three seeds, the spread between seeds is known only roughly: take an interval that',
    'barely misses 0 as weak evidence.',
    '',
    'What these runs cannot say: SAEs of this size and training differ from the published ones in every respect but the mathematics. That a',
    'claim does not hold here does not refute it at the scale of the paper; that it holds here is evidence that the mechanism is real.',
    '',
  ];
}

function overview() {
  const tested = [...results.values()].filter(Boolean);
  const counts = VERDICTS.map((verdict) => [verdict, tested.filter((result) => result.verdict === verdict).length]);
  return [
    `**${tested.length} of ${claims.length} claims tested**: ${counts.map(([verdict, count]) => `${count} ${verdict}`).join(' · ')}.`,
    '',
    'The columns after the verdict count the comparisons that decide. *Does not hold* says that the rule was not met: whether the opposite was',
    'seen, or no difference that could be told from none, stands there.',
    '',
    ...markdownTable(
      ['claim', 'verdict', ...OUTCOMES, 'what is claimed'],
      claims.map(({ id, statement }) => [`[${id}](#${id})`, verdictOf(id), ...outcomesOf(id), cell(statement)]),
    ),
    '',
  ];
}

function ofPaper(paper) {
  const ofThis = claims.filter((claim) => claim.paper === paper);
  return ofThis.length === 0 ? [] : [`## ${PAPERS[paper]}`, '', ...ofThis.flatMap(section)];
}

function section({ id, statement, published, protocol, rule }) {
  const result = results.get(id);
  const lines = [
    `### ${id}`,
    '',
    `**Claim.** ${statement} *Published:* ${published}`,
    '',
    `**Test.** ${protocol}`,
    '',
    `**Rule.** ${rule}`,
    '',
  ];
  if (!result) return [...lines, `Not tested yet: \`saeforest reproduce ${id}\`.`, ''];
  lines.push(`**Verdict: ${result.verdict}.** ${result.because}${withoutData(result.leftOut)}`, '');
  if (READINGS[id]) lines.push(...READINGS[id], '');
  if (result.comparisons.length > 0) lines.push(...comparisons(result.comparisons), '');
  for (const { title, columns, rows } of result.tables) {
    lines.push(
      `${title}:`,
      '',
      ...markdownTable(
        columns,
        rows.map((row) => row.map((value) => cell(show(value)))),
      ),
      '',
    );
  }
  const { commit, version, machine, seconds, measured } = result;
  lines.push(
    `<sub>${measured}, version ${version}, commit ${commit ?? 'unknown'}, ${machine}, ${seconds} s with what other claims had left.</sub>`,
    '',
  );
  return lines;
}

function comparisons(all) {
  return markdownTable(
    ['', 'data', 'equal', 'a', 'b', 'a − b', '95 % interval', 'seen from', 'cost a / b', 'outcome'],
    all.map(({ what, data, matching, a, b, valueA, valueB, difference, decides, outcome, costs }) => [
      cell(decides ? what : `(${what})`),
      data,
      matching,
      cell(`${a} ${show(valueA)}`),
      cell(`${b} ${show(valueB)}`),
      show(difference.value),
      `${show(difference.low)} … ${show(difference.high)}${difference.paired ? '' : ' (seeds alone)'}`,
      show(difference.detectable),
      costs ? `${show(costs.parameters)} · ${show(costs.encodeFlops)}` : '',
      decides ? `**${outcome}**` : outcome,
    ]),
  );
}

function verdictOf(id) {
  const result = results.get(id);
  return result ? `**${result.verdict}**` : 'not tested yet';
}

function outcomesOf(id) {
  const result = results.get(id);
  const deciding = result?.comparisons.filter(({ decides }) => decides) ?? [];
  return OUTCOMES.map((outcome) => deciding.filter((one) => one.outcome === outcome).length || '');
}

function show(value) {
  if (value === null) return '–';
  if (typeof value === 'string') return value;
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
}

/** A bar would end the cell. */
function cell(text) {
  return text.replaceAll('|', '\\|');
}
