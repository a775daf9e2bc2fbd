/** `saeforest compare`: several trained SAEs in one table and in plots, with tests of their differences. */
import { z } from 'zod';
import { defineCommand, list, text } from './command.ts';
import { table, type Terminal } from './terminal.ts';
import type { Comparison, Test } from '../compare/compare.ts';

const schema = z.strictObject({
  runs: z.array(text, { error: 'name at least one run folder' }).min(1, 'name at least one run folder'),
  columns: list.optional(),
  against: text.optional(),
  match: text.optional(),
  markdown: z.boolean().default(false),
  csv: z.boolean().default(false),
  plots: text.optional(),
  x: text.optional(),
  y: text.optional(),
  into: text.optional(),
  measure: z.boolean().default(false),
});
type Options = z.output<typeof schema>;

export const compareCommand = defineCommand({
  usage: 'compare <...runs>',
  summary: 'Compare trained SAEs: a table with intervals, paired tests, and plots.',
  flags: [
    {
      flag: '--columns <list>',
      help: 'suite.metric, separated by commas; of a view core.l0@top, beyond a null hierarchy.mcs~shuffled',
    },
    {
      flag: '--against <row>',
      help: 'what the others are tested against: the folder of a run, or a row (default: the first)',
    },
    {
      flag: '--match <cost>',
      help: 'l0, parameters or flops: also test against the curve through the reference family',
    },
    { flag: '--markdown', help: 'print Markdown' },
    { flag: '--csv', help: 'print CSV, one line per row and column' },
    { flag: '--plots <folder>', help: 'write SVG plots: variance explained, CE score and hierarchy against L0' },
    { flag: '--x <column>', help: 'with --y: the axes of one plot of your own (with --plots)' },
    { flag: '--y <column>', help: 'see --x' },
    {
      flag: '--into <file#name>',
      help: 'put the Markdown table between <!-- compare:name --> and <!-- /compare:name --> of a file',
    },
    { flag: '--measure', help: 'run the suites of the columns where a run lacks them' },
  ],
  examples: [
    'saeforest compare runs/topk runs/h-sae',
    'saeforest compare runs/seed0 runs/seed1 runs/seed2 --against "topk k=8" --match l0 --plots plots',
    'saeforest compare runs --columns core.variance_explained,hierarchy.mcs~shuffled --markdown',
  ],
  schema,
  async run(options, terminal) {
    const { UsageError } = await import('../core/errors.ts');
    const { unknownName } = await import('../core/config.ts');
    const { compare } = await import('../compare/compare.ts');
    const { DEFAULT_COLUMNS, parseColumn } = await import('../compare/columns.ts');
    const { MATCHES } = await import('../compare/matched.ts');
    const { findRuns, readRun } = await import('../compare/runs.ts');
    const { toDocument } = await import('../compare/tables.ts');

    if ([options.markdown, options.csv, terminal.json].filter(Boolean).length > 1) {
      throw new UsageError('--markdown, --csv and --json exclude each other');
    }
    if ((options.x === undefined) !== (options.y === undefined)) throw new UsageError('--x and --y belong together');
    if (options.x !== undefined && options.plots === undefined) {
      throw new UsageError('--x and --y need a folder for the plot', { hint: 'add --plots plots' });
    }
    const match = MATCHES.find((one) => one === options.match);
    if (options.match !== undefined && !match) throw new UsageError(unknownName('cost', options.match, MATCHES));
    const columns = (options.columns?.flatMap((some) => some.split(',')) ?? DEFAULT_COLUMNS).map(parseColumn);
    const axes = options.x === undefined ? undefined : { x: parseColumn(options.x), y: parseColumn(options.y!) };
    const folders = findRuns(options.runs);
    if (options.measure) {
      const wanted = options.columns || axes ? [...columns, ...(axes ? [axes.x, axes.y] : [])] : columns.slice(0, 3);
      await measureMissing(folders, [...new Set(wanted.map(({ suite }) => suite))], terminal);
    }
    const runs = folders.map(readRun);
    const comparison = compare(runs, { columns, against: options.against, match });
    if (options.plots !== undefined) {
      const { writePlots } = await import('../compare/plots.ts');
      for (const path of writePlots(runs, options.plots, axes)) terminal.note(`wrote ${path}`);
    }
    if (options.into !== undefined) {
      const { putTable } = await import('../compare/into-file.ts');
      putTable(options.into, await markdownSummary(comparison));
      terminal.note(`wrote the table into ${options.into}`);
    }
    terminal.result(toDocument(comparison), await lines(comparison, options, terminal));
  },
});

/** Evaluates with default settings what a run lacks. */
async function measureMissing(
  folders: readonly string[],
  suites: readonly string[],
  terminal: Terminal,
): Promise<void> {
  const { UsageError } = await import('../core/errors.ts');
  const { unknownName } = await import('../core/config.ts');
  const { readResult } = await import('../evals/result-files.ts');
  const { suites: known } = await import('../evals/suites.ts');
  const { measure, defaultsFor } = await import('./eval.ts');
  const unknown = suites.find((suite) => !Object.hasOwn(known, suite));
  if (unknown !== undefined) throw new UsageError(unknownName('suite', unknown, Object.keys(known)));
  for (const [i, folder] of folders.entries()) {
    const missing = suites.filter((suite) => readResult(folder, suite) === undefined);
    if (missing.length === 0) continue;
    terminal.note(`${folder} (${i + 1} of ${folders.length}): measuring ${missing.join(', ')}`);
    await measure(missing, defaultsFor(folder), terminal);
  }
}

async function lines(comparison: Comparison, options: Options, terminal: Terminal): Promise<string[]> {
  const { csvRecords, explanation, footnotes, mainTable } = await import('../compare/tables.ts');
  if (options.markdown) return markdown(comparison);
  if (options.csv) {
    const { stringify } = await import('csv-stringify/sync');
    return [stringify(csvRecords(comparison)).trimEnd()];
  }
  const { tests, reference, matched } = comparison;
  const { bold } = terminal.colors;
  return [
    ...table(mainTable(comparison)),
    ...footnotes(comparison),
    explanation(comparison),
    ...(reference ? ['', bold(`minus ${reference.label}`), ...(await testLines(tests))] : []),
    ...(matched ? ['', bold(await matchTitle(matched)), ...(await testLines(matched.tests))] : []),
  ];
}

async function matchTitle({ match, family }: NonNullable<Comparison['matched']>): Promise<string> {
  return `minus the curve through ${family.map(({ label }) => label).join(', ')} at the same ${match === 'l0' ? 'total L0' : match}`;
}

async function testLines(tests: readonly Test[]): Promise<string[]> {
  const { refusals, testExplanation, testTable } = await import('../compare/tables.ts');
  const [heading, ...rows] = testTable(tests);
  return [
    ...(rows.length > 0 ? [...table([heading, ...rows], ['left', 'left']), testExplanation(tests)] : []),
    ...refusals(tests),
  ];
}

/** The main table with its notes. */
async function markdownSummary(comparison: Comparison): Promise<string[]> {
  const { explanation, footnotes, mainTable, markdownTable } = await import('../compare/tables.ts');
  const notes = footnotes(comparison).flatMap((note) => [note, '']);
  return [...markdownTable(mainTable(comparison)), '', ...notes, explanation(comparison)];
}

/** The same with the differences beneath. */
async function markdown(comparison: Comparison): Promise<string[]> {
  const { markdownTable, refusals, testExplanation, testTable } = await import('../compare/tables.ts');
  const { tests, reference, matched } = comparison;
  const section = (title: string, of: readonly Test[]): string[] => {
    const all = testTable(of);
    return [
      '',
      `**${title}**`,
      '',
      ...(all.length > 1 ? [...markdownTable(all), '', testExplanation(of)] : []),
      ...refusals(of).flatMap((line) => ['', line]),
    ];
  };
  return [
    ...(await markdownSummary(comparison)),
    ...(reference ? section(`Minus ${reference.label}`, tests) : []),
    ...(matched ? section(await matchTitle(matched), matched.tests) : []),
  ];
}
