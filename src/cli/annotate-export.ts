/** `saeforest annotate export`: blinded items for people, and apart from them the key. */
import { z } from 'zod';
import { count, defineCommand, index, text } from './command.ts';

const schema = z.strictObject({
  run: text,
  items: count.default(120),
  kinds: text.default('relation,detection,coherence'),
  out: text,
  key: text.optional(),
  model: text.optional(),
  acts: text.optional(),
  forest: text.optional(),
  rows: count.default(100_000),
  seed: index.default(0),
});

export const annotateExport = defineCommand({
  usage: 'annotate export <run>',
  summary: 'Draw blinded items for people to judge: hierarchy, detection, coherence, each mixed with its null.',
  flags: [
    { flag: '--items <n>', help: 'about how many (default 120)' },
    { flag: '--kinds <names>', help: 'relation, detection, coherence, separated by commas (default all)' },
    { flag: '--out <file>', help: 'where the items go: .csv or .json' },
    { flag: '--key <file>', help: 'where the key goes (default: beside the items, NAME.key.json); not for annotators' },
    {
      flag: '--model <model>',
      help: "the activations' own model: a folder or hf:owner/name (default: where the harvest found it)",
    },
    { flag: '--acts <acts>', help: "activations to read (default: the run's); their held-out rows are used" },
    { flag: '--forest <file>', help: "parents to judge (default: the SAE's own, else extracted from training rows)" },
    { flag: '--rows <n>', help: 'held-out activations at most (default 100k)' },
    { flag: '--seed <n>', help: 'of the items and their order (default 0)' },
  ],
  examples: [
    'saeforest annotate export runs/hsae --items 200 --out items.csv',
    'saeforest annotate export runs/topk --kinds relation --items 100 --out items.json --key secret/key.json',
  ],
  schema,
  async run({ kinds: kindNames, out, key = out.replace(/\.(csv|json)$/i, '') + '.key.json', ...options }, terminal) {
    const { UsageError } = await import('../core/errors.ts');
    const { unknownName } = await import('../core/config.ts');
    const { drawItems, KINDS } = await import('../evals/annotation/items.ts');
    const { writeItems, writeKey } = await import('../evals/annotation/files.ts');
    const { withRunContext } = await import('./run-context.ts');
    if (!/\.(csv|json)$/i.test(out)) throw new UsageError(`--out ${out}: expected a name that ends in .csv or .json`);
    const names = kindNames.split(',');
    const kinds = KINDS.filter((kind) => names.includes(kind));
    const unknown = names.find((name) => !kinds.some((kind) => kind === name));
    if (unknown !== undefined) throw new UsageError(unknownName('kind', unknown, KINDS));

    await withRunContext(options, terminal, async (context, measured) => {
      const set = await drawItems(context, { kinds, items: options.items });
      // The key comes first: items without one are worth nothing.
      writeKey(key, set.key, { run: options.run, ...measured });
      writeItems(out, set.items);
      const counts = Object.fromEntries(
        kinds.map((kind) => [kind, set.items.filter((item) => item.kind === kind).length]),
      );
      terminal.result({ items: set.items.length, kinds: counts, out, key }, [
        `${set.items.length} items (${Object.entries(counts)
          .map(([kind, n]) => `${kind} ${n}`)
          .join(', ')}): ${out}`,
        `key, to be kept from the annotators: ${key}`,
        `saeforest annotate serve ${out} --out answers`,
      ]);
    });
  },
});
