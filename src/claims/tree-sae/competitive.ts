/** Whether the hierarchy of Tree SAE costs anything elsewhere. */
import type { Claim } from '../claim.ts';
import { compareSides, compareWithCurve, type Side } from '../compare.ts';
import { verdictOf, type Comparison } from '../judge.ts';
import { topk, topkCurve, treeSae } from '../recipes.ts';
import { flatOfEqualFlops } from '../sizes.ts';
import { outcomesOf } from '../words.ts';

/** How much worse is not worse. */
const MARGIN = { explained: 0.005, ce: 0.01 };

export const treeCompetitive: Claim = {
  id: 'tree-competitive',
  paper: 'tree-sae',
  statement: 'Competitive with flat SAEs in everything else.',
  published:
    'variance explained .9926 (TopK) / .9951 (Tree), CE 3.939 / 3.901, absorption .216 / .166 at L0 32; autointerp ± .01',
  protocol:
    'tree-sae at half, once and one and a half times the L0 of the data, against topk at the same total L0 (interpolated on a curve of four ' +
    'L0s), same width and so as many parameters; absorption of known concepts on W at every L0, of first letters on S at the middle one. ' +
    'W and S, 3 seeds.',
  rule:
    'Variance explained and CE score are not worse (not lower by more than .005 and .01), and absorption is lower, wherever they are ' +
    'compared.',
  async test(lab) {
    const comparisons: Comparison[] = [];
    for (const data of lab.available('W', 'S')) {
      const { l0 } = lab.size(data);
      const trees = [0.5, 1, 1.5].map((factor): Side => {
        const k = Math.round(factor * l0);
        const below = Math.max(1, Math.round(k / 5));
        // The middle one is the run of the other claims.
        return {
          name: `tree-sae, L0 ${k}`,
          spec: factor === 1 ? treeSae(lab, data) : treeSae(lab, data, { k: [k - below, below] }),
        };
      });
      const curve = topkCurve(lab, data);
      await lab.train([...trees.map(({ spec }) => spec), ...curve.specs]);
      for (const tree of trees) {
        comparisons.push(
          await compareWithCurve(lab, tree, curve, 'core.l0_total', {
            what: 'variance explained',
            metric: 'core.variance_explained',
            claimed: { is: 'not lower', margin: MARGIN.explained },
            matching: 'total L0',
          }),
          await compareWithCurve(lab, tree, curve, 'core.l0_total', {
            what: 'CE score',
            metric: 'core.ce_loss_score',
            claimed: { is: 'not lower', margin: MARGIN.ce },
            matching: 'total L0',
          }),
        );
        if (data === 'W') {
          comparisons.push(
            await compareWithCurve(lab, tree, curve, 'core.l0_total', {
              what: 'absorption (concepts)',
              metric: 'absorption.truth_absorption_rate',
              claimed: { is: 'lower' },
              matching: 'total L0',
            }),
          );
        }
      }
      const [, middle] = trees;
      if (data === 'S') {
        comparisons.push(
          await compareSides(
            lab,
            middle,
            { name: 'topk', spec: topk(lab, data) },
            {
              what: 'absorption (first letters)',
              metric: 'absorption.absorption_full',
              claimed: { is: 'lower' },
              matching: 'total L0',
            },
          ),
        );
      }
      const width = await flatOfEqualFlops(lab, middle.spec);
      const asCheap = { name: `topk of as many encode FLOPs (${width} latents)`, spec: topk(lab, data, { width }) };
      comparisons.push(
        await compareSides(lab, middle, asCheap, {
          what: 'variance explained',
          metric: 'core.variance_explained',
          claimed: { is: 'not lower', margin: MARGIN.explained },
          matching: 'encode FLOPs',
          decides: false,
        }),
      );
    }
    return {
      verdict: verdictOf(comparisons),
      because:
        `${outcomesOf(comparisons)} A gated model of the same width and L0 is a restriction of topk: where it comes out ahead, training has ` +
        'to explain it (fewer dead latents, another loss), not what it can express.',
      comparisons,
    };
  },
};
