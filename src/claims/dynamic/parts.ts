/** What each part of dynamic sparsity does. */
import type { Claim } from '../claim.ts';
import { compareWithCurve, type Question } from '../compare.ts';
import { verdictOf, type Comparison } from '../judge.ts';
import type { Lab } from '../lab.ts';
import type { Spec } from '../spec.ts';
import { dynamicSparse, FINAL_LAMBDA } from '../recipes.ts';
import { openIn, show } from '../words.ts';

const TOKENS = 400_000;
/** Steps between looks at usage and duplicates: half the published number, for a run that is half as long as the others. */
const WINDOW = 50;
/** Curves along the L0 of the whole method, in its λ. */
const FACTORS = [0.5, 1, 2, 4];

const NO_RESAMPLING = { minUsage: 0 };
const NO_CLUSTERING = { mergeAbove: 1 };
const NO_ALPHA = { alphaMin: 1, alphaMax: 1 };

/** What is set otherwise where a part is left out; keys may depend on λ_T. */
const ABLATIONS: readonly { readonly part: string; readonly keys: (lambda: number) => object }[] = [
  { part: 'schedule', keys: (lambda) => ({ lambda0: lambda }) },
  { part: 'resampling', keys: () => NO_RESAMPLING },
  { part: 'adaptive α', keys: () => NO_ALPHA },
  { part: 'clustering', keys: () => NO_CLUSTERING },
  {
    part: 'all four parts',
    keys: (lambda) => ({ lambda0: lambda, ...NO_RESAMPLING, ...NO_ALPHA, ...NO_CLUSTERING }),
  },
];

const METRICS = [
  { what: 'variance explained', metric: 'core.variance_explained' },
  { what: 'CE score', metric: 'core.ce_loss_score' },
] as const;

export const dynamicParts: Claim = {
  id: 'dynamic-parts',
  paper: 'dynamic',
  statement: 'Schedule, resampling, adaptive α and clustering each help.',
  published:
    'variance explained 82.4 (none), 91.8 (schedule alone), 90.2 (with resampling), 90.2 (with α); no row for clustering',
  protocol:
    'W, 400 000 tokens, 3 seeds: the sparse form of the method (λ from 4 λ_T down to λ_T) against itself without one part, and without all ' +
    'four, each on a curve of four λ_T so that L0 is that of the whole method. Without the schedule λ is λ_T throughout.',
  rule: 'With each part variance explained is higher at equal L0; every effect is given with its interval.',
  async test(lab) {
    const whole = { name: 'all parts', spec: sparse(lab, FINAL_LAMBDA.W) };
    const curves = ABLATIONS.map(({ part, keys }) => ({
      name: `without ${part}`,
      specs: FACTORS.map((factor) => factor * FINAL_LAMBDA.W).map((lambda) => sparse(lab, lambda, keys(lambda))),
    }));
    await lab.train([whole.spec, ...curves.flatMap(({ specs }) => specs)]);
    const comparisons: Comparison[] = [];
    for (const { what, metric } of METRICS) {
      for (const curve of curves) {
        const question: Question = {
          what,
          metric,
          claimed: { is: 'higher' },
          matching: 'total L0',
          decides: what === 'variance explained' && curve.name !== 'without all four parts',
        };
        comparisons.push(await compareWithCurve(lab, whole, curve, 'core.l0_total', question));
      }
    }
    const effects = comparisons
      .filter(({ what }) => what === 'variance explained')
      .map(({ b, difference: { value, low, high } }) => `${b} ${show(value)} (${show(low)} … ${show(high)})`);
    return {
      verdict: verdictOf(comparisons),
      because:
        `Variance explained of the whole method minus that ${effects.join('; ')}, at equal L0. In the published table the schedule alone is ` +
        `best, so that the other parts take away from it.${openIn(comparisons)}`,
      comparisons,
    };
  },
};

function sparse(lab: Lab, lambda: number, keys: object = {}): Spec {
  return {
    ...dynamicSparse(lab, 'W', lambda, { window: WINDOW, ...keys }),
    tokens: Math.min(lab.size('W').tokens, TOKENS),
  };
}
