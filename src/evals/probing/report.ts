/** Names, definitions, intervals and nulls of the accuracies. */
import type { EvalContext } from '../context.ts';
import {
  besideNull,
  Bootstrap,
  insufficient,
  type Meaning,
  type Metric,
  type Metrics,
  type SuiteResult,
} from '../metric.ts';
import type { MeasuredTask } from './measure.ts';
import { LEAST } from './one-vs-rest.ts';
import { DRAWS, RANDOM_SAE } from './random-sae.ts';
import { accuracy, KS, type ProbeName, type Scores } from './scores.ts';

const SPARSE = KS.map((k) => `k${k}` as const);
const PROBES: readonly ProbeName[] = [...SPARSE, 'dense'];
const UNIT = 'share of examples';

/** Metrics of one task, or of the means over tasks. */
export function taskMetricNames(task?: string): string[] {
  return PROBES.map((probe) => (task === undefined ? `probing_${probe}` : `probe_${task}_${probe}`));
}

export function probingMetrics(
  { sae, seed }: EvalContext,
  measured: readonly MeasuredTask[],
): Pick<SuiteResult, 'metrics' | 'views'> {
  const others = sae.views.filter(({ name }) => name !== 'full').map(({ name }) => name);
  const ofView = (view: string): Metrics => {
    const entries = measured.flatMap((task) =>
      SPARSE.map((probe): [string, Metric] => [
        `probe_${task.task.name}_${probe}`,
        taskMetric(task, probe, task.views[view][probe], seed),
      ]),
    );
    const means = SPARSE.map((probe): [string, Metric] => [
      `probing_${probe}`,
      meanMetric(measured, probe, (task) => task.views[view][probe], seed),
    ]);
    return Object.fromEntries([...means, ...entries]);
  };
  return {
    metrics: ofWholeModel(measured, seed),
    views: Object.fromEntries(others.map((view) => [view, ofView(view)])),
  };
}

function ofWholeModel(measured: readonly MeasuredTask[], seed: number): Metrics {
  const metrics: Metrics = {};
  for (const probe of PROBES) {
    const mean = meanMetric(measured, probe, ({ scores }) => scores[probe], seed);
    metrics[`probing_${probe}`] = withNulls(mean, probe, (of) => meanOver(measured, of));
  }
  for (const task of measured) {
    for (const probe of PROBES) {
      const own = taskMetric(task, probe, task.scores[probe], seed);
      metrics[`probe_${task.task.name}_${probe}`] = withNulls(own, probe, (of) => accuracy(of(task)));
    }
  }
  return metrics;
}

/** @param value the accuracy by what it is made of */
function withNulls(metric: Metric, probe: ProbeName, value: (of: (task: MeasuredTask) => Scores) => number): Metric {
  if (metric.insufficient !== undefined) return metric;
  const majority = Float64Array.of(value((task) => task.majority));
  const named = besideNull(metric, 'majority', majority, 'the class with more training examples is named every time');
  if (probe === 'dense') return named;
  const draws = Float64Array.from({ length: DRAWS }, (_, draw) => value((task) => task.random[draw][probe]));
  return besideNull(named, 'random_sae', draws, `the same probes on ${RANDOM_SAE}`);
}

function taskMetric({ task, classes, dataSet }: MeasuredTask, probe: ProbeName, scores: Scores, seed: number): Metric {
  const definition = `${READS[probe]}: ${ACCURACY}, mean over ${classes.length} classes: ${task.about}`;
  if (classes.length === 0) {
    return insufficient(
      `no class of ${task.name} has ${LEAST.train} training and ${LEAST.test} test rows, and as many of other classes`,
      { n: 0, unit: UNIT, definition },
    );
  }
  const units = { count: dataSet.units, label: `${dataSet.units} ${dataSet.unit}` };
  return new Bootstrap(units, seed).of((weights) => accuracy(scores, weights), meaning(scores, definition));
}

/** Mean over the tasks that could be measured; the units of all data sets are resampled together. */
function meanMetric(
  measured: readonly MeasuredTask[],
  probe: ProbeName,
  of: (task: MeasuredTask) => Scores,
  seed: number,
): Metric {
  const tasks = measured.filter(({ classes }) => classes.length > 0);
  const names = tasks.map(({ task }) => task.name).join(', ');
  const definition = `${READS[probe]}: ${ACCURACY}, mean over classes, then over the tasks ${names}`;
  if (tasks.length === 0) return insufficient('no task has enough examples', { n: 0, unit: UNIT, definition });
  const offsets = new Map<string, number>();
  let count = 0;
  for (const { dataSet } of tasks) {
    if (offsets.has(dataSet.name)) continue;
    offsets.set(dataSet.name, count);
    count += dataSet.units;
  }
  const scores = tasks.map((task) => {
    const offset = offsets.get(task.dataSet.name)!;
    return of(task).map(({ units, labels, right }) => ({ units: units.map((unit) => unit + offset), labels, right }));
  });
  const labels = new Set(tasks.map(({ dataSet }) => `${dataSet.units} ${dataSet.unit}`));
  const units = { count, label: [...labels].join(' and ') };
  const mean = (weights?: Float64Array): number =>
    scores.reduce((sum, ofTask) => sum + accuracy(ofTask, weights), 0) / scores.length;
  return new Bootstrap(units, seed).of(mean, meaning(scores.flat(), definition));
}

function meanOver(measured: readonly MeasuredTask[], of: (task: MeasuredTask) => Scores): number {
  const tasks = measured.filter(({ classes }) => classes.length > 0);
  return tasks.reduce((sum, task) => sum + accuracy(of(task)), 0) / tasks.length;
}

const meaning = (scores: Scores, definition: string): Meaning => ({
  n: scores.reduce((sum, { right }) => sum + right.length, 0),
  unit: UNIT,
  definition,
});

const ACCURACY =
  'share of test examples that a logistic regression (L2 penalty, C = 1) gets right, a class against the rest, as many of the one as of ' +
  'the other';
const sparse = (k: number): string =>
  `probe on ${k === 1 ? 'the latent' : `the ${k} latents`} whose mean code differs most between class and rest in training ` +
  '(codes are means over the tokens of an example: at most 128, special ones left out)';
const READS: Readonly<Record<ProbeName, string>> = {
  k1: sparse(1),
  k2: sparse(2),
  k5: sparse(5),
  dense:
    "probe on all elements of the model's activations (same means over tokens, centred and scaled to a mean variance of 1)",
};
