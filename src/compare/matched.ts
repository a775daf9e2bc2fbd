/** Differences at equal cost: each row against what the reference's family scores at the same L0, parameters or FLOPs. */
import { atMatched, outsideOf, type CurvePoint } from '../evals/matching.ts';
import { metric, type Metric } from '../evals/metric.ts';
import { parseColumn, valueIn, type Column } from './columns.ts';
import { differenceOf, type Tested } from './pairing.ts';
import type { ComparedRow } from './rows.ts';
import type { ComparedRun } from './runs.ts';

export const MATCHES = ['l0', 'parameters', 'flops'] as const;
export type Match = (typeof MATCHES)[number];

const L0 = parseColumn('core.l0_total');

/** Rows whose L0 is this near count as equally sparse. */
const SAME_L0 = 1.05;

/** What is matched, of one run, or why it is unknown. */
export function costOf(match: Match, run: ComparedRun): Metric | string {
  if (match === 'l0') return valueIn(L0, run);
  const exact = match === 'parameters' ? run.cost.parameters : run.cost.encodeFlops;
  const definition =
    match === 'parameters'
      ? 'trained numbers of the SAE'
      : 'multiplications and additions to encode one token, 2 per weight that is touched';
  return metric(exact, exact, exact, { n: 1, unit: match, definition });
}

/**
 * Rows of the reference's architecture that differ from it in the matched cost alone: with as many parameters where L0 is matched, as
 * sparse where parameters or FLOPs are.
 */
export function familyOf(match: Match, reference: ComparedRow, rows: readonly ComparedRow[]): ComparedRow[] {
  const same = rows.filter(({ architecture }) => architecture === reference.architecture);
  const [first] = reference.runs;
  if (match === 'l0') return same.filter(({ runs }) => runs[0].cost.parameters === first.cost.parameters);
  const ratio = (row: ComparedRow): number => sparsity(row) / sparsity(reference);
  return same.filter((row) => row === reference || (ratio(row) < SAME_L0 && ratio(row) > 1 / SAME_L0));
}

function sparsity({ runs }: ComparedRow): number {
  const l0 = valueIn(L0, runs[0]);
  return typeof l0 === 'string' ? NaN : l0.value!;
}

/** Row − curve through the family, at the row's own cost. */
export function differenceAtMatch(
  match: Match,
  column: Column,
  row: ComparedRow,
  family: readonly ComparedRow[],
): Tested & { readonly outside?: boolean } {
  let outside = false;
  const tested = differenceOf(column, row, family, (run, others) => {
    const cost = costOf(match, run);
    if (typeof cost === 'string') return cost;
    const curve: CurvePoint[] = [];
    for (const other of others) {
      const [x, y] = [costOf(match, other), valueIn(column, other)];
      if (typeof x === 'string') return x;
      if (typeof y === 'string') return y;
      curve.push({ x, y });
    }
    outside ||= outsideOf(curve, cost.value!);
    const matched = atMatched(curve, cost, match);
    return matched.insufficient ?? matched;
  });
  return 'refused' in tested ? tested : { ...tested, outside };
}
