/** Which runs may be compared one by one: those of the same seed that saw the same data in the same order. */
import { isDeepStrictEqual } from 'node:util';
import type { Metric } from '../evals/metric.ts';
import { pairedDifference, type Difference } from '../evals/paired.ts';
import { valueIn, type Column } from './columns.ts';
import { seedOf, type ComparedRow } from './rows.ts';
import type { ComparedRun } from './runs.ts';

/** A difference, or why there is none. */
export type Tested = Difference | { readonly refused: string };

/** Row − reference in a column, over the seeds that both have. */
export function differenceIn(column: Column, row: ComparedRow, reference: ComparedRow): Tested {
  return differenceOf(column, row, [reference], (_, [other]) => valueIn(column, other));
}

/**
 * @param references rows that share their streams with the row
 * @param counterpart of a run, made of the runs of its seed among the references; or why there is none
 */
export function differenceOf(
  column: Column,
  row: ComparedRow,
  references: readonly ComparedRow[],
  counterpart: (run: ComparedRun, others: readonly ComparedRun[]) => Metric | string,
): Tested {
  const [ours, theirs]: [Metric[], Metric[]] = [[], []];
  for (const run of row.runs) {
    const others = references.flatMap(({ runs }) => runs.filter((other) => seedOf(other) === seedOf(run)));
    if (others.length === 0) continue;
    const obstacle = others
      .map((other) => whyNotPaired(run, other, column.suite))
      .find((reason) => reason !== undefined);
    if (obstacle !== undefined) return { refused: obstacle };
    const values = [valueIn(column, run), counterpart(run, others)];
    const missing = values.find((value) => typeof value === 'string');
    if (missing !== undefined) return { refused: missing };
    ours.push(values[0] as Metric);
    theirs.push(values[1] as Metric);
  }
  if (ours.length === 0) {
    return {
      refused: `no seed in common: ${seeds(row.runs)} here, ${seeds(references.flatMap(({ runs }) => runs))} there`,
    };
  }
  return pairedDifference(ours, theirs);
}

const seeds = (runs: readonly ComparedRun[]): string => [...new Set(runs.map(seedOf))].join(', ');

/** What stands between two runs and a paired test of what a suite measured on both; undefined = nothing. */
export function whyNotPaired(a: ComparedRun, b: ComparedRun, suite: string): string | undefined {
  for (const key of ['seed', 'tokens', 'batch', 'heldOut'] as const) {
    const [of, and] = [a.config.common[key], b.config.common[key]];
    if (of !== and) return `they did not see the same stream: ${key} is ${of} in ${a.folder}, ${and} in ${b.folder}`;
  }
  if (a.step !== b.step) return `they are not equally far: step ${a.step} in ${a.folder}, ${b.step} in ${b.folder}`;
  const [of, and] = [a, b].map((run) => run.result(suite));
  for (const [run, stored] of [[a, of] as const, [b, and] as const]) {
    if (!stored) return `${suite} was not measured: saeforest eval ${run.folder} --suite ${suite}`;
    if (stored.measured.step !== run.step) {
      return `${suite} was measured at step ${String(stored.measured.step)} of ${run.folder}, which is at step ${run.step} by now: evaluate it again`;
    }
  }
  const differing = MEASURED_ALIKE.filter((key) => !isDeepStrictEqual(of!.measured[key], and!.measured[key]));
  if (differing.includes('data'))
    return `they were not trained and measured on the same data: ${a.folder} and ${b.folder}`;
  const settings = differing.map((key) => `${key} ${briefly(of!.measured[key])} and ${briefly(and!.measured[key])}`);
  if (settings.length > 0)
    return `${suite} was not measured alike on ${a.folder} and ${b.folder}: ${settings.join('; ')}`;
  return undefined;
}

/** What decides the units that are resampled, and their draws. */
const MEASURED_ALIKE = ['data', 'rows', 'sequences', 'seed'];

const briefly = (value: unknown): string => JSON.stringify(value ?? null).slice(0, 60);
