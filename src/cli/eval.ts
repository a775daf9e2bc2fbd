/** `saeforest eval`: measures a trained SAE on held-out activations. */
import { z } from 'zod';
import { count, defineCommand, index, text } from './command.ts';
import { metricTable } from './metric-table.ts';
import type { Terminal } from './terminal.ts';
import type { SuiteResult } from '../evals/metric.ts';

const schema = z.strictObject({
  run: text,
  suite: text.default('core'),
  model: text.optional(),
  acts: text.optional(),
  rows: count.default(100_000),
  sequences: count.optional(),
  forest: text.optional(),
  data: text.optional(),
  seed: index.default(0),
  saebench: text.optional(),
});
type Options = z.output<typeof schema>;

export const evalCommand = defineCommand({
  usage: 'eval <run>',
  summary: 'Measure a trained SAE on held-out activations; the numbers also go to <run>/evals.',
  flags: [
    { flag: '--suite <names>', help: 'what to measure, separated by commas (default core)' },
    {
      flag: '--model <model>',
      help: 'language model: a folder or hf:owner/name (default: where the harvest found it)',
    },
    { flag: '--acts <acts>', help: "activations to measure on (default: the run's); their held-out rows are used" },
    { flag: '--rows <n>', help: 'held-out activations at most (default 100k)' },
    { flag: '--sequences <n>', help: 'texts run through the language model (default: some 20k tokens)' },
    {
      flag: '--forest <file>',
      help: "parents to judge (made by saeforest extract; default: the SAE's own, else extracted from training rows)",
    },
    { flag: '--data <folder>', help: 'labelled texts, for suites that need them' },
    { flag: '--seed <n>', help: 'of the intervals (default 0)' },
    {
      flag: '--saebench <folder>',
      help: "also write core, absorption and probing as SAEBench's <release>_<sae>_eval_results.json",
    },
  ],
  examples: [
    'saeforest eval runs/topk',
    'saeforest eval runs/topk --suite core --model models/stories3m --rows 50k --json',
  ],
  schema,
  async run(options, terminal) {
    const { UsageError } = await import('../core/errors.ts');
    const { unknownName } = await import('../core/config.ts');
    const { suites } = await import('../evals/suites.ts');
    const names = options.suite.split(',');
    const unknown = names.find((name) => !Object.hasOwn(suites, name));
    if (unknown !== undefined) {
      throw new UsageError(unknownName('suite', unknown, Object.keys(suites)), { hint: 'saeforest eval --help' });
    }
    const results = await measure(names, options, terminal);
    if (options.saebench !== undefined) {
      const { writeSaeBenchFiles } = await import('./saebench.ts');
      writeSaeBenchFiles(options.saebench, options.run, results, options, terminal);
    }
    const { toJson } = await import('../evals/metric.ts');
    terminal.result(
      Object.fromEntries(Object.entries(results).map(([name, result]) => [name, toJson(result)])),
      Object.entries(results).flatMap(([name, result]) => [...report(result, terminal), '', ...suites[name].notes]),
    );
  },
});

/** Every option as it stands without flags. */
export const defaultsFor = (run: string): Options => schema.parse({ run });

/** Runs suites on a run and stores what they find. @throws SaeforestError of every kind */
export async function measure(
  names: readonly string[],
  options: Options,
  terminal: Terminal,
): Promise<Record<string, SuiteResult>> {
  const { withRunContext } = await import('./run-context.ts');
  const { writeResult } = await import('../evals/result-files.ts');
  const { suites } = await import('../evals/suites.ts');
  return withRunContext(options, terminal, async (context, measured) => {
    const results: Record<string, SuiteResult> = {};
    for (const name of names) {
      const result = await suites[name].measure({
        ...context,
        onProgress: (what, done, total) =>
          terminal.progress(
            `${name}: ${done.toLocaleString('en')} of ${total.toLocaleString('en')} ${what}`,
            done === total,
          ),
      });
      results[name] = result;
      writeResult(options.run, name, { result, measured });
    }
    return results;
  });
}

function report({ metrics, views, skipped }: SuiteResult, { colors }: Terminal): string[] {
  const lines = metricTable(metrics);
  for (const [name, ofView] of Object.entries(views))
    lines.push('', colors.bold(`view ${name}`), ...metricTable(ofView));
  const reasons = new Set(Object.values(skipped));
  for (const reason of reasons) {
    const names = Object.keys(skipped).filter((name) => skipped[name] === reason);
    lines.push('', `not measured, ${reason}:`, `  ${names.join(', ')}`);
  }
  return lines;
}
