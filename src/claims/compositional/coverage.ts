/** Whether higher tiers of the compositional model compose lower ones. */
import type { Claim } from '../claim.ts';
import { compareMetrics } from '../compare.ts';
import { chance } from '../derived.ts';
import { verdictOf, type Comparison } from '../judge.ts';
import type { Lab } from '../lab.ts';
import type { Spec } from '../spec.ts';
import { compositional } from '../recipes.ts';
import { openIn, show } from '../words.ts';
import type { Metric } from '../../evals/metric.ts';
import { compositionCoverage } from './composition.ts';

export const compCoverage: Claim = {
  id: 'comp-coverage',
  paper: 'compositional',
  statement: 'Higher tiers compose lower ones.',
  published:
    '"78.5 % higher composition coverage"; the ratio is not defined, the number is that of a failed run (comp-abstract)',
  protocol:
    'Stable form on W and S, 3 seeds: share of the active latents of tiers 2 and 3 that get at least half of their positive input from the ' +
    'tier below, against the same with the latents of the tier below dealt anew at random (the 97.5 % quantile of 20 draws).',
  rule: 'The share is above its null in both tiers.',
  async test(lab) {
    const comparisons: Comparison[] = [];
    for (const data of lab.available('W', 'S')) {
      const perTier = await coverage(lab, compositional(lab, data));
      for (const [i, measured] of perTier.entries()) {
        comparisons.push(
          compareMetrics(
            data,
            [`tier ${i + 2}`, measured],
            ['tiers shuffled', measured.map((one) => chance(one, 'shuffled', 'high'))],
            {
              what: 'composition coverage',
              claimed: { is: 'higher' },
              matching: 'nothing',
            },
          ),
        );
      }
    }
    const shares = comparisons.map(
      ({ a, data, valueA, valueB }) => `${a} on ${data} ${show(valueA)} (shuffled ${show(valueB)})`,
    );
    return {
      verdict: verdictOf(comparisons),
      because:
        `Coverage: ${shares.join(', ')}. Every tier sees the input beside the tier below, so it need not compose; a share above the null says ` +
        `that some of its latents do, and its size how few or many.${openIn(comparisons)}`,
      comparisons,
    };
  },
};

/** @returns for tiers 2 and 3 one metric per seed */
async function coverage(lab: Lab, spec: Spec): Promise<Metric[][]> {
  const [runs] = await lab.train([spec]);
  const bySeed: Metric[][] = [];
  for (const run of runs) bySeed.push(await lab.withRun(run, (context, { sae }) => compositionCoverage(context, sae)));
  return [0, 1].map((tier) => bySeed.map((metrics) => metrics[tier]));
}
