/** `saeforest harvest`: text → folders of activations, one for every site of a language model. */
import { z } from 'zod';
import type { HarvestProgress, HarvestReport } from '../lm/harvest.ts';
import { count, defineCommand, list, text } from './command.ts';
import { untilInterrupted } from './interrupt.ts';
import { resolveArgument } from './model-argument.ts';
import { layerList, parseSites } from './sites.ts';
import { Countdown, duration, type Terminal } from './terminal.ts';

const DTYPES = { f16: 'F16', bf16: 'BF16', f32: 'F32' } as const;

export const harvestCommand = defineCommand({
  usage: 'harvest',
  summary: 'Run a language model over text and store its activations at one or more places.',
  flags: [
    { flag: '--model <model>', help: 'language model: a folder (ONNX, tokenizer, config), or hf:owner/name' },
    { flag: '--text <file>', help: 'plain text or .jsonl with {"text": …} lines; may be repeated' },
    { flag: '--layer <n,…>', help: 'blocks, counted from 0; several are harvested in one pass' },
    {
      flag: '--hook <name,…>',
      help: 'resid_post (default: the residual stream after the block), resid_pre, attn_out, mlp_out',
    },
    { flag: '--tokens <n>', help: 'activations to store per site, e.g. 2M; the last document is completed' },
    {
      flag: '--out <folder>',
      help: 'where to store them (several sites: a sub-folder each); an interrupted harvest goes on there',
    },
    { flag: '--dtype <type>', help: 'f16 (default), bf16 or f32' },
    { flag: '--context <n>', help: "tokens the model sees at once (default: the model's context)" },
    { flag: '--pack', help: 'join documents into full contexts, instead of giving each its own' },
    { flag: '--keep-bos', help: 'store the activations of the BOS token too' },
    { flag: '--seed <n>', help: 'of the order of the documents (default 0)' },
    { flag: '--separator <line>', help: 'line between two documents of plain text (default <|endoftext|>)' },
    { flag: '--threads <n>', help: 'threads that run the model (default: one per core)' },
  ],
  examples: [
    'saeforest harvest --model models/stories3m --text stories.txt --layer 2 --tokens 2M --out acts',
    'saeforest harvest --model models/stories3m --text stories.txt --layer 1,3,5 --hook resid_post,mlp_out --pack --tokens 2M --out acts',
    'saeforest harvest --model models/gpt2 --text a.jsonl --text b.jsonl --layer 8 --tokens 50M --dtype bf16 --out acts',
  ],
  schema: z.strictObject({
    model: text,
    text: list,
    layer: layerList,
    hook: list.default(['resid_post']),
    tokens: count,
    out: text,
    dtype: z.enum(['f16', 'bf16', 'f32']).default('f16'),
    context: count.optional(),
    pack: z.boolean().default(false),
    keepBos: z.boolean().default(false),
    seed: z.number().int().default(0),
    separator: text.optional(),
    threads: count.optional(),
  }),
  async run({ dtype, layer, hook, ...options }, terminal) {
    const { harvest } = await import('../lm/harvest.ts');
    const { path, reference } = await resolveArgument(options.model, terminal);
    const sites = parseSites(layer, hook);
    const countdown = new Countdown(terminal);
    const report = await untilInterrupted(terminal, (signal) =>
      harvest(
        { ...options, model: path, reference, sites, dtype: DTYPES[dtype] },
        {
          signal,
          onIndexing: (bytes, of) => countdown.report('bytes of text looked through', bytes, of),
          onProgress: (progress) => terminal.progress(progressLine(progress), progress.rows >= progress.wanted),
        },
      ),
    );
    present(report, options, terminal);
  },
});

export function progressLine({ rows, wanted, tokens, seconds, resumedRows }: HarvestProgress): string {
  const left = (seconds * Math.max(0, wanted - rows)) / (rows - resumedRows);
  const share = Math.min(100, (100 * rows) / wanted);
  return (
    `harvest ${share.toFixed(1).padStart(5)} %  ${rows.toLocaleString('en')} rows  ` +
    `${Math.round(tokens / seconds).toLocaleString('en')} tokens/s  ${duration(left)} left`
  );
}

function present(
  { sites, tokens, seconds, padding, workers, isExhausted, resumedRows }: HarvestReport,
  { out, tokens: wanted }: { out: string; tokens: number },
  terminal: Terminal,
): void {
  const [{ manifest: first }] = sites;
  const { identity, counts } = first;
  const speed = Math.round(tokens / seconds);
  const rows = counts.rows.toLocaleString('en');
  if (isExhausted) {
    terminal.note(`the texts hold only ${rows} rows of the ${wanted.toLocaleString('en')} asked for`);
  }
  const described = sites.map(({ site, folder, manifest }) => ({
    layer: site.layer,
    hook: site.hook,
    tensor: manifest.identity.tensor,
    out: folder,
    shards: manifest.shards.length,
    mean_norm: manifest.statistics.meanNorm,
  }));
  terminal.result(
    {
      out,
      rows: counts.rows,
      wanted,
      exhausted: isExhausted,
      resumed_rows: resumedRows,
      documents: counts.documents,
      sequences: counts.sequences,
      d: identity.d,
      dtype: identity.dtype,
      context: identity.context,
      packed: identity.packed,
      tokens_per_s: speed,
      seconds,
      padding,
      workers: workers.workers,
      threads_per_worker: workers.threads,
      ...(sites.length === 1 ? described[0] : { sites: described }),
    },
    [
      `${rows} rows of width ${identity.d} from ${counts.documents.toLocaleString('en')} documents, as ${identity.dtype}`,
      ...described.map(
        ({ layer, hook, tensor, shards, out: folder, mean_norm }) =>
          `layer ${layer} ${hook} (${tensor}): ${shards} shards in ${folder}, mean norm ${mean_norm.toFixed(3)}`,
      ),
      `${speed.toLocaleString('en')} tokens/s, ${(100 * padding).toFixed(1)} % padding`,
    ],
  );
}
