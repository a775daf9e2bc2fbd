/** `saeforest label`: labels for latents, and how well they fit, by a language model behind an endpoint. */
import { z } from 'zod';
import { count, defineCommand, index, text } from './command.ts';

const price = z.number().min(0);

const schema = z.strictObject({
  run: text,
  endpoint: text.optional(),
  modelName: text,
  keyEnv: text.default('OPENAI_API_KEY'),
  latents: count.default(200),
  pairs: z.union([z.literal(0), count]).default(200),
  requestsPerMinute: z.number().positive().max(60_000).default(60),
  concurrency: z.number().int().min(1).max(64).default(4),
  timeout: z.number().positive().max(3600).default(60),
  answerTokens: z.number().int().min(16).default(300),
  priceIn: price.optional(),
  priceOut: price.optional(),
  estimate: z.boolean().default(false),
  yes: z.boolean().default(false),
  model: text.optional(),
  acts: text.optional(),
  forest: text.optional(),
  rows: count.default(100_000),
  seed: index.default(0),
});
export type LabelCommandOptions = z.output<typeof schema>;

export const labelCommand = defineCommand({
  usage: 'label <run>',
  summary: 'Let a language model explain latents and judge pairs of the forest; scores go to <run>/evals/labels.json.',
  flags: [
    {
      flag: '--endpoint <url>',
      help: 'base URL of a server with the protocol of OpenAI, e.g. http://127.0.0.1:8080/v1',
    },
    { flag: '--model-name <name>', help: 'language model that is asked there' },
    { flag: '--key-env <name>', help: 'variable of the environment that holds the key (default OPENAI_API_KEY)' },
    { flag: '--latents <n>', help: 'latents to label, drawn from all frequencies (default 200)' },
    { flag: '--pairs <n>', help: 'pairs of the forest to judge, and as many random ones (default 200; 0 for none)' },
    { flag: '--requests-per-minute <n>', help: 'at most (default 60)' },
    { flag: '--concurrency <n>', help: 'requests under way at once (default 4)' },
    { flag: '--timeout <seconds>', help: 'for one answer (default 60)' },
    {
      flag: '--answer-tokens <n>',
      help: 'tokens of an answer at most; more for models that think aloud (default 300)',
    },
    { flag: '--price-in <price>', help: 'of a million prompt tokens, for the estimate' },
    { flag: '--price-out <price>', help: 'of a million completion tokens' },
    { flag: '--estimate', help: 'print what would be sent and what it costs, and stop' },
    { flag: '--yes', help: 'start without asking' },
    {
      flag: '--model <model>',
      help: "the activations' own model: a folder or hf:owner/name (default: where the harvest found it)",
    },
    { flag: '--acts <acts>', help: "activations to read (default: the run's); their held-out rows are used" },
    { flag: '--forest <file>', help: "parents to judge (default: the SAE's own, else extracted from training rows)" },
    { flag: '--rows <n>', help: 'held-out activations at most (default 100k)' },
    { flag: '--seed <n>', help: 'of the latents, pairs and texts that are drawn (default 0)' },
  ],
  examples: [
    'saeforest label runs/topk --model-name gpt-4o-mini --price-in 0.15 --price-out 0.6 --estimate',
    'saeforest label runs/topk --endpoint http://127.0.0.1:8080/v1 --model-name qwen3 --latents 50 --yes',
  ],
  schema,
  async run(options, terminal) {
    const { labelRun } = await import('./label-run.ts');
    return labelRun(options, terminal);
  },
});
