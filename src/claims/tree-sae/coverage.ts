/** Whether latents that cover others stand above them in meaning. */
import type { Claim } from '../claim.ts';
import { compareMetrics, meanOf } from '../compare.ts';
import { complement, constant } from '../derived.ts';
import { trainingFirings } from '../../evals/forest-of.ts';
import type { EvalContext } from '../../evals/context.ts';
import type { Metric, SuiteResult } from '../../evals/metric.ts';
import { suites } from '../../evals/suites.ts';
import { extractForest } from '../../forest/extract.ts';
import { Forest } from '../../forest/forest.ts';
import { verdictOf, type Comparison } from '../judge.ts';
import { shorterOnBench, topk } from '../recipes.ts';
import { outcomesOf, show } from '../words.ts';

/** τ of the published extraction. */
const COVERED = 0.9;
const SUBSTANTIAL = 0.2;

interface Judge {
  readonly what: string;
  readonly suite: 'truth' | 'hierarchy';
  /** Share of right pairs. */
  readonly metric: string;
  readonly decides: boolean;
}

/**
 * What tells a false parent. Few latents of short trainings stand for a feature well enough for both ends of a pair to be found among
 * them: the feature that each end tells best decides, the stricter judgement stands beside it.
 */
const BY_TRUTH: readonly Judge[] = [
  { what: 'parents whose best feature is not above the child’s', suite: 'truth', metric: 'refinement', decides: true },
  {
    what: 'the same among latents that were found to stand for features',
    suite: 'truth',
    metric: 'links_right',
    decides: false,
  },
];
const BY_HITS: readonly Judge[] = [
  { what: 'pairs that are no hits', suite: 'hierarchy', metric: 'tree_hit_rate', decides: true },
];

export const treeCoverage: Claim = {
  id: 'tree-coverage',
  paper: 'tree-sae',
  statement: 'Activation coverage alone is not enough: it finds false parents.',
  published: 'hit rates of pairs of flat SAEs that fire together at most .22',
  protocol:
    `Pairs of a flat topk with P(parent | child) ≥ ${COVERED} on training rows, the best parent of each child. The share whose parent tells ` +
    'best a feature that is not above the one that the child tells best, by the known concepts of W and the known tree of B; on S the share ' +
    'that is no hit by the rule of the paper (residual alignment). 3 seeds, 5 on B with half as many tokens.',
  rule: `The share of false pairs is above ${SUBSTANTIAL} (the whole interval).`,
  async test(lab) {
    const comparisons: Comparison[] = [];
    const found: string[] = [];
    for (const data of lab.available('W', 'B', 'S')) {
      const judges = data === 'S' ? BY_HITS : BY_TRUTH;
      const [runs] = await lab.train([shorterOnBench(lab, topk(lab, data))]);
      const results: SuiteResult[] = [];
      for (const run of runs) {
        results.push(
          await lab.withRun(run, async (context) =>
            suites[judges[0].suite].measure({ ...context, forest: await coverageForest(context) }),
          ),
        );
      }
      for (const { what, metric, decides } of judges) {
        const shares = results.map(({ metrics, skipped }) =>
          complement(metrics[metric] ?? missing(skipped[metric] ?? `the suite has no ${metric}`)),
        );
        const limit = shares.map((share) => constant(SUBSTANTIAL, share, 'the limit of the claim'));
        comparisons.push(
          compareMetrics(data, [`topk, coverage ≥ ${COVERED}`, shares], [`the limit ${SUBSTANTIAL}`, limit], {
            what,
            claimed: { is: 'higher' },
            matching: 'nothing',
            decides,
          }),
        );
        const pairs = shares.map(({ n }) => n).join(', ');
        if (decides) found.push(`${show(meanOf(shares))} on ${data} (of ${pairs} pairs that could be judged, by seed)`);
      }
    }
    return {
      verdict: verdictOf(comparisons),
      because:
        `False are ${found.join(', ')}. ${outcomesOf(comparisons)} Extraction already drops parents of very many children: among all pairs ` +
        'that fire together there are more false ones. A latent that tells no feature well may be misnamed, so that the share by known ' +
        'features is an upper bound; it is undefined where there are fewer than five pairs.',
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
