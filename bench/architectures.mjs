#!/usr/bin/env node
/**
 * All architectures on the same activations: equal tokens, parameters as near as possible to those of a flat SAE of --width
 * latents, settings of bench/settings.mjs. Those that aim at the same L0 are trained together on one stream. Measured on held-out
 * documents with the suites `core` and `hierarchy`. What the results file already holds is not measured again; a run that was stopped goes on.
 * Build first (npm run build):
 *
 *   node bench/architectures.mjs --acts DIR [--model DIR] [--tokens 2M] [--width N] [--only topk,h-sae] [--at 32,16,64]
 *                                [--out docs/results/real.json] [--runs runs/architectures]
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { count } from '../dist/cli/command.js';
import { table, Terminal } from '../dist/cli/terminal.js';
import { progressLine } from '../dist/cli/train.js';
import { runTraining } from '../dist/cli/train-runs.js';
import { makeFolder, writeFileAtomic } from '../dist/core/files.js';
import { normalize } from '../dist/activations/normalization.js';
import { CpuDevice } from '../dist/engine/cpu/device.js';
import { Optimizer } from '../dist/engine/optim.js';
import { openHarvestedModel } from '../dist/evals/harvested-model.js';
import { suites } from '../dist/evals/suites.js';
import { architectureNamed, architectures } from '../dist/sae/registry.js';
import { resolveConfig } from '../dist/training/config.js';
import { openRun } from '../dist/training/runs.js';
import { openSource } from '../dist/training/sources.js';
import { trainStep } from '../dist/training/step.js';
import { settings } from './settings.mjs';

const { values: flags } = parseArgs({
  options: {
    acts: { type: 'string' },
    model: { type: 'string' },
    tokens: { type: 'string', default: '2M' },
    width: { type: 'string' },
    only: { type: 'string' },
    at: { type: 'string', default: '32,16,64' },
    out: { type: 'string', default: 'docs/results/real.json' },
    runs: { type: 'string', default: 'runs/architectures' },
  },
});
if (!flags.acts) throw new Error('--acts is needed: a folder made by saeforest harvest');
const [BATCH, SEED, HELD_OUT_ROWS, TIMED_STEPS] = [2048, 0, 50_000, 15];
const METRICS = ['variance_explained', 'l0', 'l0_total', 'ce_loss_score', 'dead_fraction'];
const names = flags.only?.split(',') ?? architectures.map(({ name }) => name);
const unprepared = names.map((name) => architectureNamed(name).name).filter((name) => !settings[name]);
if (unprepared.length > 0) throw new Error(`bench/settings.mjs has no settings for ${unprepared.join(', ')}`);

const terminal = new Terminal(false);
const common = { acts: flags.acts, tokens: count.parse(flags.tokens), batch: BATCH, seed: SEED };
const rawConfig = resolveConfig({ ...common, arch: 'topk' }, 'bench').common;
const raw = await openSource(rawConfig, 'none');
const { d } = raw;
const flatWidth = flags.width === undefined ? 16 * d : Number(flags.width);
const conditions = {
  data: withoutPaths(raw.identity),
  d,
  ...common,
  acts: undefined,
  heldOutRows: HELD_OUT_ROWS,
  flatWidth,
};
const conditionsKey = sha256(conditions);
const file = readResults();
await raw.close();

for (const aim of flags.at.split(',')) {
  const wanted = names
    .filter((name) => settings[name].at[aim] !== undefined)
    .map((name) => modelOf(name, aim))
    .filter(({ key }) => !file.results.some((result) => result.key === key));
  if (wanted.length === 0) continue;
  const folder = join(flags.runs, `l0-${aim}-${sha256([conditionsKey, wanted]).slice(0, 8)}`);
  const { runs } = await runTraining({
    out: folder,
    saes: wanted.map(({ arch, keys }) => ({ arch, keys, where: 'bench/settings.mjs' })),
    overrides: { ...common, logEvery: 50, validateEvery: 1e9, checkpointEvery: 200 },
    configFile: undefined,
    resume: existsSync(folder),
    threads: undefined,
    note: (line) => terminal.note(line),
    onProgress: (progress) => terminal.progress(progressLine(progress, terminal), progress.step === progress.steps),
  });
  for (const model of wanted) {
    const run = runs.find(({ architecture }) => architecture === model.arch);
    const result = { ...model, aim: Number(aim), ...(await measure(run.folder)) };
    file.results = [...file.results.filter((one) => one.arch !== model.arch || one.aim !== result.aim), result];
    makeFolder(dirname(flags.out));
    writeFileAtomic(flags.out, `${JSON.stringify(sorted(file), null, 1)}\n`);
  }
}
print();

/** The model of an architecture whose parameters come nearest to those of the flat one. */
function modelOf(arch, aim) {
  const architecture = architectureNamed(arch);
  const target = architectureNamed('topk').cost({ width: flatWidth, k: 1 }, d).parameters;
  const { sized, keys, at } = settings[arch];
  const size = sized ?? ((width, k) => architecture.sized?.({ width, k }) ?? { width, k });
  const keysAt = (n) => ({ ...size(n, Number(aim)), ...keys, ...at[aim] });
  const cost = (n) => architecture.cost(architecture.schema.parse(keysAt(n)), d);
  let [low, high] = [8, 16];
  while (cost(high).parameters < target) [low, high] = [high, 2 * high];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (cost(middle).parameters < target) low = middle;
    else high = middle;
  }
  const n = target - cost(low).parameters < cost(high).parameters - target ? low : high;
  return {
    arch,
    keys: keysAt(n),
    cost: cost(n),
    key: sha256([conditionsKey, arch, architecture.schema.parse(keysAt(n))]),
  };
}

async function measure(folder) {
  const device = await CpuDevice.create();
  try {
    const run = openRun(folder, device);
    const source = await openSource(run.config.common, 'none');
    const model = await openHarvestedModel(flags.acts, flags.model);
    if (typeof model === 'string') terminal.note(`without the language model: ${model}`);
    const context = {
      device,
      sae: withFullView(run.sae),
      source,
      normalization: run.normalization,
      model,
      rows: HELD_OUT_ROWS,
      batchRows: BATCH,
      seed: SEED,
      onProgress: (what, done, total) =>
        terminal.progress(`${run.sae.architecture}: ${done} of ${total} ${what}`, done === total),
    };
    const { metrics } = await suites.core.measure(context);
    const parents = run.sae.forest ? await parentGivenChild(context) : null;
    const step = await timeSteps(device, run, source);
    await source.close();
    const shown = METRICS.flatMap((name) => {
      if (metrics[name] === undefined) return [];
      const { value, low, high } = metrics[name];
      return [[name, { value, low, high }]];
    });
    return { width: run.sae.width, metrics: Object.fromEntries(shown), parent_given_child: parents, ...step };
  } finally {
    await device.close();
  }
}

/** The model with its view `full` alone: the others cost as much and are not shown. */
function withFullView(sae) {
  const { architecture, d, width, outputBias, forest, standardizes } = sae;
  const views = sae.views.filter(({ name }) => name === 'full');
  const own = { encode: (tape, x) => sae.encode(tape, x), dictionary: (tape) => sae.dictionary(tape) };
  return { architecture, d, width, views, outputBias, forest, standardizes, ...own };
}

/** Of the forest that the model has; null if too few of its children fire. */
async function parentGivenChild(context) {
  const { p_parent_given_child: measured } = (await suites.hierarchy.measure(context)).metrics;
  return measured.value === null ? null : { value: measured.value, pairs: measured.n };
}

/** Medians of training steps of the trained model and, alternating with it, of a flat TopK of --width latents and k = 32. */
async function timeSteps(device, { sae, normalization, step }, source) {
  const topk = architectureNamed('topk');
  const flat = topk.build(topk.schema.parse({ width: flatWidth }), {
    device,
    d,
    seed: SEED,
    batch: BATCH,
    steps: 1000,
  });
  const rows = new Float32Array(BATCH * d);
  await source.batch(0, rows);
  const time = { own: [], flat: [] };
  const sides = [
    ['own', sae, normalization, step],
    ['flat', flat, { kind: 'scalar', factor: Math.sqrt(d) / meanNorm(rows) }, 0],
  ].map(([name, model, kind, from]) => {
    const input = rows.slice();
    normalize(kind, input, d);
    if (model === flat) flat.start(input);
    const x = device.persistent('f32', BATCH, d);
    device.write(x, input);
    return { name, model, from, x, optimizer: new Optimizer(device, model.parameters, model.update) };
  });
  for (let i = -2; i < TIMED_STEPS; i++) {
    for (const { name, model, from, x, optimizer } of sides) {
      const began = performance.now();
      await trainStep(device, model, optimizer, x, from + i + 2);
      if (i >= 0) time[name].push(performance.now() - began);
    }
  }
  const [own, other] = [time.own, time.flat].map((list) => list.toSorted((a, b) => a - b)[list.length >> 1]);
  return { step_ms: Number(own.toFixed(1)), step_vs_topk: Number((own / other).toFixed(2)) };
}

function meanNorm(rows) {
  let sum = 0;
  for (let at = 0; at < rows.length; at += d) sum += Math.hypot(...rows.subarray(at, at + d));
  return (sum * d) / rows.length;
}

/** The results file, if it is there. */
function readResults() {
  const fresh = {
    conditions,
    key: conditionsKey,
    machine: { cores: availableParallelism() },
    definitions: {
      parent_given_child:
        'mean over the pairs (child, parent) of the forest of #rows with both active / #rows with the child active, held-out rows, ' +
        'inference codes; pairs whose child is active in fewer than 10 rows are left out (p_parent_given_child of the suite hierarchy)',
    },
    results: [],
  };
  if (!existsSync(flags.out)) return fresh;
  const found = JSON.parse(readFileSync(flags.out, 'utf8'));
  if (found.key === conditionsKey) return found;
  throw new Error(`${flags.out} holds results of other data, tokens or width; choose another --out, or remove it`);
}

/** In the order of the registry, then of L0. */
function sorted({ results, ...rest }) {
  return { ...rest, results: results.toSorted((a, b) => placeOf(a) - placeOf(b)) };
}

function placeOf({ arch, aim }) {
  return 1e6 * architectures.findIndex(({ name }) => name === arch) + aim;
}

function number(value, digits) {
  return value === undefined || value === null ? '–' : value.toFixed(digits);
}

function print() {
  const head = [
    '',
    'aim',
    'variance explained',
    'CE score',
    'L0',
    'dead',
    'step / topk',
    'parameters',
    'latents',
    'P(parent|child)',
  ];
  const lines = sorted(file).results.map(({ arch, aim, metrics, cost, width, step_vs_topk, parent_given_child }) => [
    arch,
    String(aim),
    number(metrics.variance_explained?.value, 4),
    number(metrics.ce_loss_score?.value, 4),
    number((metrics.l0_total ?? metrics.l0)?.value, 1),
    `${number(100 * metrics.dead_fraction?.value, 1)} %`,
    number(step_vs_topk, 2),
    cost.parameters.toLocaleString('en'),
    String(width),
    number(parent_given_child?.value, 3),
  ]);
  console.log(table([head, ...lines]).join('\n'));
}

/** What identifies the data, without where they lie on this machine. */
function withoutPaths({ kind, hash, description }) {
  const { model, ...rest } = description;
  return { kind, hash, description: model ? { ...rest, model: { ...model, path: undefined } } : rest };
}

function sha256(value) {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
