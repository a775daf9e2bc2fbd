/** Levels of `hsae-forest`, which reconstruct one by one. */
import type { Metric } from '../evals/metric.ts';
import { compareMetrics, type Question, type Side } from './compare.ts';
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

/** The mean over the levels, one metric per seed. */
export async function meanOverLevels(lab: Lab, spec: Spec, name: Question['metric']): Promise<Metric[]> {
  const levels = await ofLevels(lab, spec, name);
  return levels[0].map((_, s) =>
    meanMetric(
      levels.map((level) => level[s]),
      'the levels',
    ),
  );
}

/** Two forests of the same widths by the mean over their levels. */
export async function compareLevels(lab: Lab, a: Side, b: Side, question: Question): Promise<Comparison> {
  await lab.train([a.spec, b.spec]);
  const compared = compareMetrics(
    a.spec.data,
    [a.name, await meanOverLevels(lab, a.spec, question.metric)],
    [b.name, await meanOverLevels(lab, b.spec, question.metric)],
    question,
  );
  return { ...compared, costs: await costRatios(lab, a.spec, b.spec) };
}
