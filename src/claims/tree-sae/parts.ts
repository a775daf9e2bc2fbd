/** Which parts of Tree SAE make the hierarchy: the gate, the losses of prefixes, the reallocation of dead children. */
import type { Claim, Table } from '../claim.ts';
import { compareSides, meanOf, type Side } from '../compare.ts';
import { verdictOf, type Comparison } from '../judge.ts';
import type { Lab } from '../lab.ts';
import { FROZEN_PARENTS, treeSae } from '../recipes.ts';
import { outcomesOf } from '../words.ts';

const ABLATED = { matching: 'all but the ablated part' } as const;
const AMONG_ACTIVE = {
  what: 'hierarchical pairs among those that fire together',
  metric: 'hierarchy.tree_hit_rate_mcs',
} as const;
const OWN_LINKS = { what: 'hierarchical pairs (hit rule)', metric: 'hierarchy.tree_hit_rate' } as const;

const variant = (lab: Lab, name: string, keys: object = {}): Side => ({ name, spec: treeSae(lab, 'W', { keys }) });

export const treeBoth: Claim = {
  id: 'tree-both',
  paper: 'tree-sae',
  statement: 'Both conditions are needed: the gate (coverage) and the cumulative losses (residual alignment).',
  published: 'no figure',
  protocol:
    'tree-sae on W with both; without the gate (every latent at the root, so that layers only differ in their losses); with the loss of the ' +
    'whole reconstruction alone. Without a gate there are no links, so all are scored by the hit rule on pairs that fire together; and by their own links where ' +
    'both have them (added after the first run, in which few pairs that fire together were hits in any of the three). 3 seeds, same stream, L0, parameters.',
  rule: 'The share of hierarchical pairs drops with either, by each score.',
  async test(lab) {
    const both = variant(lab, 'both');
    const gateless = variant(lab, 'without gate', { rootInitFrac: 1, ...FROZEN_PARENTS });
    const lastLoss = variant(lab, 'without cumulative losses', { cumulative: false });
    await lab.train([both, gateless, lastLoss].map(({ spec }) => spec));
    const question = { claimed: { is: 'higher' }, ...ABLATED } as const;
    const comparisons = [
      await compareSides(lab, both, gateless, { ...AMONG_ACTIVE, ...question }),
      await compareSides(lab, both, lastLoss, { ...AMONG_ACTIVE, ...question }),
      await compareSides(lab, both, lastLoss, { ...OWN_LINKS, ...question }),
      await compareSides(lab, both, lastLoss, {
        what: 'links whose best features are above and below',
        metric: 'truth.refinement',
        ...question,
        decides: false,
      }),
    ];
    return {
      verdict: verdictOf(comparisons),
      because:
        `${outcomesOf(comparisons)} Coverage of linked pairs is 1 by construction wherever there is a gate, so the score of pairs that fire ` +
        'together favours gated models.',
      comparisons,
      tables: [await aliveTable(lab, [both, gateless, lastLoss])],
    };
  },
};

export const treeRealloc: Claim = {
  id: 'tree-realloc',
  paper: 'tree-sae',
  statement: 'Reallocation revives dead children and finds better parents.',
  published: 'text only',
  protocol:
    'tree-sae on W with reallocation at the published steps, scaled to the length of the run; with the random parents of the start for good; ' +
    'and with reallocation but without the last reset to the root. 3 seeds, same stream, L0, parameters.',
  rule: 'Fewer dead latents and a higher share of hierarchical links than with frozen parents.',
  async test(lab) {
    const moving = variant(lab, 'with reallocation');
    const frozen = variant(lab, 'frozen parents', FROZEN_PARENTS);
    const noReset = variant(lab, 'without root reset', { rootReset: 'never' });
    await lab.train([moving, frozen, noReset].map(({ spec }) => spec));
    const comparisons: Comparison[] = [];
    for (const [other, decides] of [
      [frozen, true],
      [noReset, false],
    ] as const) {
      comparisons.push(
        await compareSides(lab, moving, other, {
          what: 'dead latents',
          metric: 'core.dead_fraction',
          claimed: { is: 'lower' },
          ...ABLATED,
          decides,
        }),
        await compareSides(lab, moving, other, { ...OWN_LINKS, claimed: { is: 'higher' }, ...ABLATED, decides }),
        await compareSides(lab, moving, other, {
          what: 'links whose best features are above and below',
          metric: 'truth.refinement',
          claimed: { is: 'higher' },
          ...ABLATED,
          decides: false,
        }),
      );
    }
    return {
      verdict: verdictOf(comparisons),
      because:
        `${outcomesOf(comparisons)} A child under a random parent learns what it can within its gate, so that frozen parents come to fit ` +
        'their children too. Some of the children that are revived are so by the root reset, after which they have no parent.',
      comparisons,
      tables: [await aliveTable(lab, [moving, frozen, noReset])],
    };
  },
};

async function aliveTable(lab: Lab, sides: readonly Side[]): Promise<Table> {
  const rows: (string | number | null)[][] = [];
  for (const { name, spec } of sides) {
    const row: (string | number | null)[] = [name];
    for (const metric of [
      'core.l0_total',
      'core.dead_fraction',
      'core.variance_explained',
      'hierarchy.pairs',
    ] as const) {
      row.push(meanOf(await lab.metric(spec, metric)));
    }
    rows.push(row);
  }
  return { title: 'Means over seeds', columns: ['', 'L0', 'dead', 'variance explained', 'links'], rows };
}
