/** Whether H-SAE's gain is there in other models and layers. */
import type { Claim, Verdict } from '../claim.ts';
import { compareSides } from '../compare.ts';
import type { Comparison } from '../judge.ts';
import type { Lab, Spec } from '../lab.ts';
import { hSae, topk } from '../recipes.ts';
import type { DataName } from '../scales.ts';
import { RECONSTRUCTION } from './recon.ts';

/** Name of a further language model on the text of S. */
export const FURTHER = 'further';

const TOKENS = 200_000;
const SHARE = 0.8;

interface Place {
  readonly data: DataName;
  readonly text?: string;
  readonly layers: readonly number[];
}

export const hsaeModels: Claim = {
  id: 'hsae-models',
  paper: 'h-sae',
  statement: 'The gain generalises across models and layers.',
  published: 'not published; reviewers of the paper ask for it',
  protocol:
    'hsae-recon at equal top width and k after three blocks each of W (0, 1, 2), S (1, 2, 4) and a further model on the text of S (1, 2, 3; ' +
    '--further-model, for example stories260k), 200 000 tokens, 3 seeds: two metrics per cell.',
  rule: `h-sae is better in at least ${SHARE * 100} % of the cells, by differences whose interval excludes 0.`,
  async test(lab) {
    const comparisons: Comparison[] = [];
    for (const place of placesOf(lab)) {
      for (const layer of place.layers) comparisons.push(...(await cell(lab, place, layer)));
    }
    const defined = comparisons.filter(({ outcome }) => outcome !== 'undefined');
    const better = defined.filter(({ outcome }) => outcome === 'as claimed').length;
    const sameSign = defined.filter(({ difference }) => (difference.value ?? 0) > 0).length;
    const worse = defined.filter(({ outcome }) => outcome === 'opposite').length;
    const missing = lab.hasText(FURTHER) ? '' : ' No further model was given.';
    return {
      verdict: verdictFor(better, worse, defined.length),
      because:
        `h-sae is better in ${better} of ${defined.length} cells, worse in ${worse}; the mean difference is above 0 in ${sameSign}. What ` +
        `hsae-recon says of this matching holds for every cell: h-sae has twice the L0 and several times the parameters.${missing}`,
      comparisons,
    };
  },
};

/** By the share of cells, and not by all or none: the rule of this claim. */
export function verdictFor(better: number, worse: number, cells: number): Verdict {
  if (cells === 0) return 'not testable here';
  if (better >= SHARE * cells) return 'holds';
  return better === 0 || worse >= SHARE * cells ? 'does not hold' : 'mixed';
}

function placesOf(lab: Lab): Place[] {
  const layers = { W: [0, 1, 2], S: [1, 2, 4] };
  const places: Place[] = lab.available('W', 'S').map((data) => ({ data, layers: layers[data] }));
  return lab.hasText(FURTHER) ? [...places, { data: 'S', text: FURTHER, layers: [1, 2, 3] }] : places;
}

async function cell(lab: Lab, { data, text }: Place, layer: number): Promise<Comparison[]> {
  const tokens = Math.min(lab.size(data).tokens, TOKENS);
  const here = (spec: Spec): Spec => ({ ...spec, tokens, layer, ...(text !== undefined && { text }) });
  const spec = hSae(lab, data);
  const { width, k } = spec.keys as { width: number; k: number };
  const where = `${text === undefined ? '' : 'further model, '}block ${layer}`;
  const a = { name: 'h-sae', spec: here(spec) };
  const b = { name: 'topk of the top width and k', spec: here(topk(lab, data, { width, k })) };
  await lab.train([a.spec, b.spec]);
  const comparisons: Comparison[] = [];
  for (const { what, metric } of RECONSTRUCTION) {
    comparisons.push(
      await compareSides(lab, a, b, {
        what: `${what}, ${where}`,
        metric,
        claimed: { is: 'higher' },
        matching: 'top width and k',
      }),
    );
  }
  return comparisons;
}
