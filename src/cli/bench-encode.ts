import { z } from 'zod';
import { defineCommand, text } from './command.ts';

const size = z.number().int().positive();

const depths = text.transform((value, context) => {
  const numbers = value.split(',').map(Number);
  if (numbers.every((depth) => Number.isInteger(depth) && depth > 0)) return numbers;
  context.addIssue({ code: 'custom', message: `expected whole numbers such as 2,4, received ${value}` });
  return z.NEVER;
});

export const benchEncode = defineCommand({
  usage: 'bench encode',
  summary:
    'Time the encoder of regular trees of several depths against a flat encoder of the latents that a token opens.',
  flags: [
    { flag: '--arch <name>', help: 'tree-sae (default) or h-sae (depth 2 only)' },
    { flag: '--roots <n>', help: 'latents of the top level (default 1536)' },
    { flag: '--branching <n>', help: 'children of every latent above the last level (default 4)' },
    { flag: '--depths <list>', help: 'levels; 2 = roots and their children (default 2,4)' },
    { flag: '--d <n>', help: 'dimension of the activations (default 192)' },
    {
      flag: '--k <n>',
      help: 'active latents per token: of all levels, shared out as published (h-sae: of the top level; default 32)',
    },
    { flag: '--batch <n>', help: 'tokens (default 2048)' },
    { flag: '--repeat <n>', help: 'timed rounds (default 15)' },
    { flag: '--threads <n>', help: 'worker threads (default: one per core)' },
  ],
  examples: [
    'saeforest bench encode',
    'saeforest bench encode --arch tree-sae --roots 1024 --branching 10 --depths 4 --d 64 --json',
  ],
  schema: z.strictObject({
    arch: text.default('tree-sae'),
    roots: size.default(1536),
    branching: size.default(4),
    depths: depths.default([2, 4]),
    d: size.default(192),
    k: size.default(32),
    batch: size.default(2048),
    repeat: size.default(15),
    threads: size.max(256).optional(),
  }),
  async run(options, terminal) {
    const { timeEncode } = await import('./time-encode.ts');
    const result = await timeEncode(options);
    terminal.result(result, [
      `${options.arch}, ${options.roots} roots, branching ${options.branching}, d ${options.d}, k ${options.k}, batch ${options.batch}; ${result.threads} threads`,
      ...result.rows.map(
        (row) =>
          `depth ${row.depth}  ${String(row.width).padStart(8)} latents  k ${row.k.join(' + ')}  encode ${row.encode_ms.toFixed(1)} ms  ` +
          `flat with ${row.model_width} latents ${row.model_ms.toFixed(1)} ms  ratio ${row.ratio.toFixed(2)}  peak memory ${row.peak_rss_mb} MB`,
      ),
    ]);
  },
});
