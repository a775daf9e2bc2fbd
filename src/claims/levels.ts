/** Levels of `hsae-forest`, which reconstruct one by one. */
import type { Metric } from '../evals/metric.ts';
import { compareMetrics, meanOf, type Question, type Side } from './compare.ts';
import { meanMetric } from './derived.ts';
import type { Comparison } from './judge.ts';
import type { Lab } from './lab.ts';
import type { Spec } from './spec.ts';
import { costRatios } from './sizes.ts';

/** Views of the levels from the coarsest; undefined = the whole model, which is the finest level alone. */
function viewsOf({ keys }: Spec): (string | undefined)[] {
  const { widths } = keys as { widths: readonly number[] };
  return widths.map((_, l) => (l === widths.length - 1 ? undefined : `level-${l + 1}`));
}

/** One metric per level and seed. */
export async function ofLevels(lab: Lab, spec: Spec, name: Question['metric']): Promise<Metric[][]> {
  const levels: Metric[][] = [];
  for (const view of viewsOf(spec)) levels.push(await lab.metric(spec, name, view));
  return levels;
}

/** The mean over the levels, or over some of them; one metric per seed. */
export async function meanOverLevels(
  lab: Lab,
  spec: Spec,
  name: Question['metric'],
  among?: ReadonlySet<number>,
): Promise<Metric[]> {
  const levels = (await ofLevels(lab, spec, name)).filter((_, l) => among?.has(l) ?? true);
  return levels[0].map((_, s) =>
    meanMetric(
      levels.map((level) => level[s]),
      'the levels',
    ),
  );
}

/** Levels, counted from 0, in which both reached about the same L0: it differs by at most this share. */
export async function levelsOfEqualL0(lab: Lab, a: Side, b: Side, share: number): Promise<Set<number>> {
  const [ofA, ofB] = [await ofLevels(lab, a.spec, 'core.l0'), await ofLevels(lab, b.spec, 'core.l0')];
  const equal = new Set<number>();
  for (const [l, level] of ofA.entries()) {
    const [mine, theirs] = [meanOf(level) ?? NaN, meanOf(ofB[l]) ?? NaN];
    if (Math.abs(mine - theirs) <= share * theirs) equal.add(l);
  }
  return equal;
}

/** Two forests of the same widths by the mean over their levels, or over some of them. */
export async function compareLevels(
  lab: Lab,
  a: Side,
  b: Side,
  question: Question,
  among?: ReadonlySet<number>,
): Promise<Comparison> {
  await lab.train([a.spec, b.spec]);
  const compared = compareMetrics(
    a.spec.data,
    [a.name, await meanOverLevels(lab, a.spec, question.metric, among)],
    [b.name, await meanOverLevels(lab, b.spec, question.metric, among)],
    question,
  );
  return { ...compared, costs: await costRatios(lab, a.spec, b.spec) };
}
