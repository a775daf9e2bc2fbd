import { z } from 'zod';
import { count, defineCommand, index, list, parseAssignments, text } from './command.ts';
import { duration, type Terminal } from './terminal.ts';
import type { Progress } from '../training/trainer.ts';

export const train = defineCommand({
  usage: 'train',
  summary: 'Train one or more SAEs on harvested or synthetic activations.',
  flags: [
    { flag: '--acts <acts>', help: 'folder made by harvest, or synthetic:toy-tree' },
    { flag: '--arch <name>', help: 'architecture (saeforest archs); repeat to train several on the same stream' },
    { flag: '--out <folder>', help: 'run folder; with several architectures one sub-folder each' },
    { flag: '--tokens <n>', help: 'activations to train on (default 10M)' },
    {
      flag: '--set <key=value>',
      help: 'any key of the configuration; repeat. h-sae.k=16 is for one architecture only',
    },
    { flag: '--seed <n>', help: 'initial weights and order of the data (default 0)' },
    { flag: '--config <file>', help: 'YAML configuration, e.g. the config.yaml of another run; flags override it' },
    { flag: '--resume', help: 'go on with the run in --out' },
    { flag: '--threads <n>', help: 'worker threads (default: one per core); the result does not depend on it' },
  ],
  examples: [
    'saeforest train --acts acts --arch topk --out runs/topk --tokens 2M --set width=3072 --set k=32 --set lr=1e-3',
    'saeforest train --acts synthetic:toy-tree --arch topk --arch h-sae --out runs/toy --tokens 400k --set width=32 --set topk.k=2',
    'saeforest train --resume --out runs/topk',
  ],
  schema: z.strictObject({
    acts: text.optional(),
    arch: list.optional(),
    out: text,
    tokens: count.optional(),
    set: list.optional(),
    seed: index.optional(),
    config: text.optional(),
    resume: z.boolean().default(false),
    threads: z.number().int().min(1).max(256).optional(),
  }),
  async run(options, terminal) {
    const { parse } = await import('yaml');
    const { runTraining } = await import('./train-runs.ts');
    const assignments = parseAssignments(options.set ?? [], (value) => parse(value) as unknown);
    const given = { acts: options.acts, tokens: options.tokens, seed: options.seed, ...assignments };
    const outcome = await runTraining({
      out: options.out,
      architectures: options.arch ?? [],
      overrides: Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
      configFile: options.config,
      resume: options.resume,
      threads: options.threads,
      note: (line) => terminal.note(line),
      onProgress: (progress) => terminal.progress(progressLine(progress, terminal), progress.step === progress.steps),
    });
    terminal.result(
      outcome,
      outcome.runs.map((run) => `${run.architecture}: ${run.folder}, step ${run.step}`),
    );
  },
});

/** One line: step, speed, time left, and for each SAE loss, variance explained, L0 and dead latents. */
export function progressLine(
  { step, steps, tokensPerSecond, secondsLeft, members }: Progress,
  { colors }: Terminal,
): string {
  const bar = '█'.repeat(Math.round((16 * step) / steps)).padEnd(16, '░');
  const parts = members.map(({ name, metrics }) => {
    const number = (key: string): number => Number(metrics[key]);
    return `${colors.bold(name)} loss ${number('loss').toPrecision(4)} VE ${number('variance_explained').toFixed(4)} L0 ${number('l0').toFixed(1)} dead ${(100 * number('dead_fraction')).toFixed(1)}%`;
  });
  return `${bar} ${step}/${steps} · ${Math.round(tokensPerSecond)} tok/s · ${duration(secondsLeft)} left · ${parts.join(' · ')}`;
}
