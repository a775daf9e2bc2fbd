/**
 * The suite `absorption`: whether latents for general things stay silent where latents for special things have taken them over, and
 * into how many latents one thing is split. Words whose spelling tells the answer are one way to see it (SAEBench), a known truth another.
 */
import { TRUTH_METRICS, truthAbsorption } from './absorption/truth-absorption.ts';
import { truthDirectionsOf } from './absorption/truth-directions.ts';
import type { EvalContext } from './context.ts';
import type { Metrics, SuiteResult } from './metric.ts';
import { truthRowsOf } from './truth-source.ts';

export async function evaluateAbsorption(context: EvalContext): Promise<SuiteResult> {
  const views = new Map<string, Metrics>(context.sae.views.map(({ name }) => [name, {}]));
  const skipped: Record<string, string> = {};
  const truth = await truthRowsOf(context);
  if (typeof truth === 'string') for (const name of TRUTH_METRICS) skipped[name] = truth;
  else {
    const measured = await truthAbsorption(context, truth, await truthDirectionsOf(context));
    for (const [name, metrics] of measured) Object.assign(views.get(name)!, metrics);
  }
  const { full, ...others } = Object.fromEntries(views);
  return { metrics: full, views: others, skipped };
}
