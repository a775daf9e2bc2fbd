/** Whether latents that cover others stand above them in meaning. */
import type { Claim } from '../claim.ts';
import { compareMetrics, meanOf } from '../compare.ts';
import { complement, constant } from '../derived.ts';
import { trainingFirings } from '../../evals/forest-of.ts';
import type { EvalContext } from '../../evals/context.ts';
import type { Metric } from '../../evals/metric.ts';
import { suites } from '../../evals/suites.ts';
import { extractForest } from '../../forest/extract.ts';
import { Forest } from '../../forest/forest.ts';
import { verdictOf, type Comparison } from '../judge.ts';
import { shorterOnBench, topk } from '../recipes.ts';
import { outcomesOf, show } from '../words.ts';

/** τ of the published extraction. */
const COVERED = 0.9;
const SUBSTANTIAL = 0.2;

/** What tells a false parent, by data. */
const JUDGES = {
  W: { what: 'parents that mean nothing above the child', suite: 'truth', metric: 'links_right' },
  B: { what: 'parents that mean nothing above the child', suite: 'truth', metric: 'links_right' },
  S: { what: 'pairs that are no hits', suite: 'hierarchy', metric: 'tree_hit_rate' },
} as const;

export const treeCoverage: Claim = {
  id: 'tree-coverage',
  paper: 'tree-sae',
  statement: 'Activation coverage alone is not enough: it finds false parents.',
  published: 'hit rates of pairs of flat SAEs that fire together at most .22',
  protocol:
    `Pairs of a flat topk with P(parent | child) ≥ ${COVERED} on training rows, the best parent of each child. Of those whose ends stand for ` +
    'different features, the share whose parent is not above the child, by the known concepts of W and the known tree of B; on S the share ' +
    'that is no hit by the rule of the paper (residual alignment). 3 seeds, 5 on B with half as many tokens.',
  rule: `The share of false pairs is above ${SUBSTANTIAL} (the whole interval).`,
  async test(lab) {
    const comparisons: Comparison[] = [];
    const found: string[] = [];
    for (const data of lab.available('W', 'B', 'S')) {
      const { what, suite, metric } = JUDGES[data];
      const [runs] = await lab.train([shorterOnBench(lab, topk(lab, data))]);
      const shares: Metric[] = [];
      const links: Metric[] = [];
      for (const run of runs) {
        const { share, pairs } = await lab.withRun(run, async (context) => {
          const forest = await coverageForest(context);
          const { metrics, skipped } = await suites[suite].measure({ ...context, forest });
          const right = metrics[metric] ?? missing(skipped[metric] ?? `the suite ${suite} has no ${metric}`);
          return { share: complement(right), pairs: right.n };
        });
        shares.push(share);
        links.push(constant(pairs, share, 'pairs that could be judged'));
      }
      const limit = shares.map((share) => constant(SUBSTANTIAL, share, 'the limit of the claim'));
      comparisons.push(
        compareMetrics(data, [`topk, coverage ≥ ${COVERED}`, shares], [`the limit ${SUBSTANTIAL}`, limit], {
          what,
          claimed: { is: 'higher' },
          matching: 'nothing',
        }),
      );
      found.push(`${show(meanOf(shares))} of some ${show(meanOf(links))} on ${data}`);
    }
    return {
      verdict: verdictOf(comparisons),
      because:
        `False are ${found.join(', ')}. ${outcomesOf(comparisons)} Pairs with an end that stands for no feature are left out, and extraction ` +
        'already drops parents of very many children: among all pairs that fire together there are more false ones.',
      comparisons,
    };
  },
};

/** The forest of a flat SAE by coverage at the published threshold. */
async function coverageForest(context: EvalContext): Promise<Forest> {
  const { parent } = extractForest(await trainingFirings(context), { method: 'coverage', threshold: COVERED });
  return new Forest(parent);
}

const missing = (insufficient: string): Metric => ({
  value: null,
  low: null,
  high: null,
  n: 0,
  unit: '',
  definition: insufficient,
  insufficient,
});
