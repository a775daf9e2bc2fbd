/**
 * Harvest against ONNX Runtime's own forward of the prefix over the same batches (one session, all cores), alternating
 * in one run. Needs `npm run build`.
 *
 *   node bench/harvest.mjs --model DIR --text FILE [--text FILE…] [--layer 2] [--tokens 300k] [--repeats 5]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { count } from '../dist/cli/command.js';
import { BATCH_TOKENS, harvest, windowTokens } from '../dist/lm/harvest.js';
import { LanguageModel } from '../dist/lm/model.js';
import { TextCorpus } from '../dist/lm/corpus.js';
import { planBatches, readWindows } from '../dist/lm/sequences.js';
import { packTokens } from '../dist/lm/tokens.js';

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    text: { type: 'string', multiple: true },
    layer: { type: 'string', default: '2' },
    tokens: { type: 'string', default: '300k' },
    repeats: { type: 'string', default: '5' },
  },
});
const { model: folder, text } = values;
if (!folder || !text) throw new Error('--model and --text are needed');
const layer = Number(values.layer);
const rows = count.parse(values.tokens);
const repeats = Number(values.repeats);

const model = await LanguageModel.open(folder);
const { info, tokenizer } = model;
const corpus = await TextCorpus.open(text);
const windows = readWindows(corpus, tokenizer, {
  context: info.context ?? 512,
  windowTokens: windowTokens(info.d),
  dropped: tokenizer.bosId,
  seed: 0,
  rows,
  from: { document: 0, sequence: 0 },
  rowsBefore: 0,
});
const batches = [...windows].flatMap(({ sequences }) =>
  planBatches(sequences, BATCH_TOKENS).map((members) =>
    packTokens(
      members.map((i) => sequences[i].tokens),
      tokenizer.padId,
    ),
  ),
);
const tokens = batches.reduce((sum, { mask }) => sum + mask.reduce((a, b) => a + Number(b), 0), 0);
const prefix = await model.prefix(layer);
const into = new Float32Array(Math.max(...batches.map(({ n, length }) => n * length)) * info.d);

async function timePrefix() {
  const start = performance.now();
  for (const batch of batches) await prefix.run(batch, into);
  return (1000 * tokens) / (performance.now() - start);
}

async function timeHarvest() {
  const parent = mkdtempSync(join(tmpdir(), 'saeforest-bench-'));
  try {
    const report = await harvest({ model: folder, text, layer, tokens: rows, out: join(parent, 'acts') });
    return report.tokens / report.seconds;
  } finally {
    rmSync(parent, { recursive: true });
  }
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

await timePrefix();
const pairs = [];
for (let i = 0; i < repeats; i++) pairs.push({ prefix: await timePrefix(), harvest: await timeHarvest() });
const harvested = median(pairs.map((pair) => pair.harvest));
const forward = median(pairs.map((pair) => pair.prefix));
console.log(
  JSON.stringify({
    tokens_per_s: Math.round(harvested),
    prefix_tokens_per_s: Math.round(forward),
    ratio: Number(median(pairs.map((pair) => pair.harvest / pair.prefix)).toFixed(3)),
    ratios: pairs.map((pair) => Number((pair.harvest / pair.prefix).toFixed(3))),
    tokens,
    repeats,
    cores: availableParallelism(),
    peak_rss_mb: Math.round(process.resourceUsage().maxRSS / 1024),
  }),
);
