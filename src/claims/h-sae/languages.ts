/** H-SAE has fewer latents that stand for one concept in one language. */
import type { Claim } from '../claim.ts';
import { compareSides, type Question } from '../compare.ts';
import { verdictOf, type Comparison } from '../judge.ts';
import { flatOfEqualCost, hSae, topk } from '../recipes.ts';
import { openIn, bothSides } from '../words.ts';

/** The measure looks at the eight strongest latents of a token: so many have to be active. */
const LEAST_ACTIVE = 8;

const METRICS = [
  { what: 'symmetric difference of the top 8', metric: 'languages.symmetric_difference' },
  { what: 'redundant share', metric: 'languages.redundant_share' },
] as const;

export const hsaeLanguages: Claim = {
  id: 'hsae-languages',
  paper: 'h-sae',
  statement: 'Fewer redundant features across languages.',
  published: 'English–French 8.448 against 9.772 (range 0–16)',
  protocol:
    'Parallel text of W in its three languages, 3 seeds, h-sae and topk with equal top width and k = 8: symmetric difference of the eight ' +
    'strongest latents at the last token of a sentence and its translation, for the top level as published; share of the latents of one ' +
    'language whose concept has latents in others. Beside it h-sae with its sub-latents against topk with 2k active latents, of the same width, of as many parameters and of as many encode FLOPs.',
  rule: 'Both are lower.',
  async test(lab) {
    const { width, l0 } = lab.size('W');
    const [n, k] = [Math.round(width / 2), Math.max(LEAST_ACTIVE, Math.round(l0 / 2))];
    const spec = hSae(lab, 'W', { width: n, k });
    const top = { name: 'h-sae, top level', spec, view: 'top' };
    const flat = { name: 'topk', spec: topk(lab, 'W', { width: n, k }) };
    const atTotal = { name: 'topk with 2k', spec: topk(lab, 'W', { width: n, k: 2 * k }) };
    const asExpensive = await flatOfEqualCost(lab, spec);
    await lab.train([spec, flat.spec, atTotal.spec, ...asExpensive.map((one) => one.spec)]);
    const comparisons: Comparison[] = [];
    for (const metric of METRICS) {
      const question: Question = { ...metric, claimed: { is: 'lower' }, matching: 'top width and k' };
      comparisons.push(await compareSides(lab, top, flat, question));
      for (const other of [{ ...atTotal, matching: 'total L0' } as const, ...asExpensive]) {
        const { matching } = other;
        const both = { name: 'h-sae, both levels', spec };
        comparisons.push(await compareSides(lab, both, other, { ...question, matching, decides: false }));
      }
    }
    const deciding = comparisons.filter(({ decides }) => decides);
    return {
      verdict: verdictOf(comparisons),
      because:
        `Top level against topk: ${deciding.map(bothSides).join('; ')}. The languages of the world share their meanings and no words, ` +
        `borrowed ones aside; natural languages share more.${openIn(comparisons)}`,
      comparisons,
    };
  },
};
