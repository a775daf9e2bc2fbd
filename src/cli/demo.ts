import { z } from 'zod';
import { defineCommand, index, text } from './command.ts';
import { table } from './terminal.ts';
import { progressLine } from './train.ts';

/**
 * What the demo trains. H-SAE gets one expert per root and independent leaf, with an atom to spare for three children, and its top
 * level counts as much as the whole (β = 1): with the paper's 0.1, tops that stand for two leaves at once cost too little here.
 * TopK may use three latents: more than three features are on in only 5 % of the rows.
 */
const SETTINGS = {
  acts: 'synthetic:toy-tree',
  tokens: 3_000_000,
  batch: 512,
  validateEvery: 2000,
  checkpointEvery: 2000,
} as const;

const SAES = [
  { arch: 'topk', keys: { width: 20, k: 3, lr: 3e-3 } },
  {
    arch: 'h-sae',
    keys: { width: 11, k: 4, atoms: 4, subspace: 3, lr: 5e-3, l1: 5e-3, topWeight: 1, normalize: 'none' },
  },
];

export const demo = defineCommand({
  usage: 'demo',
  summary:
    'Train a flat and a hierarchical SAE on a toy world with a known tree, and compare what they find with the truth.',
  flags: [
    { flag: '--out <folder>', help: 'where the run folders go (default runs/demo-<time>)' },
    { flag: '--seed <n>', help: 'of the tree, the data and the weights (default 0)' },
  ],
  examples: ['saeforest demo', 'saeforest demo --seed 3 --out runs/demo-3'],
  schema: z.strictObject({ out: text.optional(), seed: index.default(0) }),
  async run({ out, seed }, terminal) {
    const { runTraining } = await import('./train-runs.ts');
    const { CpuDevice } = await import('../engine/cpu/device.ts');
    const { openRun } = await import('../training/runs.ts');
    const { recoverToyTree } = await import('../evals/toy-recovery.ts');
    const { ToyTree } = await import('../activations/toy-tree.ts');
    const folder = out ?? `runs/demo-${new Date().toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}`;
    const tree = new ToyTree(seed);
    const edges = tree.truth.edgeCount;
    terminal.note(
      `A toy world of ${tree.features} features in ${tree.d} dimensions: ${edges} of them are children that appear only with their parent.`,
    );
    terminal.note('Two sparse autoencoders see nothing but sums of the features’ directions:');
    const outcome = await runTraining({
      out: folder,
      saes: SAES.map((sae) => ({ ...sae, where: 'the demo' })),
      overrides: { ...SETTINGS, seed },
      configFile: undefined,
      resume: false,
      threads: undefined,
      note: (line) => terminal.note(line),
      onProgress: (progress) => terminal.progress(progressLine(progress, terminal), progress.step === progress.steps),
    });
    const device = await CpuDevice.create();
    const results = [];
    try {
      for (const run of outcome.runs) {
        const opened = openRun(run.folder, device);
        const source = await opened.source();
        results.push({
          name: run.name,
          folder: run.folder,
          ...(await recoverToyTree(device, opened.sae, source, tree)),
        });
        await source.close();
      }
    } finally {
      await device.close();
    }
    const rows = results.map((result) => [
      result.name,
      result.variance_explained.toFixed(3),
      result.l0.toFixed(2),
      `${(100 * result.dead_fraction).toFixed(0)} %`,
      `${result.features_recovered} of ${result.features}`,
      `${result.edges.trueRecovered} of ${edges}`,
      String(result.wrong_edges),
    ]);
    const drawn = results.flatMap((result) => [
      '',
      terminal.colors.bold(
        `${result.name}: ${result.own_forest ? 'its own forest' : 'forest extracted from which latents fire together'}`,
      ),
      result.drawing,
    ]);
    terminal.result(
      { out: folder, seconds: outcome.seconds, results: results.map((result) => ({ ...result, drawing: undefined })) },
      [
        '',
        ...table([['', 'variance explained', 'L0', 'dead', 'features found', 'edges found', 'wrong edges'], ...rows]),
        ...drawn,
        '',
        'A feature is found if a latent’s decoder row points along it (|cos| ≥ 0.9); an edge if both ends are found and linked.',
        `True L0 is ${tree.trueL0.toFixed(2)}. Runs are in ${folder}; next: saeforest eval ${results[1].folder} --suite core`,
      ],
    );
  },
});
