/** The top level of H-SAE absorbs less than a flat SAE, and less so the wider it is. */
import type { Claim } from '../claim.ts';
import { compareMetrics, compareSides, type Question, type Side } from '../compare.ts';
import { derive } from '../derived.ts';
import { verdictOf, type Comparison } from '../judge.ts';
import type { Lab } from '../lab.ts';
import { flatOfEqualCost, hSae, topk } from '../recipes.ts';
import type { DataName } from '../scales.ts';
import { openIn, show, bothSides } from '../words.ts';
import type { Metric } from '../../evals/metric.ts';
import { WIDTHS } from './compute.ts';

/** Against the truth on W, by first letters or word properties on S. */
export const ABSORPTION = { W: 'absorption.truth_absorption_rate', S: 'absorption.absorption_full' } as const;

export const hsaeAbsorption: Claim = {
  id: 'hsae-absorption',
  paper: 'h-sae',
  statement: 'Less absorption than a flat SAE, growing more slowly with width.',
  published: 'a figure only (figure 5a)',
  protocol:
    'Top level of h-sae (as published, sub-latents left out) against topk of the same width and k at three widths (× 1, 2, 4), 3 seeds: ' +
    'absorption against the known concepts on W, of first letters (word properties in small vocabularies) on S; slope = rate at the ' +
    'largest width − rate at the smallest. On W k is twice that of other claims, with which most concepts have no latent and the rate is ' +
    'undefined. Beside it, at the middle width, topk with 2k active latents, the most that h-sae can have, of the same width, of as many parameters and ' +
    'of as many encode FLOPs, and the variance that the top level explains by itself.',
  rule: 'The rate is lower at every width, and the slope is smaller.',
  async test(lab) {
    const comparisons: Comparison[] = [];
    const trends: string[] = [];
    const prices: string[] = [];
    for (const data of lab.available('W', 'S')) {
      const pairs = WIDTHS.map((share) => pairAt(lab, data, Math.round(share * lab.size(data).width)));
      const middle = pairs[1];
      const asExpensive = await flatOfEqualCost(lab, middle.a.spec);
      await lab.train([
        ...pairs.flatMap(({ a, b }) => [a.spec, b.spec]),
        middle.atTotal.spec,
        ...asExpensive.map(({ spec }) => spec),
      ]);
      const question: Question = {
        what: 'absorption',
        metric: ABSORPTION[data],
        claimed: { is: 'lower' },
        matching: 'top width and k',
      };
      for (const { width, a, b } of pairs) {
        comparisons.push(await compareSides(lab, a, b, { ...question, what: `absorption, width ${width}` }));
      }
      for (const flat of [{ ...middle.atTotal, matching: 'total L0' } as const, ...asExpensive]) {
        comparisons.push(
          await compareSides(lab, middle.a, flat, {
            ...question,
            what: `absorption, width ${middle.width}`,
            matching: flat.matching,
            decides: false,
          }),
        );
      }
      const alone = await compareSides(lab, middle.a, middle.b, {
        ...question,
        what: `variance explained, width ${middle.width}`,
        metric: 'core.variance_explained',
        claimed: { is: 'not lower', margin: 0 },
        decides: false,
      });
      comparisons.push(alone);
      prices.push(bothSides(alone));
      const [ofA, ofB] = [
        await slopes(
          lab,
          pairs.map(({ a }) => a),
          ABSORPTION[data],
        ),
        await slopes(
          lab,
          pairs.map(({ b }) => b),
          ABSORPTION[data],
        ),
      ];
      const slope = compareMetrics(data, ['h-sae, top level', ofA], ['topk', ofB], {
        ...question,
        what: 'slope of absorption',
      });
      comparisons.push(slope);
      trends.push(`${show(slope.valueA)} against ${show(slope.valueB)} on ${data}`);
    }
    return {
      verdict: verdictOf(comparisons),
      because:
        `From the smallest to the largest width the rate changes by ${trends.join(', ')} (top level of h-sae against topk). The top level ` +
        'is trained to leave a part of every input to the sub-latents, and a lower rate may be bought with a worse reconstruction of its ' +
        `own: ${prices.join('; ')}.${openIn(comparisons)}`,
      comparisons,
    };
  },
};

function pairAt(lab: Lab, data: DataName, width: number): { width: number; a: Side; b: Side; atTotal: Side } {
  const { l0 } = lab.size(data);
  const k = data === 'W' ? l0 : Math.round(l0 / 2);
  const spec = hSae(lab, data, { width, k });
  return {
    width,
    a: { name: 'h-sae, top level', spec, view: 'top' },
    b: { name: 'topk', spec: topk(lab, data, { width, k }) },
    atTotal: { name: 'topk with 2k', spec: topk(lab, data, { width, k: 2 * k }) },
  };
}

/** Last minus first, seed by seed. */
async function slopes(lab: Lab, sides: readonly Side[], metric: Question['metric']): Promise<Metric[]> {
  const [first, last] = [sides[0], sides.at(-1)!];
  const low = await lab.metric(first.spec, metric, first.view);
  const high = await lab.metric(last.spec, metric, last.view);
  const definition = 'rate at the largest width − rate at the smallest';
  return high.map((one, s) => derive([one, low[s]], (x, y) => x - y, { unit: one.unit, definition }));
}
