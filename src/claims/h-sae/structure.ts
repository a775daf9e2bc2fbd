/** Whether H-SAE gains by its structure, or by the capacity that comes with it. */
import type { Claim } from '../claim.ts';
import { compareWithCurve, type Question, type Side } from '../compare.ts';
import { verdictOf, type Comparison } from '../judge.ts';
import type { Lab } from '../lab.ts';
import type { Spec } from '../spec.ts';
import { FROZEN_PARENTS, hSae, topk, treeSae } from '../recipes.ts';
import { flatOfEqualParameters } from '../sizes.ts';
import { openIn, bothSides } from '../words.ts';
import { RECONSTRUCTION } from './recon.ts';

const CHILDREN = 8;
const TOKENS = 400_000;
/** Rate of the gated family: of 1e-3, 3e-3 and 6e-3 the one with the best training loss that keeps most latents alive. */
const RATE = 3e-3;

const VARIANTS = {
  'no gate': { rootInitFrac: 1, ...FROZEN_PARENTS },
  'random parents': FROZEN_PARENTS,
} as const;

export const hsaeStructure: Claim = {
  id: 'hsae-structure',
  paper: 'h-sae',
  statement: 'The gain comes from the structure, not from capacity.',
  published: 'not published; reviewers of the paper ask for it',
  protocol:
    `W, 400 000 tokens, 3 seeds. The parts of h-sae cannot be taken from it one by one, so a family with experts of full dimension: ` +
    `layers of n and ${CHILDREN}n latents, the second one gated by parents that are learned (tree-sae), against the same without a gate ` +
    '(all children of the root), with random parents that stay, and against a flat topk of equal parameters, each on a curve of four L0s. ' +
    'Then h-sae itself against the flat topk of equal parameters at its total L0, read off between k and 2k, which it lies between.',
  rule: 'The gated family is better than each of the three, and h-sae than its flat counterpart, in variance explained, at matched L0.',
  async test(lab) {
    const { width, l0, tokens } = lab.size('W');
    const n = Math.round(width / CHILDREN);
    const [above, below] = [Math.ceil(l0 / 2), Math.floor(l0 / 2)];
    const family = (second: number, keys: object = {}): Spec => ({
      ...treeSae(lab, 'W', {
        layers: [n, CHILDREN * n],
        k: [above, second],
        keys: { lr: RATE, standardize: false, ...keys },
      }),
      tokens: Math.min(tokens, TOKENS),
    });
    const gated: Side = { name: 'gated', spec: family(below) };
    const seconds = [0.25, 0.5, 0.75, 1].map((share) => Math.max(1, Math.round(share * below)));
    const flat = { name: 'topk (curve)', specs: flatCurve(lab, n, Math.min(tokens, TOKENS)) };
    const curves = [
      ...Object.entries(VARIANTS).map(([name, keys]) => ({ name, specs: seconds.map((k) => family(k, keys)) })),
      flat,
    ];
    const experts: Side = { name: 'h-sae', spec: hSae(lab, 'W') };
    const { k } = experts.spec.keys as { k: number };
    const large = await flatOfEqualParameters(lab, experts.spec);
    const asLarge = {
      name: 'topk of as many parameters (k … 2k)',
      specs: [k, 2 * k].map((active) => topk(lab, 'W', { width: large, k: active })),
    };
    await lab.train([gated.spec, ...curves.flatMap(({ specs }) => specs), experts.spec, ...asLarge.specs]);
    const comparisons: Comparison[] = [];
    for (const metric of RECONSTRUCTION) {
      const question: Question = {
        ...metric,
        claimed: { is: 'higher' },
        matching: 'total L0',
        decides: metric.what === 'variance explained',
      };
      for (const curve of curves)
        comparisons.push(await compareWithCurve(lab, gated, curve, 'core.l0_total', question));
      comparisons.push(await compareWithCurve(lab, experts, asLarge, 'core.l0_total', question));
    }
    const deciding = comparisons.filter(({ decides }) => decides);
    return {
      verdict: verdictOf(comparisons),
      because:
        `${deciding.map((one) => `${one.a} against ${one.b}: ${bothSides(one)}`).join('; ')}. A gate is a restriction: at equal L0 and ` +
        'parameters it can help reconstruction only by helping optimisation, and a gated latent is trained on the tokens of its parent ' +
        `alone.${openIn(comparisons)}`,
      comparisons,
    };
  },
};

/** As many latents, so as many parameters, as the gated family. */
function flatCurve(lab: Lab, n: number, tokens: number): Spec[] {
  const { l0 } = lab.size('W');
  return [0.5, 0.75, 1, 1.5].map((share) => ({
    ...topk(lab, 'W', { width: n + CHILDREN * n, k: Math.max(1, Math.round(share * l0)) }),
    tokens,
  }));
}
