/** Columns of a comparison: `core.variance_explained`, of a view `core.l0@top`, beyond a null `hierarchy.mcs~shuffled`. */
import { UsageError } from '../core/errors.ts';
import type { Metric } from '../evals/metric.ts';
import { betterOf, titleOf } from './names.ts';
import type { ComparedRun } from './runs.ts';

export interface Column {
  /** As it is written. */
  readonly key: string;
  readonly suite: string;
  readonly metric: string;
  /** undefined = the whole model. */
  readonly view: string | undefined;
  /** The null that is subtracted. */
  readonly beyond: string | undefined;
  readonly title: string;
  readonly better: 'higher' | 'lower' | undefined;
}

/** What is compared where nobody asks for columns; of these, those that any run has. */
export const DEFAULT_COLUMNS = [
  'core.l0_total',
  'core.variance_explained',
  'core.ce_loss_score',
  'absorption.absorption_fraction',
  'absorption.truth_absorption_rate',
  'hierarchy.p_parent_given_child~shuffled',
  'hierarchy.tree_hit_rate~shuffled',
  'truth.ancestor_f1',
  'probing.probing_k1',
] as const;

const SYNTAX = /^([\w-]+)\.([\w-]+)(?:@([\w-]+))?(?:~([\w-]+))?$/;

/** @throws UsageError */
export function parseColumn(text: string): Column {
  const [, suite, metric, view, beyond] = SYNTAX.exec(text) ?? [];
  if (suite === undefined) {
    throw new UsageError(`not a column: ${text}`, {
      hint: 'suite.metric as in core.variance_explained, of a view core.l0@top, beyond a null hierarchy.mcs~shuffled',
    });
  }
  const of = view === undefined ? '' : `, ${view}`;
  const above = beyond === undefined ? '' : ` beyond ${beyond.replaceAll('_', ' ')} null`;
  return { key: text, suite, metric, view, beyond, title: titleOf(metric) + of + above, better: betterOf(metric) };
}

/** What a run has in a column, or in words why it has nothing. */
export function valueIn({ suite, metric: name, view, beyond }: Column, run: ComparedRun): Metric | string {
  const stored = run.result(suite);
  if (!stored) return `${suite} was not measured: saeforest eval ${run.folder} --suite ${suite}`;
  const { metrics, views, skipped } = stored.result;
  // The whole model is the view that results hold first.
  const ofView = view === undefined || view === 'full' ? metrics : views[view];
  if (!ofView) return `${run.config.architecture.name} has no view ${view}`;
  const found = ofView[name];
  if (!found) return skipped[name] ?? `the suite ${suite} did not report ${name}`;
  if (found.insufficient !== undefined) return found.insufficient;
  if (found.value === null) return `${name} is undefined here (0/0)`;
  if (beyond === undefined) return found;
  return beyondNull(found, beyond) ?? `${name} has no null ${beyond} here`;
}

/** Metric − mean of its null; its interval moves along: the null's own spread is small, being a mean over many draws. */
export function beyondNull(metric: Metric, name: string): Metric | undefined {
  const { nulls, replicates, ...kept } = metric;
  const chance = nulls?.[name]?.value ?? null;
  if (chance === null || metric.value === null) return undefined;
  const less = (value: number | null): number | null => (value === null ? null : value - chance);
  return {
    ...kept,
    value: less(metric.value),
    low: less(metric.low),
    high: less(metric.high),
    definition: `${metric.definition}; minus its mean under the null ${name}: ${nulls![name].definition}`,
    ...(replicates && { replicates: replicates.map((value) => value - chance) }),
  };
}
