/** The probes of a data set: features of the rows that they need, then every task. */
import type { EvalContext } from '../context.ts';
import type { DataSet } from './data-set.ts';
import type { Encoders } from './features.ts';
import { oneVsRest, type ClassSplit, type LabelledRows } from './one-vs-rest.ts';
import type { Examples } from './k-sparse.ts';
import { denseScores, majorityScores, sparseScores, type ProbeName, type Scores } from './scores.ts';

export interface MeasuredTask {
  readonly task: LabelledRows;
  readonly classes: readonly string[];
  /** Units of the data set, which its tasks share. */
  readonly dataSet: { readonly name: string; readonly units: number; readonly unit: string };
  /** Of the whole model. */
  readonly scores: Readonly<Record<ProbeName, Scores>>;
  readonly majority: Scores;
  /** Of each random SAE. */
  readonly random: readonly Readonly<Record<string, Scores>>[];
  /** Of the other views. */
  readonly views: Readonly<Record<string, Readonly<Record<string, Scores>>>>;
}

/** @throws InputError for texts that the tokenizer cannot express */
export async function measureDataSet(
  { sae, seed, onProgress }: EvalContext,
  set: DataSet,
  encoders: Encoders,
): Promise<MeasuredTask[]> {
  const splits = set.tasks.map((task) => oneVsRest(task, seed));
  const rows = usedRows(splits.flat());
  const itemOf = new Map(rows.map((row, item) => [row, item]));
  const units = numberUnits(set, rows, splits.flat());
  const features = await set.features(encoders, rows);
  const total = splits.flat().length;
  let done = 0;
  const onItems = ({ rows, labels }: Examples): Examples => ({ rows: rows.map((row) => itemOf.get(row)!), labels });
  return set.tasks.map((task, t) => {
    const classes = splits[t].map(({ name, train, test }) => ({ name, train: onItems(train), test: onItems(test) }));
    const whole = { from: 0, to: sae.width };
    const measured = {
      task,
      classes: classes.map(({ name }) => name),
      dataSet: { name: set.name, units: units.count, unit: set.unit },
      scores: {
        ...sparseScores(features.codes, classes, units.of, whole),
        dense: denseScores(features, sae.d, classes, units.of),
      },
      majority: majorityScores(classes, units.of),
      random: features.random.map((codes) => sparseScores(codes, classes, units.of, whole)),
      views: Object.fromEntries(
        sae.views
          .filter(({ name }) => name !== 'full')
          .map((view) => [view.name, sparseScores(features.codes, classes, units.of, view)]),
      ),
    };
    onProgress(`probes of ${set.name}`, (done += classes.length), total);
    return measured;
  });
}

/** Ascending, so that what is read does not depend on the order of the classes. */
function usedRows(splits: readonly ClassSplit[]): number[] {
  const rows = new Set<number>();
  for (const { train, test } of splits) {
    for (const row of train.rows) rows.add(row);
    for (const row of test.rows) rows.add(row);
  }
  return [...rows].sort((a, b) => a - b);
}

/** Resampled unit of every item that some class is tested on, −1 for the others. */
function numberUnits(
  set: DataSet,
  rows: readonly number[],
  splits: readonly ClassSplit[],
): { count: number; of: Int32Array } {
  const tested = new Set(splits.flatMap(({ test }) => [...test.rows]));
  const numbers = new Map<number | string, number>();
  const of = Int32Array.from(rows, (row) => {
    if (!tested.has(row)) return -1;
    const unit = set.unitOf(row);
    if (!numbers.has(unit)) numbers.set(unit, numbers.size);
    return numbers.get(unit)!;
  });
  return { count: numbers.size, of };
}
