/** Whether three composing tiers can be trained at all. */
import type { Claim } from '../claim.ts';
import { compareMetrics, compareSides, compareWithCurve, type Question } from '../compare.ts';
import { constants } from '../derived.ts';
import { verdictOf, type Comparison } from '../judge.ts';
import { compositional, topk, topkCurve } from '../recipes.ts';
import { flatOfEqualParameters } from '../sizes.ts';
import { openIn, show } from '../words.ts';

const METRICS = [
  { what: 'variance explained', metric: 'core.variance_explained' },
  { what: 'CE score', metric: 'core.ce_loss_score' },
] as const;

export const compRedesign: Claim = {
  id: 'comp-redesign',
  paper: 'compositional',
  statement: 'Three composing tiers can be trained, and reconstruct.',
  published: 'no result',
  protocol:
    'The stable form (inputs normalised, every tier sees x beside the tier below, top-k per tier, cumulative losses) on W and S, 3 seeds, ' +
    'against topk at its total L0 (on a curve of four) and against topk of as many parameters.',
  rule: 'It trains in all seeds: variance explained and CE score above 0, those of the mean input and of zeros; the gap to topk is reported.',
  async test(lab) {
    const comparisons: Comparison[] = [];
    /** Of single seeds. */
    const failed: string[] = [];
    for (const data of lab.available('W', 'S')) {
      const spec = compositional(lab, data);
      const a = { name: 'compositional, stable', spec };
      const { k } = spec.keys as { k: number };
      const asLarge = {
        name: 'topk of as many parameters',
        spec: topk(lab, data, { width: await flatOfEqualParameters(lab, spec), k }),
      };
      await lab.train([spec, asLarge.spec, ...topkCurve(lab, data).specs]);
      for (const { what, metric } of METRICS) {
        const measured = await lab.metric(spec, metric);
        for (const { value } of measured)
          if (value !== null && value <= 0) failed.push(`${what} on ${data} ${show(value)}`);
        const question: Question = { what, metric, claimed: { is: 'higher' }, matching: 'total L0', decides: false };
        comparisons.push(
          compareMetrics(data, [a.name, measured], ['nothing learned', constants(0, measured, 'nothing learned')], {
            ...question,
            matching: 'nothing',
            decides: true,
          }),
          await compareWithCurve(lab, a, topkCurve(lab, data), 'core.l0_total', question),
          await compareSides(lab, a, asLarge, { ...question, matching: 'parameters' }),
        );
      }
    }
    const gaps = comparisons
      .filter(({ matching, what }) => matching === 'total L0' && what === 'variance explained')
      .map(
        ({ data, valueA, difference }) =>
          `${show(valueA)} on ${data} (${show(difference.value)} against topk at the same L0)`,
      );
    const mean = verdictOf(comparisons);
    return {
      // Every seed counts, not only their mean.
      verdict: failed.length > 0 && mean === 'holds' ? 'mixed' : mean,
      because:
        `${failed.length === 0 ? 'All seeds that could be measured end above 0' : `Not above 0 end single seeds: ${failed.join('; ')}`}. Variance explained: ${gaps.join(', ')}. That tiers can be trained says nothing about what composition is good ` +
        `for: a flat SAE of the same L0 is the yardstick.${openIn(comparisons)}`,
      comparisons,
    };
  },
};
