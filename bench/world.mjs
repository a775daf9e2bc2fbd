#!/usr/bin/env node
/**
 * How hard the world is to take apart: what a flat TopK SAE finds with links extracted by coverage (floor), what supervised linear
 * probes find by the same rules (ceiling), and the room between them. Activations of the embedded model on sentences that nobody has
 * seen; the SAE as in the demo. Same numbers every time, two minutes. Build first (npm run build):
 *
 *   node bench/world.mjs [--layer 1] [--rows 60k] [--train 200k] [--run DIR] [--json FILE]
 *
 * --train: rows from which the probes learn; --run: a TopK trained on the same layer, in place of a new one.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { count } from '../dist/cli/command.js';
import { FULL, HELD_OUT, SAES, SITE } from '../dist/cli/demo-settings.js';
import { EMBEDDED_MODEL } from '../dist/cli/embedded-model.js';
import { table, Terminal } from '../dist/cli/terminal.js';
import { runTraining } from '../dist/cli/train-runs.js';
import { makeFolder, writeFileAtomic } from '../dist/core/files.js';
import { CpuDevice } from '../dist/engine/cpu/device.js';
import { judgeLinks } from '../dist/evals/link-judgement.js';
import { fitProbes, recoverByProbes } from '../dist/evals/probes.js';
import { recoverTruth } from '../dist/evals/truth-recovery.js';
import { readWorldRows } from '../dist/evals/world-rows.js';
import { harvest } from '../dist/lm/harvest.js';
import { LanguageModel } from '../dist/lm/model.js';
import { openRun } from '../dist/training/runs.js';
import { World } from '../dist/world/world.js';

const { values: flags } = parseArgs({
  options: {
    layer: { type: 'string', default: String(SITE.layer) },
    rows: { type: 'string', default: String(FULL.rows) },
    train: { type: 'string', default: '200k' },
    run: { type: 'string' },
    json: { type: 'string' },
  },
});
// As in the demo: found from this F1 on, judged if the concept occurs in so many rows.
const [LEAST_F1, LEAST_ROWS, SEED] = [0.5, 20, 0];
const site = { ...SITE, layer: Number(flags.layer) };
const [rows, trainRows] = [count.parse(flags.rows), count.parse(flags.train)];
const terminal = new Terminal(false);

const world = new World();
const model = await LanguageModel.open(EMBEDDED_MODEL);
const heldOut = await readWorldRows(model, world, { split: 'held-out', site, rows });

terminal.note('probes');
const probes = await fitProbes(await readWorldRows(model, world, { split: 'train', site, rows: trainRows }));
const ceiling = numbers(await recoverByProbes(probes, heldOut, LEAST_F1));

terminal.note('TopK');
const work = mkdtempSync(join(tmpdir(), 'saeforest-world-'));
const device = await CpuDevice.create();
let floor;
try {
  const run = openRun(flags.run ?? (await trainTopK()), device);
  floor = numbers(await recoverTruth(device, run.sae, heldOut, run.normalization, { rows, leastF1: LEAST_F1 }));
} finally {
  await device.close();
  rmSync(work, { recursive: true });
}

const room = Object.fromEntries(Object.keys(floor).map((name) => [name, ceiling[name] - floor[name]]));
const show = (value) => (Number.isInteger(value) ? String(value) : value.toFixed(3));
const results = { layer: site.layer, rows, trainRows, floor, ceiling, room };
console.log(
  table([
    ['', 'floor (TopK)', 'ceiling (probes)', 'room'],
    ...Object.keys(floor).map((name) => [name, ...[floor, ceiling, room].map((column) => show(column[name]))]),
  ]).join('\n'),
);
if (flags.json) {
  makeFolder(dirname(flags.json));
  writeFileAtomic(flags.json, `${JSON.stringify(results, null, 1)}\n`);
}

async function trainTopK() {
  const acts = join(work, 'acts');
  await harvest({ model: EMBEDDED_MODEL, text: ['world'], sites: [site], tokens: FULL.tokens, out: acts });
  const { arch, keys } = SAES.find(({ arch }) => arch === 'topk');
  const { runs } = await runTraining({
    out: join(work, 'saes'),
    saes: [{ arch, keys, where: 'the demo' }],
    overrides: { acts, seed: SEED, batch: FULL.batch, tokens: FULL.tokens, heldOut: HELD_OUT },
    configFile: undefined,
    resume: false,
    threads: undefined,
    note: (line) => terminal.note(line),
    onProgress: () => {},
  });
  return runs[0].folder;
}

function numbers(recovered) {
  const { details, feature_f1, recovery } = recovered;
  const isKind = (concept) => heldOut.truth.children(concept).length > 0;
  const judged = [...details.frequency.keys()].filter((c) => Math.round(details.frequency[c] * rows) >= LEAST_ROWS);
  const found = judged.filter((concept) => details.matchedF1[concept] >= LEAST_F1);
  const { links, right, by_chance } = judgeLinks(heldOut.truth, details);
  return {
    'leaves judged': judged.filter((concept) => !isKind(concept)).length,
    'leaves found': found.filter((concept) => !isKind(concept)).length,
    'kinds judged': judged.filter(isKind).length,
    'kinds found': found.filter(isKind).length,
    'mean F1': feature_f1,
    links,
    'links right': right,
    'by chance': by_chance,
    'edge F1': recovery.edge.f1,
    'ancestor F1': recovery.ancestor.f1,
  };
}
