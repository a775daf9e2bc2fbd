import { z } from 'zod';
import { count, defineCommand, index, list, parseAssignments, text } from './command.ts';
import { resolveArgument } from './model-argument.ts';
import { Countdown, duration, type Terminal } from './terminal.ts';
import { UsageError } from '../core/errors.ts';
import type { Progress } from '../training/trainer.ts';

export const train = defineCommand({
  usage: 'train',
  summary: 'Train one or more SAEs on harvested or synthetic activations.',
  flags: [
    {
      flag: '--acts <acts>',
      help: 'folder made by harvest, live (of --model, while it reads --text), synthetic:toy-tree or synthetic:bench-16k',
    },
    { flag: '--arch <name>', help: 'train one SAE of this architecture (saeforest archs)' },
    {
      flag: '--sae <name:key=value,…>',
      help: 'an SAE with keys of its own; repeat to train several on the same stream, also of the same architecture',
    },
    {
      flag: '--model <model>',
      help: 'live: language model, a folder or hf:owner/name; more keys: --set live.pack=true',
    },
    { flag: '--text <file>', help: 'live: plain text or .jsonl, may be repeated; or world, which is generated' },
    { flag: '--layer <n>', help: 'live: block, counted from 0; an SAE of its own layer: --sae topk:layer=3' },
    { flag: '--hook <name>', help: 'live: resid_post (default), resid_pre, attn_out or mlp_out; also per SAE' },
    { flag: '--out <folder>', help: 'run folder; with several SAEs one sub-folder each' },
    { flag: '--tokens <n>', help: 'activations to train on (default 10M)' },
    { flag: '--set <key=value>', help: 'any key of the configuration, for all SAEs; repeat' },
    { flag: '--seed <n>', help: 'initial weights and order of the data (default 0)' },
    {
      flag: '--config <file>',
      help: 'YAML configuration, e.g. the config.yaml of another run, or with a list saes: [{arch: topk, k: 16}, …]; flags override it',
    },
    { flag: '--resume', help: 'go on with the run in --out' },
    { flag: '--threads <n>', help: 'worker threads (default: one per core); the result does not depend on it' },
  ],
  examples: [
    'saeforest train --acts acts --arch topk --out runs/topk --tokens 2M --set width=3072 --set k=32 --set lr=1e-3',
    'saeforest train --acts synthetic:toy-tree --sae topk:k=2 --sae topk:k=4 --sae h-sae:k=2,atoms=4 --out runs/toy --tokens 400k --set width=32',
    'saeforest train --acts live --model models/stories3m --text stories.txt --sae topk:layer=1 --sae topk:layer=3 --out runs/layers --tokens 2M',
    'saeforest train --acts synthetic:bench-16k --arch batchtopk --out runs/bench --set width=4096 --set k=32 --set batch=1024',
    'saeforest train --resume --out runs/topk',
  ],
  schema: z.strictObject({
    acts: text.optional(),
    arch: list.optional(),
    sae: list.optional(),
    model: text.optional(),
    text: list.optional(),
    layer: index.optional(),
    hook: text.optional(),
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
    const { mergeKeys, parseSaeFlag } = await import('./sae-requests.ts');
    const scalar = (value: string): unknown => parse(value) as unknown;
    const assignments = parseAssignments(options.set ?? [], scalar);
    const [arch, ...others] = options.arch ?? [];
    if (others.length > 0 || (arch !== undefined && options.sae)) {
      throw new UsageError('--arch is for one SAE', {
        hint: 'several on the same stream: --sae topk --sae h-sae:k=16',
      });
    }
    const { acts, tokens, seed, model, text, layer, hook } = options;
    // With the commit, for a model of the Hub: the run goes on with the same one.
    const reference = model === undefined ? undefined : (await resolveArgument(model, terminal)).reference;
    const live = defined({ model: reference, text, layer, hook });
    const flags = { ...defined({ acts, tokens, seed }), ...(Object.keys(live).length > 0 && { live }) };
    const outcome = await runTraining({
      out: options.out,
      saes:
        arch === undefined
          ? (options.sae ?? []).map((sae) => parseSaeFlag(sae, scalar))
          : [{ arch, keys: {}, where: options.config ?? 'command line' }],
      overrides: mergeKeys(flags, assignments),
      configFile: options.config,
      resume: options.resume,
      threads: options.threads,
      note: (line) => terminal.note(line),
      onProgress: (progress) => terminal.progress(progressLine(progress, terminal), progress.step === progress.steps),
      onPreparation: new Countdown(terminal).report,
    });
    terminal.result(
      outcome,
      outcome.runs.map((run) => `${run.name}: ${run.folder}, step ${run.step}`),
    );
  },
});

const defined = (keys: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(keys).filter(([, value]) => value !== undefined));

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
