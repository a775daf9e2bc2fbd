/** `saeforest demo`: the whole idea on the embedded language model, whose world is known. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { LinkJudgement } from '../evals/link-judgement.ts';
import type { TruthRecovery } from '../evals/truth-recovery.ts';
import type { TruthRows } from '../evals/truth-rows.ts';
import { defineCommand, index, text } from './command.ts';
import { EMBEDDED_MODEL } from './embedded-model.ts';
import { FULL, HELD_OUT, QUICK, SAES, SITE } from './demo-settings.ts';
import { table, type Terminal } from './terminal.ts';

/** A concept counts as found from this F1 on, and is judged if it occurs in at least so many rows. */
const LEAST_F1 = 0.5;
const LEAST_ROWS = 20;

interface Found {
  readonly occurring: number;
  readonly found: number;
  readonly holes: number;
}

interface Result {
  readonly name: string;
  readonly folder: string;
  readonly recovery: TruthRecovery;
  /** Concepts with others below them, and without. */
  readonly kinds: Found;
  readonly leaves: Found;
  readonly links: LinkJudgement;
}

export const demo = defineCommand({
  usage: 'demo',
  summary:
    'Find the taxonomy of a small world inside a language model that grew up in it, and compare it with the truth.',
  flags: [
    { flag: '--out <folder>', help: 'where activations and runs go (default runs/demo); run again there to go on' },
    { flag: '--seed <n>', help: 'of the initial weights and the order of the data (default 0)' },
    { flag: '--quick', help: 'a little of everything, to see that it works' },
  ],
  examples: ['saeforest demo', 'saeforest demo --quick --out runs/try'],
  schema: z.strictObject({ out: text.optional(), seed: index.default(0), quick: z.boolean().default(false) }),
  async run({ out = 'runs/demo', seed, quick }, terminal) {
    const began = performance.now();
    const folder = quick && out === 'runs/demo' ? 'runs/demo-quick' : out;
    const size = quick ? QUICK : FULL;
    await introduce(terminal);
    terminal.print(
      `\n${step(terminal, 1)} The model reads ${size.tokens.toLocaleString('en')} words; its thoughts after block ${SITE.layer} are kept.`,
    );
    await harvestWorld(terminal, join(folder, 'acts'), size.tokens);
    terminal.print(
      `\n${step(terminal, 2)} Three sparse autoencoders learn to take these apart, all from the same stream.`,
    );
    await trainSaes(terminal, folder, size, seed);
    terminal.print(
      `\n${step(terminal, 3)} What they found is held against what is known of every word, in sentences that nobody has seen.`,
    );
    const { results, truth } = await compareWithTruth(folder, size.rows);
    terminal.result(
      {
        out: folder,
        seconds: (performance.now() - began) / 1000,
        results: results.map(({ name, folder: run, recovery, kinds, leaves, links }) => {
          const { details: _details, ...numbers } = recovery;
          return { name, run, ...numbers, kinds, leaves, links };
        }),
      },
      ['', ...comparison(results), ...(await drawings(terminal, results, truth)), '', ...legend(folder, results)],
    );
  },
});

const step = ({ colors }: Terminal, n: number): string => colors.bold(colors.cyan(`${n}/3`));

async function introduce(terminal: Terminal): Promise<void> {
  const { World } = await import('../world/world.ts');
  const { LANGUAGES } = await import('../world/languages/lexicon.ts');
  const world = new World();
  const leaves = world.concepts.size - world.taxonomy.inner.length;
  terminal.print(
    `A small world: ${leaves} kinds of beings, things, places, actions and properties below ${world.taxonomy.inner.length} wider ones, ` +
      'told of in three languages. A language model of a million parameters has read about it. One story:',
  );
  for (const [i, document] of world.parallel('held-out', 4).entries()) {
    terminal.print(`  ${terminal.colors.dim(LANGUAGES[i].padEnd(8))} ${world.textOf(document)}`);
  }
}

async function harvestWorld(terminal: Terminal, out: string, tokens: number): Promise<void> {
  const { MANIFEST_FILE, readManifest } = await import('../activations/manifest.ts');
  if (existsSync(join(out, MANIFEST_FILE)) && readManifest(out).complete) return;
  const { harvest } = await import('../lm/harvest.ts');
  const { untilInterrupted } = await import('./interrupt.ts');
  const { progressLine } = await import('./harvest.ts');
  await untilInterrupted(terminal, (signal) =>
    harvest(
      { model: EMBEDDED_MODEL, text: ['world'], sites: [SITE], tokens, out },
      { signal, onProgress: (progress) => terminal.progress(progressLine(progress), progress.rows >= progress.wanted) },
    ),
  );
}

async function trainSaes(
  terminal: Terminal,
  folder: string,
  { batch, tokens }: typeof FULL,
  seed: number,
): Promise<void> {
  const { runTraining } = await import('./train-runs.ts');
  const { progressLine } = await import('./train.ts');
  const out = join(folder, 'saes');
  await runTraining({
    out,
    saes: SAES.map((sae) => ({ ...sae, where: 'the demo' })),
    overrides: { acts: join(folder, 'acts'), seed, batch, tokens, heldOut: HELD_OUT },
    configFile: undefined,
    resume: SAES.every(({ arch }) => existsSync(join(out, arch, 'run.json'))),
    threads: undefined,
    note: (line) => terminal.note(line),
    onProgress: (progress) => terminal.progress(progressLine(progress, terminal), progress.step === progress.steps),
  });
}

async function compareWithTruth(folder: string, rows: number): Promise<{ results: Result[]; truth: TruthRows }> {
  const { CpuDevice } = await import('../engine/cpu/device.ts');
  const { judgeLinks } = await import('../evals/link-judgement.ts');
  const { recoverTruth } = await import('../evals/truth-recovery.ts');
  const { readWorldRows } = await import('../evals/world-rows.ts');
  const { LanguageModel } = await import('../lm/model.ts');
  const { openRun } = await import('../training/runs.ts');
  const { World } = await import('../world/world.ts');
  const model = await LanguageModel.open(EMBEDDED_MODEL);
  const truth = await readWorldRows(model, new World(), { split: 'held-out', site: SITE, rows });
  const device = await CpuDevice.create();
  try {
    const results: Result[] = [];
    for (const { arch } of SAES) {
      const run = openRun(join(folder, 'saes', arch), device);
      const recovery = await recoverTruth(device, run.sae, truth, run.normalization, { rows, leastF1: LEAST_F1 });
      const isKind = (concept: number): boolean => truth.truth.children(concept).length > 0;
      results.push({
        name: arch,
        folder: run.folder,
        recovery,
        kinds: found(recovery, isKind),
        leaves: found(recovery, (concept) => !isKind(concept)),
        links: judgeLinks(truth.truth, recovery.details),
      });
    }
    return { results, truth };
  } finally {
    await device.close();
  }
}

/** Concepts that occur often enough to be judged, those found, and of these how often their latent is silent. */
function found({ rows, details }: TruthRecovery, belongs: (concept: number) => boolean): Found {
  const occurring = [...details.frequency.keys()].filter(
    (concept) => belongs(concept) && details.frequency[concept] * rows >= LEAST_ROWS,
  );
  const recovered = occurring.filter((concept) => details.matchedF1[concept] >= LEAST_F1);
  const silent = recovered.reduce((sum, concept) => sum + 1 - details.best.recall[concept], 0);
  return { occurring: occurring.length, found: recovered.length, holes: silent / recovered.length };
}

const percent = (share: number): string => (Number.isFinite(share) ? `${Math.round(100 * share)} %` : '–');

function comparison(results: readonly Result[]): string[] {
  const rows = results.map(({ name, recovery, kinds, leaves, links }) => [
    name,
    recovery.variance_explained.toFixed(3),
    recovery.l0.toFixed(1),
    `${leaves.found} of ${leaves.occurring}`,
    `${kinds.found} of ${kinds.occurring}`,
    percent(kinds.holes),
    String(links.links),
    percent(links.right),
    percent(links.by_chance),
  ]);
  return table([
    ['', 'variance explained', 'L0', 'leaves found', 'kinds found', 'holes', 'links', 'right', 'by chance'],
    ...rows,
  ]);
}

/** A piece of the world as the SAE with the most right links has it: of those with a forest of their own, and of the others. */
async function drawings({ colors }: Terminal, results: readonly Result[], truth: TruthRows): Promise<string[]> {
  const { drawTruthPiece, tellingPiece } = await import('../evals/truth-drawing.ts');
  const ranked = results.toSorted((a, b) => rightLinks(b) - rightLinks(a));
  const lines: string[] = [];
  for (const own of [true, false]) {
    const best = ranked.find(({ recovery }) => recovery.own_forest === own);
    const piece = best ? tellingPiece(truth.truth, best.recovery.details) : -1;
    if (!best || piece < 0) continue;
    const title = `${truth.nameOf(piece)}, as ${best.name} ${own ? 'has it' : 'has it (links extracted)'}`;
    lines.push('', colors.bold(title), drawTruthPiece(truth, best.recovery.details, piece));
  }
  return lines;
}

const rightLinks = ({ links }: Result): number => (links.links > 0 ? links.links * links.right : 0);

function legend(folder: string, results: readonly Result[]): string[] {
  return [
    `Found: a latent of its own fires where the concept is named, in any of the languages (F1 ≥ ${LEAST_F1}). Holes: how often it is silent there (absorption).`,
    'Links: those whose two latents stand for concepts; right if the parent’s is above the child’s. topk has no forest: its links are extracted.',
    `Next: saeforest eval ${results[0].folder} --suite core · saeforest world tree --concept mammal · saeforest world text --truth. Everything is in ${folder}.`,
  ];
}
