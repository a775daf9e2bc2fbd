/** Comparisons of trained SAEs: side by side, or at a place of a curve of baselines. */
import { isDeepStrictEqual } from 'node:util';
import type { Metric } from '../evals/metric.ts';
import { atMatched } from '../evals/matching.ts';
import { pairedDifference } from '../evals/paired.ts';
import { outcomeOf, type Claimed, type Comparison, type Matching } from './judge.ts';
import type { Lab } from './lab.ts';
import type { Spec } from './spec.ts';
import { costRatios } from './sizes.ts';

/** One side of a comparison. */
export interface Side {
  /** As tables show it. */
  readonly name: string;
  readonly spec: Spec;
  /** A level that stands alone. */
  readonly view?: string;
}

export interface Question {
  /** The quantity, such as `variance explained`. */
  readonly what: string;
  /** `suite.metric` */
  readonly metric: `${string}.${string}`;
  readonly claimed: Claimed;
  readonly matching: Matching;
  /** Whether the verdict depends on it; true. */
  readonly decides?: boolean;
}

/** Paired by seeds that share a stream. */
export async function compareSides(lab: Lab, a: Side, b: Side, question: Question): Promise<Comparison> {
  await lab.train([a.spec, b.spec]);
  const [ofA, ofB] = [await valuesOf(lab, a, question.metric), await valuesOf(lab, b, question.metric)];
  const compared = compareMetrics(a.spec.data, [a.name, ofA], [b.name, ofB], question);
  return { ...compared, costs: await costRatios(lab, a.spec, b.spec) };
}

/**
 * Against a curve of baselines, interpolated (evals/matching.ts) for every seed at the place where `along` is what it is for `a`.
 * @param along `core.l0_total`, `cost.parameters`, …
 */
export async function compareWithCurve(
  lab: Lab,
  a: Side,
  curve: { readonly name: string; readonly specs: readonly Spec[] },
  along: `${string}.${string}`,
  question: Question,
): Promise<Comparison> {
  await lab.train([a.spec, ...curve.specs]);
  const [ofA, places] = [await valuesOf(lab, a, question.metric), await lab.metric(a.spec, along)];
  const points: { x: Metric[]; y: Metric[] }[] = [];
  for (const spec of curve.specs) {
    points.push({ x: await lab.metric(spec, along), y: await lab.metric(spec, question.metric) });
  }
  const ofB = places.map((place, s) =>
    atMatched(
      points.map(({ x, y }) => ({ x: x[s], y: y[s] })),
      place,
      along,
    ),
  );
  const compared = compareMetrics(a.spec.data, [a.name, ofA], [curve.name, ofB], question);
  const costs = await Promise.all(curve.specs.map((spec) => costRatios(lab, a.spec, spec)));
  // A place between baselines of different cost has none of its own.
  return costs.every((one) => isDeepStrictEqual(one, costs[0])) ? { ...compared, costs: costs[0] } : compared;
}

/** @param a name and metric of every seed; @param b likewise, in the same order of seeds */
export function compareMetrics(
  data: Comparison['data'],
  [nameA, a]: readonly [string, readonly Metric[]],
  [nameB, b]: readonly [string, readonly Metric[]],
  { what, claimed, matching, decides = true }: Omit<Question, 'metric'>,
): Comparison {
  const difference = pairedDifference(a, b);
  const outcome = outcomeOf(difference, claimed);
  const why = [...a, ...b].find(({ insufficient }) => insufficient !== undefined)?.insufficient;
  return {
    what,
    data,
    a: nameA,
    b: nameB,
    matching,
    valueA: meanOf(a),
    valueB: meanOf(b),
    difference,
    claimed,
    decides,
    outcome,
    ...(outcome === 'undefined' && why !== undefined && { why }),
  };
}

const valuesOf = (lab: Lab, { spec, view }: Side, metric: Question['metric']): Promise<Metric[]> =>
  lab.metric(spec, metric, view);

/** null where one of them is undefined. */
export function meanOf(metrics: readonly Metric[]): number | null {
  const values = metrics.map(({ value }) => value);
  if (values.length === 0 || values.includes(null)) return null;
  return values.reduce<number>((sum, value) => sum + (value ?? 0), 0) / values.length;
}
