/** H-SAE reconstructs better than a flat TopK SAE. */
import type { Claim } from '../claim.ts';
import { compareSides, compareWithCurve, type Question } from '../compare.ts';
import { verdictOf, type Comparison } from '../judge.ts';
import { hSae, topk, topkCurve } from '../recipes.ts';
import { flatOfEqualParameters } from '../sizes.ts';

const METRICS = [
  { what: 'variance explained', metric: 'core.variance_explained' },
  { what: 'CE score', metric: 'core.ce_loss_score' },
] as const;

export const hsaeRecon: Claim = {
  id: 'hsae-recon',
  paper: 'h-sae',
  statement: 'Better 1 − CE score and 1 − explained variance than a flat TopK SAE.',
  published: 'figures only (figure 3)',
  protocol:
    'h-sae with n top latents and k of them active against topk with width n and the same k; then against topk at the total L0 of ' +
    'h-sae (interpolated on a curve of four L0s); then against the topk of as many parameters at that k. W and S, 3 seeds, same stream.',
  rule: 'Variance explained and CE score are both higher at equal top width and k.',
  async test(lab) {
    const comparisons: Comparison[] = [];
    for (const data of lab.available('W', 'S')) {
      const spec = hSae(lab, data);
      const { width, k } = spec.keys as { width: number; k: number };
      const a = { name: 'h-sae', spec };
      const sameTop = { name: 'topk of the top width and k', spec: topk(lab, data, { width, k }) };
      const asLarge = {
        name: 'topk of as many parameters',
        spec: topk(lab, data, { width: await flatOfEqualParameters(lab, spec), k: 2 * k }),
      };
      for (const metric of METRICS) {
        const question: Question = { ...metric, claimed: { is: 'higher' }, matching: 'top width and k' };
        comparisons.push(
          await compareSides(lab, a, sameTop, question),
          await compareWithCurve(lab, a, topkCurve(lab, data), 'core.l0_total', {
            ...question,
            matching: 'total L0',
            decides: false,
          }),
          await compareSides(lab, a, asLarge, { ...question, matching: 'parameters', decides: false }),
        );
      }
    }
    return {
      verdict: verdictOf(comparisons),
      because:
        'At equal top width and k h-sae has an active sub-latent beside every top latent, so twice the L0 and several times the ' +
        'parameters: the other two matchings say what remains of the gain without them.',
      comparisons,
    };
  },
};
