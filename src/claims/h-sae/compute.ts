/** What H-SAE reconstructs for its price. */
import type { Claim } from '../claim.ts';
import { compareSides, compareWithCurve, type Question, type Side } from '../compare.ts';
import { verdictOf, type Comparison } from '../judge.ts';
import type { Lab } from '../lab.ts';
import { hSae, topk } from '../recipes.ts';
import type { DataName } from '../scales.ts';
import { say, sayDetectable } from '../words.ts';

/** "On or above": below by less than this share of the variance does not count. */
const MARGIN = 0.005;

/** Top widths, as shares of the scale's. */
export const WIDTHS = [0.25, 0.5, 1];

const at = (lab: Lab, data: DataName, share: number): number => Math.round(share * lab.size(data).width);

const sidesOf = (lab: Lab, data: DataName): Side[] => [
  ...WIDTHS.map((share) => {
    const width = at(lab, data, share);
    return { name: `h-sae, ${width} × 8 sub-latents`, spec: hSae(lab, data, { width }) };
  }),
  {
    name: `h-sae, ${at(lab, data, 0.5)} × 64 sub-latents`,
    spec: hSae(lab, data, { keys: { atoms: 64, subspace: 8 } }),
  },
];

export const hsaeCompute: Claim = {
  id: 'hsae-compute',
  paper: 'h-sae',
  statement:
    '64 sub-latents per expert do as well as a flat SAE of twice the top width, at about a quarter of its compute.',
  published: 'a figure only (figure 3)',
  protocol:
    'S (W where no model is given for S), 3 seeds: h-sae with 8 sub-latents per expert at three top widths (× 1, 2, 4) and with 64 at the ' +
    'middle one, against the front of flat topk SAEs of four widths (× 1, 2, 4, 8) with the same total L0, read off at the encode FLOPs ' +
    'per token, and at the measured encode time, of each h-sae; the flat SAE of twice the top width beside it.',
  rule: `Variance explained lies on or above the flat front (not more than ${MARGIN} below) at equal FLOPs and at equal time.`,
  async test(lab) {
    const [data = 'W'] = lab.available('S', 'W');
    const sides = sidesOf(lab, data);
    const { k } = hSae(lab, data).keys as { k: number };
    const flat = [...WIDTHS, 2].map((share) => topk(lab, data, { width: at(lab, data, share), k: 2 * k }));
    const front = { name: 'flat front', specs: flat };
    await lab.train([...sides.map(({ spec }) => spec), ...flat]);
    const question: Question = {
      what: 'variance explained',
      metric: 'core.variance_explained',
      claimed: { is: 'not lower', margin: MARGIN },
      matching: 'encode FLOPs',
    };
    const comparisons: Comparison[] = [];
    for (const side of sides) {
      comparisons.push(
        await compareWithCurve(lab, side, front, 'cost.flops_encode', question),
        await compareWithCurve(lab, side, front, 'cost.encode_ms', { ...question, matching: 'encode time' }),
      );
    }
    const wide = { name: 'topk of twice the top width', spec: flat[2] };
    const twice = await compareSides(lab, sides[3], wide, { ...question, matching: 'total L0', decides: false });
    comparisons.push(twice);
    const [flopsOfExperts] = await lab.metric(sides[3].spec, 'cost.flops_encode');
    const [flopsOfWide] = await lab.metric(wide.spec, 'cost.flops_encode');
    const share = (flopsOfExperts.value ?? NaN) / (flopsOfWide.value ?? NaN);
    return {
      verdict: verdictOf(comparisons),
      because:
        `The h-sae of 64 sub-latents encodes with ${say(share)} of the FLOPs of a flat SAE of twice its top width (the published sizes ` +
        `make it about half, and never less) and explains ${say(twice.difference.value)} more of the variance than it at equal total L0. ` +
        `The front is flat SAEs at that L0; their cheap members are cheap because a flat SAE can be small too.${sayDetectable(comparisons)}`,
      comparisons,
    };
  },
};
