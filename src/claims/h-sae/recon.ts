/** H-SAE reconstructs better than a flat TopK SAE. */
import type { Claim } from '../claim.ts';
import { compareSides, compareWithCurve, type Question } from '../compare.ts';
import { verdictOf, type Comparison } from '../judge.ts';
import { flatOfEqualCost, hSae, topk, topkCurve } from '../recipes.ts';
import { openIn, show } from '../words.ts';

export const RECONSTRUCTION = [
  { what: 'variance explained', metric: 'core.variance_explained' },
  { what: 'CE score', metric: 'core.ce_loss_score' },
] as const;

export const hsaeRecon: Claim = {
  id: 'hsae-recon',
  paper: 'h-sae',
  statement: 'Better 1 − CE score and 1 − explained variance than a flat TopK SAE.',
  published: 'figures only (figure 3)',
  protocol:
    'h-sae with n top latents and k of them active against topk at the total L0 of h-sae (interpolated on a curve of four L0s). Beside it, ' +
    'against topk with width n and the same k, as published; and with 2k, the most that h-sae can have active, against the topk of as ' +
    'many parameters and that of as many encode FLOPs. W and S, 3 seeds, same stream.',
  rule: 'Variance explained and CE score are both higher at equal total L0; a gain at equal top width and k alone is reported as such.',
  async test(lab) {
    const comparisons: Comparison[] = [];
    for (const data of lab.available('W', 'S')) {
      const spec = hSae(lab, data);
      const { width, k } = spec.keys as { width: number; k: number };
      const a = { name: 'h-sae', spec };
      const sameTop = { name: 'topk of the top width and k', spec: topk(lab, data, { width, k }) };
      const asExpensive = await flatOfEqualCost(lab, spec);
      await lab.train([spec, sameTop.spec, ...topkCurve(lab, data).specs, ...asExpensive.map((flat) => flat.spec)]);
      for (const metric of RECONSTRUCTION) {
        const question: Question = { ...metric, claimed: { is: 'higher' }, matching: 'top width and k' };
        comparisons.push(
          await compareSides(lab, a, sameTop, { ...question, decides: false }),
          await compareWithCurve(lab, a, topkCurve(lab, data), 'core.l0_total', {
            ...question,
            matching: 'total L0',
          }),
        );
        for (const flat of asExpensive) {
          comparisons.push(await compareSides(lab, a, flat, { ...question, matching: flat.matching, decides: false }));
        }
      }
    }
    const under = (matching: Comparison['matching']): string =>
      comparisons
        .filter((one) => one.matching === matching && one.what === 'variance explained')
        .map(({ data, difference }) => `${show(difference.value)} on ${data}`)
        .join(', ');
    return {
      verdict: verdictOf(comparisons),
      because:
        'At equal top width and k h-sae has an active sub-latent beside every top latent, so twice the L0 and several times the ' +
        `parameters. Its gain in variance explained is ${under('top width and k')} there, ${under('total L0')} against topk of the same ` +
        `total L0, ${under('parameters')} against topk of as many parameters, and ${under('encode FLOPs')} at as many encode FLOPs.${openIn(comparisons)}`,
      comparisons,
    };
  },
};
