/** Several runs in one table: what each row scores, and what tells it from a reference. */
import { InputError, UsageError } from '../core/errors.ts';
import { holm } from '../core/statistics.ts';
import { unknownName } from '../core/config.ts';
import type { Metric, Null } from '../evals/metric.ts';
import { meanOverSeeds, type OverSeeds } from '../evals/paired.ts';
import { valueIn, type Column } from './columns.ts';
import { differenceAtMatch, familyOf, type Match } from './matched.ts';
import { isCost } from './names.ts';
import { differenceIn, whyNotPaired, type Tested } from './pairing.ts';
import { rowsOf, seedOf, type ComparedRow } from './rows.ts';
import type { ComparedRun } from './runs.ts';

/** A row in a column: mean over its seeds, or why it has none. */
export type Cell = Measured | { readonly missing: string };

export interface Measured extends OverSeeds {
  readonly unit: string;
  /** Means over the seeds of each null's mean and quantiles. */
  readonly nulls: Readonly<Record<string, Pick<Null, 'value' | 'low' | 'high'>>>;
}

/** One test of a table. */
export interface Test {
  readonly row: string;
  readonly column: string;
  readonly difference: Tested & { readonly outside?: boolean };
  /** p after Holm's adjustment for all tests of the table; null where there is none. */
  readonly adjusted: number | null;
}

export interface Comparison {
  readonly columns: readonly Column[];
  readonly rows: readonly { readonly row: ComparedRow; readonly cells: readonly Cell[] }[];
  /** undefined where there is one row only. */
  readonly reference: ComparedRow | undefined;
  readonly tests: readonly Test[];
  readonly matched:
    { readonly match: Match; readonly family: readonly ComparedRow[]; readonly tests: readonly Test[] } | undefined;
}

export interface CompareRequest {
  readonly columns: readonly Column[];
  /** Folder of one of the runs, or label of a row; the first row by default. */
  readonly against?: string | undefined;
  readonly match?: Match | undefined;
}

/**
 * @throws UsageError for a reference that is none of the rows; InputError where no run has any of the columns, or where a reference
 * was asked for that cannot be paired with another row
 */
export function compare(runs: readonly ComparedRun[], { columns, against, match }: CompareRequest): Comparison {
  const all = rowsOf(runs);
  const kept = columns.filter((column) => runs.some((run) => typeof valueIn(column, run) !== 'string'));
  if (kept.length === 0) throw nothingMeasured(runs, columns);
  const rows = all.map((row) => ({ row, cells: kept.map((column) => cellOf(row, column)) }));
  const reference = against === undefined ? all[0] : rowNamed(against, all);
  const others = all.filter((row) => row !== reference);
  if (against !== undefined) for (const row of others) checkStreams(row, reference, kept);
  const scores = kept.filter(({ metric }) => !isCost(metric));
  const testAll = (
    tested: readonly ComparedRow[],
    of: (column: Column, row: ComparedRow) => Test['difference'],
  ): Test[] =>
    adjusted(
      tested.flatMap((row) =>
        scores.map((column) => ({ row: row.label, column: column.key, difference: of(column, row) })),
      ),
    );
  const family = match && familyOf(match, reference, all);
  const strangers = others.filter(({ architecture }) => architecture !== reference.architecture);
  return {
    columns: kept,
    rows,
    reference: others.length > 0 ? reference : undefined,
    tests: testAll(others, (column, row) => differenceIn(column, row, reference)),
    matched: family && {
      match,
      family,
      tests: testAll(strangers, (column, row) => differenceAtMatch(match, column, row, family)),
    },
  };
}

/** Mean over the seeds that have the metric. */
export function cellOf({ runs }: ComparedRow, column: Column): Cell {
  const values = runs.map((run) => valueIn(column, run));
  const metrics = values.filter((value): value is Metric => typeof value !== 'string');
  if (metrics.length === 0) return { missing: values[0] as string };
  const names = Object.keys(metrics[0].nulls ?? {});
  return {
    ...meanOverSeeds(metrics),
    unit: metrics[0].unit,
    nulls: Object.fromEntries(names.map((name) => [name, meanNull(metrics, name)])),
  };
}

function meanNull(metrics: readonly Metric[], name: string): Pick<Null, 'value' | 'low' | 'high'> {
  const nulls = metrics.map(({ nulls: all }) => all?.[name]);
  const mean = (end: 'value' | 'low' | 'high'): number | null => {
    const values = nulls.map((one) => one?.[end] ?? null);
    return values.includes(null) ? null : values.reduce((sum: number, value) => sum + value!, 0) / values.length;
  };
  return { value: mean('value'), low: mean('low'), high: mean('high') };
}

function adjusted(tests: readonly Omit<Test, 'adjusted'>[]): Test[] {
  const p = ({ difference }: Omit<Test, 'adjusted'>): number | null => ('refused' in difference ? null : difference.p);
  const withP = tests.filter((test) => p(test) !== null);
  const values = holm(withP.map((test) => p(test)!));
  return tests.map((test) => ({ ...test, adjusted: withP.includes(test) ? values[withP.indexOf(test)] : null }));
}

function rowNamed(name: string, rows: readonly ComparedRow[]): ComparedRow {
  const folder = name.replace(/\/+$/, '');
  const found = rows.find(({ label, runs }) => label === name || runs.some((run) => run.folder === folder));
  if (found) return found;
  const labels = rows.map(({ label }) => label);
  throw new UsageError(unknownName('row', name, labels), {
    hint: `--against takes the folder of one of the runs, or a row: ${labels.join(', ')}`,
  });
}

/** @throws InputError where runs of the same seed saw other data or another number of tokens */
function checkStreams(row: ComparedRow, reference: ComparedRow, columns: readonly Column[]): void {
  for (const run of row.runs) {
    const other = reference.runs.find((one) => seedOf(one) === seedOf(run));
    for (const { suite } of other ? columns : []) {
      if (!run.result(suite) || !other!.result(suite)) continue;
      const obstacle = whyNotPaired(run, other!, suite);
      if (obstacle === undefined) continue;
      throw new InputError(`no paired test of ${row.label} against ${reference.label}: ${obstacle}`, {
        hint: 'compare runs that were trained on the same stream (several --sae of one train command are), or leave --against out',
      });
    }
  }
}

function nothingMeasured(runs: readonly ComparedRun[], columns: readonly Column[]): InputError {
  const suites = [...new Set(columns.map(({ suite }) => suite))];
  const reasons = [...new Set(columns.map((column) => valueIn(column, runs[0]) as string))];
  return new InputError(`no run has any of ${columns.map(({ key }) => key).join(', ')}: ${reasons[0]}`, {
    hint: `add --measure, or saeforest eval RUN --suite ${suites.join(',')} for each run`,
  });
}
