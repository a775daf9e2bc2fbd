/** Sub-latents of H-SAE refine the concepts of their parents. */
import type { Claim } from '../claim.ts';
import { compareMetrics } from '../compare.ts';
import { nullOf } from '../derived.ts';
import { verdictOf } from '../judge.ts';
import { hSae } from '../recipes.ts';
import { openIn, show } from '../words.ts';

const BEYOND = 0.2;

export const hsaeRefine: Claim = {
  id: 'hsae-refine',
  paper: 'h-sae',
  statement: "A sub-latent refines its parent's concept.",
  published: 'examples',
  protocol:
    'W, 3 seeds: the concept of a latent is the one with the largest F1 of firing, chosen on half of the rows; share of the links of h-sae ' +
    "whose sub-latent's concept is a descendant of its parent's, against the same with sub-latents dealt anew among parents.",
  rule: `The share is above its null by ${BEYOND} or more.`,
  async test(lab) {
    const measured = await lab.metric(hSae(lab, 'W'), 'truth.refinement');
    const comparison = compareMetrics('W', ['h-sae', measured], ['dealt at random', nullOf(measured, 'shuffled')], {
      what: 'links that refine',
      claimed: { is: 'higher', by: BEYOND },
      matching: 'nothing',
    });
    const right = await lab.metric(hSae(lab, 'W'), 'truth.links_right');
    const besides = compareMetrics('W', ['h-sae', right], ['dealt at random', nullOf(right, 'shuffled')], {
      what: 'links between found concepts that are right',
      claimed: { is: 'higher' },
      matching: 'nothing',
      decides: false,
    });
    const comparisons = [comparison, besides];
    return {
      verdict: verdictOf(comparisons),
      because:
        `${show(comparison.valueA)} of the links lead to a concept below the parent's, ${show(comparison.valueB)} where sub-latents are dealt ` +
        'at random. A sub-latent fires only where its parent does, so that its best concept is the same as its parent’s or close to it ' +
        `by construction; only a strict descendant counts here.${openIn(comparisons)}`,
      comparisons,
    };
  },
};
