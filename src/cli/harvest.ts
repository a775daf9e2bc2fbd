/** `saeforest harvest`: text → folder of activations of one layer. */
import { z } from 'zod';
import { count, defineCommand, index, list, text } from './command.ts';
import { untilInterrupted } from './interrupt.ts';
import { resolveArgument } from './model-argument.ts';
import { duration } from './terminal.ts';

const DTYPES = { f16: 'F16', bf16: 'BF16', f32: 'F32' } as const;

export const harvestCommand = defineCommand({
  usage: 'harvest',
  summary: 'Run a language model over text and store the residual stream after one block.',
  flags: [
    { flag: '--model <model>', help: 'language model: a folder (ONNX, tokenizer, config), or hf:owner/name' },
    { flag: '--text <file>', help: 'plain text or .jsonl with {"text": …} lines; may be repeated' },
    { flag: '--layer <n>', help: 'block after which to read the residual stream, counted from 0' },
    { flag: '--tokens <n>', help: 'activations to store, e.g. 2M; the last document is completed' },
    { flag: '--out <folder>', help: 'where to store them; an interrupted harvest goes on there' },
    { flag: '--dtype <type>', help: 'f16 (default), bf16 or f32' },
    { flag: '--context <n>', help: "tokens the model sees at once (default: the model's context)" },
    { flag: '--keep-bos', help: 'store the activations of the BOS token too' },
    { flag: '--seed <n>', help: 'of the order of the documents (default 0)' },
    { flag: '--separator <line>', help: 'line between two documents of plain text (default <|endoftext|>)' },
    { flag: '--threads <n>', help: 'threads that run the model (default: one per core)' },
  ],
  examples: [
    'saeforest harvest --model models/stories3m --text stories.txt --layer 2 --tokens 2M --out acts',
    'saeforest harvest --model models/gpt2 --text a.jsonl --text b.jsonl --layer 8 --tokens 50M --dtype bf16 --out acts',
  ],
  schema: z.strictObject({
    model: text,
    text: list,
    layer: index,
    tokens: count,
    out: text,
    dtype: z.enum(['f16', 'bf16', 'f32']).default('f16'),
    context: count.optional(),
    keepBos: z.boolean().default(false),
    seed: z.number().int().default(0),
    separator: text.optional(),
    threads: count.optional(),
  }),
  async run({ dtype, context, separator, threads, ...options }, terminal) {
    const { harvest } = await import('../lm/harvest.ts');
    const { path, reference } = await resolveArgument(options.model, terminal);
    const report = await untilInterrupted(terminal, (signal) =>
      harvest(
        {
          ...options,
          model: path,
          reference,
          dtype: DTYPES[dtype],
          ...(context !== undefined && { context }),
          ...(separator !== undefined && { separator }),
          ...(threads !== undefined && { threads }),
        },
        {
          signal,
          onProgress({ rows, wanted, tokens, seconds, resumedRows }) {
            const left = (seconds * Math.max(0, wanted - rows)) / (rows - resumedRows);
            const share = Math.min(100, (100 * rows) / wanted);
            terminal.progress(
              `harvest ${share.toFixed(1).padStart(5)} %  ${rows.toLocaleString('en')} rows  ` +
                `${Math.round(tokens / seconds).toLocaleString('en')} tokens/s  ${duration(left)} left`,
              rows >= wanted,
            );
          },
        },
      ),
    );
    const { manifest, tokens, seconds, padding, workers, isExhausted, resumedRows } = report;
    const { identity, counts, shards } = manifest;
    const speed = Math.round(tokens / seconds);
    if (isExhausted) {
      terminal.note(
        `the texts hold only ${counts.rows.toLocaleString('en')} rows of the ${options.tokens.toLocaleString('en')} asked for`,
      );
    }
    terminal.result(
      {
        out: options.out,
        rows: counts.rows,
        wanted: options.tokens,
        exhausted: isExhausted,
        resumed_rows: resumedRows,
        documents: counts.documents,
        sequences: counts.sequences,
        shards: shards.length,
        d: identity.d,
        layer: identity.layer,
        tensor: identity.tensor,
        dtype: identity.dtype,
        context: identity.context,
        mean_norm: manifest.statistics.meanNorm,
        tokens_per_s: speed,
        seconds,
        padding,
        workers: workers.workers,
        threads_per_worker: workers.threads,
      },
      [
        `${counts.rows.toLocaleString('en')} rows of width ${identity.d} from ${counts.documents.toLocaleString('en')} documents, layer ${identity.layer} (${identity.tensor})`,
        `${shards.length} shards in ${options.out}, ${identity.dtype}, mean norm ${manifest.statistics.meanNorm.toFixed(3)}`,
        `${speed.toLocaleString('en')} tokens/s, ${(100 * padding).toFixed(1)} % padding`,
      ],
    );
  },
});
