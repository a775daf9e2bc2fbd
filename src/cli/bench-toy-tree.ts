/** `saeforest bench toy-tree`: what each architecture finds of a known tree, over seeds. */
import { z } from 'zod';
import type { Metric } from '../evals/metric.ts';
import type { ToyRecovery } from '../evals/toy-recovery.ts';
import { count, defineCommand, text } from './command.ts';
import { duration, table } from './terminal.ts';

const FEATURES = 20;
const EDGES = 9;

/** Columns of the table, in its order. */
const QUANTITIES: Readonly<
  Record<
    string,
    { title: string; digits: number; unit: string; definition: string; of: (found: ToyRecovery) => number }
  >
> = {
  variance_explained: {
    title: 'VE',
    digits: 3,
    unit: 'share',
    definition: 'global: 1 − Σ‖x − x̂‖² / Σ‖x − x̄‖² over 20 000 held-out rows',
    of: (found) => found.variance_explained,
  },
  l0: {
    title: 'L0',
    digits: 2,
    unit: 'latents',
    definition: 'mean number of non-zero latents per row; 1.12 features are on',
    of: (found) => found.l0,
  },
  dead_fraction: {
    title: 'dead',
    digits: 2,
    unit: 'share',
    definition: 'share of latents that never fired on the held-out rows',
    of: (found) => found.dead_fraction,
  },
  features_found: {
    title: `features of ${FEATURES}`,
    digits: 1,
    unit: 'features',
    definition:
      'features with a latent of their own (one to one, in each level that reconstructs alone) whose decoder row has |cos| ≥ 0.9 with them',
    of: (found) => found.features_recovered,
  },
  feature_f1: {
    title: 'feature F1',
    digits: 2,
    unit: 'share',
    definition:
      'mean over all features of the F1 of when the latent that found it fires; 0 for features that were not found',
    of: (found) => found.feature_f1,
  },
  absorption_rate: {
    title: 'absorption',
    digits: 2,
    unit: 'share',
    definition:
      'mean over the 9 true edges of P(main latent of the parent off | parent and child on); main latent: largest |cos| of the decoder row',
    of: (found) => found.absorption_rate,
  },
  decoder_leak: {
    title: 'leak',
    digits: 2,
    unit: 'cosine',
    definition:
      'mean over the 9 true edges of cos(decoder row of the main latent of the child, direction of the parent): 0 clean, 0.71 absorbed',
    of: (found) => found.decoder_leak,
  },
  edges_found: {
    title: `edges of ${EDGES}`,
    digits: 1,
    unit: 'edges',
    definition: 'true edges whose two features were found and whose latents are parent and child',
    of: (found) => found.edges.trueRecovered,
  },
  wrong_edges: {
    title: 'wrong edges',
    digits: 1,
    unit: 'edges',
    definition:
      'edges between latents that fire which are not true, also where an end stands for no feature; two latents for the same feature, in two levels, are no wrong edge',
    of: (found) => found.wrong_edges,
  },
};

/** A system absorbs when the rate or the leak is above this, whatever the seed. */
const ABSORBS = 0.1;

interface Row {
  architecture: string;
  /** null where the architecture has one setting only. */
  variant: string | null;
  own_forest: boolean | null;
  /** Seeds whose training diverged; they are in no metric. */
  diverged: number[];
  absorbs: 'yes' | 'no' | 'unclear';
  training: unknown;
  metrics: Record<string, Metric>;
  seconds_per_seed: number;
}

export const benchToyTreeCommand = defineCommand({
  usage: 'bench toy-tree',
  summary: 'Train every architecture on a toy world with a known tree, over seeds, and compare what they find.',
  flags: [
    { flag: '--arch <names>', help: 'architectures, separated by commas (default: all)' },
    { flag: '--seeds <n>', help: 'each with its own tree, data and weights (default 5)' },
    { flag: '--tokens <n>', help: 'activations per training (default: by architecture, some 2M)' },
  ],
  examples: ['saeforest bench toy-tree', 'saeforest bench toy-tree --arch topk,h-sae --seeds 3 --tokens 500k --json'],
  schema: z.strictObject({
    arch: text.optional(),
    seeds: z.number().int().min(1).max(1000).default(5),
    tokens: count.optional(),
  }),
  async run({ arch, seeds, tokens }, terminal) {
    const { architectures, architectureNamed } = await import('../sae/registry.ts');
    const { CpuDevice } = await import('../engine/cpu/device.ts');
    const { benchToyTree } = await import('../evals/toy-bench.ts');
    const { toyVariants } = await import('./toy-settings.ts');
    const chosen = arch === undefined ? architectures : [...new Set(arch.split(','))].map(architectureNamed);
    const rows: Row[] = [];
    const plans = chosen.flatMap((architecture) =>
      toyVariants(architecture, tokens).map((variant) => ({ architecture, ...variant })),
    );
    for (const { architecture, variant, training } of plans) {
      const title = titleOf({ architecture: architecture.name, variant });
      const found: ToyRecovery[] = [];
      const diverged: number[] = [];
      const from = performance.now();
      for (let seed = 0; seed < seeds; seed++) {
        terminal.progress(`${title}: seed ${seed + 1} of ${seeds}`);
        // One thread: the work of a step is too little to share.
        const device = await CpuDevice.create({ threads: 1 });
        try {
          const recovery = await benchToyTree(device, architecture, training, seed);
          if (recovery) found.push(recovery);
          else diverged.push(seed);
        } finally {
          await device.close();
        }
      }
      const seconds_per_seed = (performance.now() - from) / 1000 / seeds;
      terminal.progress(`${title}: ${seeds} seeds, ${duration(seconds_per_seed * seeds)}`, true);
      rows.push({
        architecture: architecture.name,
        variant,
        ...(await summarize(found)),
        diverged,
        training,
        seconds_per_seed,
      });
    }
    terminal.result({ seeds, results: rows }, report(rows, seeds));
  },
});

function titleOf({ architecture, variant }: Pick<Row, 'architecture' | 'variant'>): string {
  return variant === null ? architecture : `${architecture}, ${variant}`;
}

async function summarize(found: readonly ToyRecovery[]): Promise<Pick<Row, 'own_forest' | 'absorbs' | 'metrics'>> {
  const { metric } = await import('../evals/metric.ts');
  const { tInterval } = await import('../core/statistics.ts');
  const metrics = Object.fromEntries(
    Object.entries(QUANTITIES).map(([name, { of, unit, definition }]) => {
      const { value, low, high, n } = tInterval(found.map(of));
      return [
        name,
        metric(value, low, high, { n, unit, definition: `${definition}; mean over seeds, 95 % t-interval` }),
      ];
    }),
  );
  const { absorption_rate: rate, decoder_leak: leak } = metrics;
  return { own_forest: found[0]?.own_forest ?? null, absorbs: judge(rate, leak), metrics };
}

/** Yes when either interval lies above the limit, no when both lie below. */
function judge(...measured: readonly Metric[]): Row['absorbs'] {
  if (measured.some(({ low }) => low !== null && low > ABSORBS)) return 'yes';
  return measured.every(({ high }) => high !== null && high < ABSORBS) ? 'no' : 'unclear';
}

function report(rows: readonly Row[], seeds: number): string[] {
  const columns = Object.entries(QUANTITIES);
  return [
    ...table([
      ['', ...columns.map(([, { title }]) => title), 'forest', 'absorbs'],
      ...rows.map((row) => [
        titleOf(row),
        ...columns.map(([name, { digits }]) => cell(row.metrics[name], digits)),
        row.own_forest === null ? '–' : row.own_forest ? 'own' : 'extracted',
        row.absorbs,
      ]),
    ]),
    ...rows
      .filter(({ diverged }) => diverged.length > 0)
      .map((row) => `${titleOf(row)} diverged on seeds ${row.diverged.join(', ')}: not in its numbers`),
    '',
    `Means over ${seeds} seeds ± half of a 95 % t-interval. Every seed is another tree of ${FEATURES} features (${EDGES} edges), of which 1.12 are on.`,
    ...columns.map(([, { title, definition }]) => `${title}: ${definition}.`),
    'forest: own, or extracted: P(parent | child) > 0.5 > P(child | parent), then one parent for each child.',
    `absorbs: yes if the interval of absorption or of leak lies above ${ABSORBS}, no if both lie below.`,
  ];
}

function cell({ value, high }: Metric, digits: number): string {
  if (value === null) return '–';
  return high === null ? value.toFixed(digits) : `${value.toFixed(digits)} ± ${(high - value).toFixed(digits)}`;
}
