/**
 * Comparisons at equal cost: what a family of SAEs would score at another SAE's L0, parameters or FLOPs, read off the curve through
 * its members. Sparsity and size have effects that multiply, so curves are taken to be straight pieces over the logarithm of x.
 */
import { percentileInterval } from '../core/statistics.ts';
import { insufficient, metric, type Metric } from './metric.ts';

/** One member of the family: what it costs, and what it scores. */
export interface CurvePoint {
  readonly x: Metric;
  readonly y: Metric;
}

/** Beyond its ends a curve is continued by this share of its length in ln x at most. */
const REACH = 0.5;

/**
 * The family's score at `x`: linear in ln x between the two members around it; beyond the ends the outer piece is continued (the
 * definition then says so, see {@link outsideOf}) by half of the curve's length at most. Every resample interpolates its own curve,
 * so the result pairs with metrics on the same units: `pairedDifference([y of the run], [atMatched(curve, x of the run)])`.
 * @param curve members of one seed, in any order; those with the same x count as one, their mean; those without a number not at all
 * @param x the cost to match; a metric brings its own resamples along
 * @param name of the cost, for the definition, such as `l0_total`
 * @returns insufficient where fewer than two different costs are left, or x is too far from all of them
 */
export function atMatched(curve: readonly CurvePoint[], x: number | Metric, name = 'x'): Metric {
  const points = curve.filter(isMeasured);
  const at = typeof x === 'number' ? x : (x.value ?? NaN);
  const meaning = {
    n: points.length === 0 ? 0 : Math.min(...points.map(({ y }) => y.n)),
    unit: points[0]?.y.unit ?? '',
    definition: `${points[0]?.y.definition ?? 'no member of the curve was measured'}; at ${name} = ${at.toPrecision(4)}, linear in ln ${name} through ${points.length} SAEs`,
  };
  if (!(at > 0 && Number.isFinite(at))) return insufficient(`${name} of the SAE to match is ${String(at)}`, meaning);
  const range = rangeOf(points);
  if (!range || range[0] === range[1]) {
    const different = new Set(points.map((point) => point.x.value)).size;
    return insufficient(`a curve over ${name} needs 2 different values of it, there are ${different}`, meaning);
  }
  const [from, to] = range.map(Math.log);
  if (Math.max(from - Math.log(at), Math.log(at) - to) > REACH * (to - from)) {
    const [low, high] = range.map((end) => end.toPrecision(4));
    return insufficient(
      `${name} = ${at.toPrecision(4)} is too far from the curve, which spans ${low} … ${high}`,
      meaning,
    );
  }
  const value = interpolate(
    points.map((point) => [point.x.value!, point.y.value!]),
    at,
  );
  const outside = outsideOf(points, at) ? ', continued beyond its end' : '';
  const replicates = resampled(points, x);
  const { low, high } = replicates ? percentileInterval(replicates) : { low: NaN, high: NaN };
  return {
    ...metric(value, low, high, { ...meaning, definition: meaning.definition + outside }),
    ...(replicates && { replicates }),
  };
}

/** Whether the curve has to be continued to reach `x`: worth a warning. */
export function outsideOf(curve: readonly CurvePoint[], x: number): boolean {
  const range = rangeOf(curve.filter(isMeasured));
  return range === undefined || x < range[0] || x > range[1];
}

const isMeasured = ({ x, y }: CurvePoint): boolean => x.value !== null && x.value > 0 && y.value !== null;

/** Smallest and largest x. */
function rangeOf(points: readonly CurvePoint[]): [number, number] | undefined {
  const values = points.map(({ x }) => x.value!);
  return values.length === 0 ? undefined : [Math.min(...values), Math.max(...values)];
}

/** The interpolation in every resample; undefined unless all scores, of the curve, have the same number of them. */
function resampled(points: readonly CurvePoint[], x: number | Metric): Float64Array | undefined {
  const count = points[0].y.replicates?.length ?? 0;
  if (count === 0 || points.some(({ y }) => y.replicates?.length !== count)) return undefined;
  // A cost without resamples is the same number in all of them.
  const inResample = (cost: Metric, r: number): number =>
    cost.replicates?.length === count ? cost.replicates[r] : cost.value!;
  return Float64Array.from({ length: count }, (_, r) =>
    interpolate(
      points.map((point) => [inResample(point.x, r), point.y.replicates![r]]),
      typeof x === 'number' ? x : inResample(x, r),
    ),
  );
}

/** Piecewise linear in ln x, the outer pieces continued; NaN where fewer than two different x are left. */
function interpolate(points: readonly (readonly [x: number, y: number])[], at: number): number {
  const merged = new Map<number, { sum: number; count: number }>();
  for (const [x, y] of points) {
    const same = merged.get(x) ?? { sum: 0, count: 0 };
    merged.set(x, { sum: same.sum + y, count: same.count + 1 });
  }
  const xs = [...merged.keys()].sort((a, b) => a - b);
  if (xs.length < 2) return NaN;
  const upper = Math.min(Math.max(1, xs.findLastIndex((x) => x <= at) + 1), xs.length - 1);
  const [left, right] = [xs[upper - 1], xs[upper]];
  const mean = (x: number): number => merged.get(x)!.sum / merged.get(x)!.count;
  const share = Math.log(at / left) / Math.log(right / left);
  return mean(left) + share * (mean(right) - mean(left));
}
