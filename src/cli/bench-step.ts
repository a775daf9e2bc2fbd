import { z } from 'zod';
import { defineCommand, text } from './command.ts';

const size = z.number().int().positive();

export const benchStep = defineCommand({
  usage: 'bench step',
  summary: 'Time a training step against its own encoder and the bare dense product, alternating in one run.',
  flags: [
    { flag: '--arch <name>', help: 'architecture (default topk); of a hierarchical one --width is the top width' },
    { flag: '--d <n>', help: 'dimension of the activations (default 288)' },
    { flag: '--width <n>', help: 'latents (default 4608)' },
    { flag: '--k <n>', help: 'active latents per token (default 32)' },
    { flag: '--batch <n>', help: 'tokens per step (default 2048)' },
    { flag: '--repeat <n>', help: 'timed rounds (default 15)' },
    { flag: '--warmup <n>', help: 'training steps before timing (default 20)' },
    { flag: '--threads <n>', help: 'worker threads (default: one per core)' },
    { flag: '--product <which>', help: 'auto, or wasm for the portable product' },
  ],
  examples: ['saeforest bench step', 'saeforest bench step --d 768 --width 12288 --json'],
  schema: z.strictObject({
    arch: text.default('topk'),
    d: size.default(288),
    width: size.default(4608),
    k: size.default(32),
    batch: size.default(2048),
    repeat: size.default(15),
    warmup: z.number().int().min(0).default(20),
    threads: size.max(256).optional(),
    product: z.enum(['auto', 'wasm']).default('auto'),
  }),
  async run(options, terminal) {
    const { timeStep } = await import('./time-step.ts');
    const result = await timeStep(options);
    terminal.result(result, [
      `${options.arch}, d ${options.d}, width ${options.width}, k ${options.k}, batch ${options.batch}; ${result.threads} threads, dense product by ${result.device}`,
      `step     ${result.step_ms.toFixed(1)} ms  (${result.tokens_per_s} tokens/s)`,
      `encode   ${result.encode_ms.toFixed(1)} ms  product + bias + floor + top-k`,
      `product  ${result.product_ms.toFixed(1)} ms  float32, result dropped`,
      `step / encode ${result.ratio.toFixed(2)}, peak memory ${result.peak_rss_mb} MB`,
    ]);
  },
});
