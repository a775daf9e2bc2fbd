/** `saeforest world text`: reads or writes the generated world. */
import { z } from 'zod';
import { UsageError } from '../core/errors.ts';
import { count, defineCommand, index, list, text } from './command.ts';

/** Stories printed when nothing says how many. */
const SHOWN = 5;

export const worldText = defineCommand({
  usage: 'world text',
  summary: 'Print stories of the generated world, or write them as tokens to train a language model on.',
  flags: [
    { flag: '--split <name>', help: 'train (default), held-out or new-combinations' },
    { flag: '--documents <n>', help: `documents (default ${SHOWN} to read)` },
    { flag: '--tokens <n>', help: 'stop after this many tokens, e.g. 20M; the last document is completed' },
    { flag: '--start <n>', help: 'first document (default 0)' },
    { flag: '--language <name>', help: 'english, talori or krend: documents of this language alone' },
    { flag: '--seed <n>', help: 'names another world: other words, tastes and stories (default 0)' },
    { flag: '--set <key=value>', help: 'a knob of the world, e.g. noise=0; repeat' },
    { flag: '--truth', help: 'show the concepts of every word' },
    { flag: '--out <folder>', help: 'write tokens.bin, tokenizer.json, tokenizer_config.json and meta.json there' },
  ],
  examples: [
    'saeforest world text --documents 3 --language english',
    'saeforest world text --truth --documents 1',
    'saeforest world text --split held-out --tokens 1M --out world/held-out',
  ],
  schema: z.strictObject({
    split: z.enum(['train', 'held-out', 'new-combinations']).default('train'),
    documents: count.optional(),
    tokens: count.optional(),
    start: index.default(0),
    language: z.enum(['english', 'talori', 'krend']).optional(),
    seed: index.optional(),
    set: list.optional(),
    truth: z.boolean().default(false),
    out: text.optional(),
  }),
  async run({ split, documents, tokens, start, language, truth, out, ...options }, terminal) {
    const { openWorld } = await import('./world-options.ts');
    const world = openWorld({ ...options, language });
    if (out !== undefined) {
      if (truth) throw new UsageError('--truth is for reading: it cannot be combined with --out');
      if (documents === undefined && tokens === undefined) {
        throw new UsageError('--out needs to know how much', { hint: '--tokens 20M, or --documents 100k' });
      }
      const { exportWorld } = await import('../world/export.ts');
      const started = performance.now();
      const meta = exportWorld(world, out, {
        split,
        start,
        documents: documents ?? Infinity,
        tokens: tokens ?? Infinity,
        onProgress: (done) => terminal.progress(`world ${done.toLocaleString('en')} tokens`),
      });
      const speed = Math.round(meta.tokens / ((performance.now() - started) / 1000));
      terminal.result({ out, ...meta, tokens_per_s: speed }, [
        `${meta.tokens.toLocaleString('en')} tokens in ${meta.documents.toLocaleString('en')} documents (${split}), vocabulary ${meta.vocabulary}, in ${out}`,
        `entropy at most ${meta.entropyNatsPerToken.toFixed(4)} nats per token (single tokens: ${meta.unigramNatsPerToken.toFixed(4)})`,
        `${speed.toLocaleString('en')} tokens/s`,
      ]);
      return;
    }
    const { showDocument, describeDocument } = await import('./world-print.ts');
    const lines: string[] = [];
    const described: object[] = [];
    const most = documents ?? (tokens === undefined ? SHOWN : Infinity);
    for (let i = 0, shown = 0; i < most && shown < (tokens ?? Infinity); i++) {
      const document = world.document(split, start + i);
      shown += document.tokens.length;
      lines.push(...showDocument(world, document, truth, terminal.colors), '');
      described.push(describeDocument(world, document, start + i));
    }
    terminal.result({ split, hash: world.hash, documents: described }, lines.slice(0, -1));
  },
});
