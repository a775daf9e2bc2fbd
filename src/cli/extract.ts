import { z } from 'zod';
import { count, defineCommand, index, text } from './command.ts';

const schema = z.strictObject({
  run: text,
  method: text.optional(),
  threshold: z.number().min(0).max(1).optional(),
  rows: count.default(100_000),
  parents: text.optional(),
  unassigned: z.number().min(0).max(1).optional(),
  minDescendants: index.optional(),
  acts: text.optional(),
  model: text.optional(),
  out: text.optional(),
});
export type ExtractOptions = z.output<typeof schema>;

export const extractCommand = defineCommand({
  usage: 'extract <run>',
  summary: 'Find a forest among the latents of a trained SAE, or their parents in a narrower one.',
  flags: [
    {
      flag: '--method <name>',
      help: 'weighted-coverage (default), coverage, masked-cosine, cosine-coverage; with --parents also encoder-cosine (default there), decoder-cosine',
    },
    {
      flag: '--threshold <t>',
      help: 'how far a parent covers its child at least, and the child its parent at most (default 0.9; masked-cosine 0.8)',
    },
    { flag: '--rows <n>', help: 'held-out activations at most (default 100k)' },
    { flag: '--parents <run>', help: 'take the parents from this SAE, narrower and on the same activations' },
    {
      flag: '--unassigned <share>',
      help: 'latents that encoder-cosine and decoder-cosine leave without a parent (default 0.2)',
    },
    { flag: '--min-descendants <n>', help: 'drop smaller families (default 1; published 5)' },
    { flag: '--acts <acts>', help: "activations to look at (default: the run's); their held-out rows are used" },
    {
      flag: '--model <model>',
      help: 'language model (a folder or hf:owner/name), to show tokens of the latents (default: where the harvest found it)',
    },
    {
      flag: '--out <file>',
      help: 'where the forest goes (default <run>/forest/<method>.safetensors); a .json beside it says how it was made',
    },
  ],
  examples: [
    'saeforest extract runs/topk',
    'saeforest extract runs/topk --method masked-cosine --threshold 0.7 --rows 50k --json',
    'saeforest extract runs/wide --parents runs/narrow --method decoder-cosine',
  ],
  schema,
  async run(options, terminal) {
    const { extractFromRun } = await import('./extract-forest.ts');
    await extractFromRun(options, terminal);
  },
});
