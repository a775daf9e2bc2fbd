/**
 * How fast a harvest is: against ONNX Runtime's own forward of the prefix over the same batches (the limit), and against
 * running the whole model. All alternate in one run; processor time is told beside the clock, which other programs disturb.
 * Needs `npm run build`.
 *
 *   node bench/harvest.mjs --model DIR --text FILE [--text FILE…] [--layers 0,2,5] [--tokens 100k] [--repeats 5] [--pack]
 *   node bench/harvest.mjs --model DIR --text FILE [--text FILE…] --flat 5M [--layers 0] [--pack]
 *
 * `--flat` harvests so many tokens, the texts over and over, and prints the memory of the process on the way.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { InferenceSession } from 'onnxruntime-node';
import { count } from '../dist/cli/command.js';
import { feed } from '../dist/lm/feeds.js';
import { BATCH_TOKENS, ForwardPool } from '../dist/lm/forward-pool.js';
import { harvest, windowTokens } from '../dist/lm/harvest.js';
import { LanguageModel } from '../dist/lm/model.js';
import { readOnnxModel } from '../dist/lm/onnx/model-file.js';
import { openReading } from '../dist/lm/reading.js';
import { START } from '../dist/lm/sequences.js';
import { packTokens } from '../dist/lm/tokens.js';
import { planBatches, readWindows } from '../dist/lm/windows.js';

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    text: { type: 'string', multiple: true },
    layers: { type: 'string', default: '0,2,5' },
    tokens: { type: 'string', default: '100k' },
    repeats: { type: 'string', default: '5' },
    flat: { type: 'string' },
    pack: { type: 'boolean', default: false },
  },
});
const { model: folder, text, pack } = values;
if (!folder || !text) throw new Error('--model and --text are needed');
const layers = values.layers.split(',').map(Number);
const siteOf = (layer) => ({ layer, hook: 'resid_post' });
const megabytes = (bytes) => Math.round(bytes / 2 ** 20);

/** @returns tokens per second, and microseconds of processor time per token */
async function measure(tokens, work) {
  const [start, before] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(before);
  return { tokens_per_s: (1000 * tokens) / (performance.now() - start), cpu_us: (user + system) / tokens };
}

/** The same of a harvest, less what one of a single document costs: loading the model. */
async function measureHarvest(options) {
  const cpu = async (tokens) => {
    const before = process.cpuUsage();
    const report = await withFolder((out) => harvest({ ...options, tokens, out }));
    const { user, system } = process.cpuUsage(before);
    return { report, cpu: user + system };
  };
  const [one, all] = [await cpu(1), await cpu(options.tokens)];
  return {
    tokens_per_s: all.report.tokens / all.report.seconds,
    cpu_us: (all.cpu - one.cpu) / (all.report.tokens - one.report.tokens),
  };
}

async function withFolder(work) {
  const parent = mkdtempSync(join(tmpdir(), 'saeforest-bench-'));
  try {
    return await work(join(parent, 'acts'));
  } finally {
    rmSync(parent, { recursive: true });
  }
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
const rounded = (number, digits = 0) => Number(number.toFixed(digits));

const tokensOf = (batches) => batches.reduce((sum, { mask }) => sum + mask.reduce((a, b) => a + Number(b), 0), 0);

/** Batches of the first rows, as a harvest makes them. */
async function batchesOf(rows) {
  const reading = await openReading({ model: folder, text, sites: [siteOf(0)], pack });
  const { cut, dropped, info, tokenizer, share } = reading;
  const options = { ...cut, windowTokens: windowTokens(info.d), dropped, rows, from: START, rowsBefore: 0 };
  const batches = [...readWindows(reading.source, options)].flatMap(({ sequences }) =>
    planBatches(sequences, BATCH_TOKENS).map((members) =>
      packTokens(
        members.map((i) => sequences[i].tokens),
        tokenizer.padId,
      ),
    ),
  );
  return { batches, share };
}

/** The arrays of a batch go to the thread that runs it. */
const copy = ({ ids, mask, ...shape }) => ({ ...shape, ids: ids.slice(), mask: mask.slice() });

async function speed() {
  const rows = count.parse(values.tokens);
  const repeats = Number(values.repeats);
  const { batches, share } = await batchesOf(rows);
  const tokens = tokensOf(batches);
  // The whole model is so much slower that some of the batches do.
  const some = batches.filter((_, i) => i % 8 === 0);
  const model = await LanguageModel.open(folder);
  const file = join(folder, 'onnx', 'model.onnx');
  const { graph } = readOnnxModel(file);
  const weights = new Set(graph.initializer.map(({ name }) => name));
  const inputs = graph.input.filter(({ name }) => !weights.has(name));
  const whole = await InferenceSession.create(file, {
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  for (const layer of layers) {
    const prefix = await model.prefix([siteOf(layer)]);
    const pool = await ForwardPool.start(folder, [siteOf(layer)], share);
    const runs = {
      prefix: async () => {
        for (const batch of batches) await prefix.run(batch);
      },
      pool: () => Promise.all(batches.map((batch) => pool.run(copy(batch)))).then(() => undefined),
    };
    await runs.prefix();
    const names = ['whole', ...Object.keys(runs), 'harvest'];
    const results = Object.fromEntries(names.map((name) => [name, []]));
    for (let i = 0; i < repeats; i++) {
      results.whole.push(
        await measure(tokensOf(some), async () => {
          for (const batch of some) await whole.run(feed(inputs, batch));
        }),
      );
      for (const [name, work] of Object.entries(runs)) results[name].push(await measure(tokens, work));
      results.harvest.push(await measureHarvest({ model: folder, text, sites: [siteOf(layer)], tokens: rows, pack }));
    }
    await pool.close();
    await prefix.release();
    const of = (name, key) => median(results[name].map((result) => result[key]));
    const ratio = (name) =>
      rounded(median(results.harvest.map((result, i) => result.tokens_per_s / results[name][i].tokens_per_s)), 3);
    console.log(
      JSON.stringify({
        layer,
        ...Object.fromEntries(names.map((name) => [`${name}_tokens_per_s`, Math.round(of(name, 'tokens_per_s'))])),
        harvest_to_pool: ratio('pool'),
        harvest_to_prefix: ratio('prefix'),
        harvest_to_whole: ratio('whole'),
        ...Object.fromEntries(names.map((name) => [`${name}_cpu_us`, rounded(of(name, 'cpu_us'), 2)])),
        tokens,
        repeats,
        cores: availableParallelism(),
        peak_rss_mb: megabytes(process.resourceUsage().maxRSS * 1024),
      }),
    );
  }
}

async function flat() {
  const tokens = count.parse(values.flat);
  const once = tokensOf((await batchesOf(Infinity)).batches);
  const texts = Array.from({ length: Math.ceil(tokens / once) }, () => text).flat();
  const start = performance.now();
  let next = 0;
  const onProgress = ({ rows }) => {
    if (rows < next) return;
    next = rows + tokens / 20;
    const seconds = (performance.now() - start) / 1000;
    console.log(JSON.stringify({ rows, rss_mb: megabytes(process.memoryUsage.rss()), seconds: rounded(seconds, 1) }));
  };
  const sites = layers.map(siteOf);
  const report = await withFolder((out) =>
    harvest({ model: folder, text: texts, sites, tokens, out, pack }, { onProgress }),
  );
  console.log(
    JSON.stringify({
      rows: report.sites[0].manifest.counts.rows,
      tokens_per_s: Math.round(report.tokens / report.seconds),
      peak_rss_mb: megabytes(process.resourceUsage().maxRSS * 1024),
    }),
  );
}

await (values.flat === undefined ? speed() : flat());
