/** What a live training is configured by: a language model, its text, and how the model reads it. */
import { z } from 'zod';
import { HOOKS } from '../site.ts';

/** Says which flag gives a key that is missing. */
const missing =
  (flag: string) =>
  ({ input }: { input?: unknown }): string | undefined =>
    input === undefined ? `is missing: ${flag}` : undefined;

export const liveSchema = z.strictObject({
  model: z
    .string({ error: missing('--model FOLDER') })
    .min(1)
    .describe('language model: a folder or hf:owner/name'),
  text: z
    .array(z.string().min(1), { error: missing('--text FILE') })
    .min(1)
    .describe('text files, or the generated text world'),
  layer: z
    .number({ error: missing('--layer N') })
    .int()
    .min(0)
    .describe('block, counted from 0'),
  hook: z.enum(HOOKS).default('resid_post').describe('place in the block'),
  context: z
    .number()
    .int()
    .min(2)
    .nullable()
    .default(null)
    .describe("tokens the model sees at once; null = the model's"),
  pack: z.boolean().default(false).describe('join documents into full contexts'),
  keepBos: z.boolean().default(false).describe('train on the activations of the BOS token too'),
  separator: z.string().min(1).default('<|endoftext|>').describe('line between two documents of plain text'),
  window: z
    .number()
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe('activations that are shuffled together, two windows are in memory; null = 64 MiB of them'),
});

export type LiveConfig = z.output<typeof liveSchema>;
