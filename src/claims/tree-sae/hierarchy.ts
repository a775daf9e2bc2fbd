/** Whether the pairs that Tree SAE links are hierarchical, more of them than in dictionaries without a tree. */
import { compareWithNull } from '../against-null.ts';
import type { Claim } from '../claim.ts';
import { compareMetrics, compareSides, meanOf, type Side } from '../compare.ts';
import { verdictOf, type Comparison } from '../judge.ts';
import type { Lab } from '../lab.ts';
import { FROZEN_PARENTS, matchingPursuit, matryoshka, shorterOnBench, topk, treeSae } from '../recipes.ts';
import type { DataName } from '../scales.ts';
import { costRatios } from '../sizes.ts';
import { bothSides, outcomesOf, show } from '../words.ts';

/** Dictionaries of the same width and L0 without links of their own: the ones of the paper. */
export function flatOf(lab: Lab, data: DataName, keys: { width?: number } = {}): Side[] {
  return [
    { name: 'topk', spec: topk(lab, data, keys) },
    { name: 'matryoshka', spec: matryoshka(lab, data, keys) },
    { name: 'matching-pursuit', spec: matchingPursuit(lab, data, keys) },
  ];
}

export const treeSide = (lab: Lab, data: DataName): Side => ({ name: 'tree-sae', spec: treeSae(lab, data) });

/** By its own links against the pairs that fire together most, which is how the paper scores dictionaries without links. */
export async function compareHits(
  lab: Lab,
  tree: Side,
  flat: Side,
  question: { decides?: boolean; matching?: 'total L0' | 'all but the ablated part' } = {},
): Promise<Comparison> {
  const compared = compareMetrics(
    tree.spec.data,
    [`${tree.name}, its links`, await lab.metric(tree.spec, 'hierarchy.tree_hit_rate')],
    [`${flat.name}, pairs that fire together`, await lab.metric(flat.spec, 'hierarchy.tree_hit_rate_mcs')],
    {
      what: 'hierarchical pairs (hit rule)',
      claimed: { is: 'higher' },
      matching: question.matching ?? 'total L0',
      ...(question.decides !== undefined && { decides: question.decides }),
    },
  );
  return { ...compared, costs: await costRatios(lab, tree.spec, flat.spec) };
}

/** Links between latents that were found to stand for features are few in short trainings: so all links, by the best feature of each end, too. */
const BY_TRUTH = [
  { what: 'right links', metric: 'truth.links_right' },
  { what: 'links whose best features are above and below', metric: 'truth.refinement' },
] as const;

/** What the gate alone does to the scores: every child stays under the parent that it was given at random before training. */
async function againstRandomParents(lab: Lab, tree: Side): Promise<Comparison[]> {
  const random = {
    name: 'tree-sae, frozen random parents',
    spec: treeSae(lab, tree.spec.data, { keys: FROZEN_PARENTS }),
  };
  await lab.train([random.spec]);
  const question = { claimed: { is: 'higher' }, matching: 'all but the ablated part', decides: false } as const;
  const scores = [
    { what: 'hierarchical pairs (hit rule)', metric: 'hierarchy.tree_hit_rate' },
    { what: 'residual alignment', metric: 'hierarchy.residual_alignment' },
    ...BY_TRUTH,
  ] as const;
  const comparisons: Comparison[] = [];
  for (const score of scores) comparisons.push(await compareSides(lab, tree, random, { ...score, ...question }));
  return comparisons;
}

export const treeHierarchy: Claim = {
  id: 'tree-hierarchy',
  paper: 'tree-sae',
  statement: 'Far more true hierarchical pairs than any existing SAE.',
  published: '.58–.88 of the pairs against at most .22 (TopK, Matryoshka, matching pursuit)',
  protocol:
    "The paper's hit rule (parent and child among the five latents nearest to a probe for the child) for the links of tree-sae against " +
    'pairs of topk, matryoshka and matching-pursuit that fire together, W and S; the share of right links by the known concepts (W) and the ' +
    'known tree (B), of flat SAEs with extracted forests, among latents found to stand for features and among all by their best features. Equal total L0 and width; parameters are then equal too. 3 seeds, 5 on B with half as many tokens. ' +
    'As a second protocol, on W: the same model with the random parents of the start for good, which shows how much of each score the gate alone brings about.',
  rule: 'Above every flat SAE, by the hit rule and by the truth; beyond both nulls by the hit rule, beyond shuffled links by the truth.',
  async test(lab) {
    const comparisons: Comparison[] = [];
    for (const data of lab.available('W', 'S', 'B')) {
      const shorter = (side: Side): Side => ({ ...side, spec: shorterOnBench(lab, side.spec) });
      const [tree, flat] = [shorter(treeSide(lab, data)), flatOf(lab, data).map(shorter)];
      await lab.train([tree, ...flat].map(({ spec }) => spec));
      if (data !== 'B') {
        for (const other of flat) comparisons.push(await compareHits(lab, tree, other));
        const hits = {
          what: 'hierarchical pairs (hit rule)',
          metric: 'hierarchy.tree_hit_rate',
          is: 'higher',
        } as const;
        comparisons.push(
          await compareWithNull(lab, tree, 'shuffled', hits),
          await compareWithNull(lab, tree, 'frequency_matched', hits),
        );
      }
      if (data === 'S') continue;
      for (const judge of BY_TRUTH) {
        for (const other of flat) {
          comparisons.push(
            await compareSides(lab, tree, other, { ...judge, claimed: { is: 'higher' }, matching: 'total L0' }),
          );
        }
        comparisons.push(await compareWithNull(lab, tree, 'shuffled', { ...judge, is: 'higher' }));
      }
    }
    const gate = await againstRandomParents(lab, treeSide(lab, 'W'));
    comparisons.push(...gate);
    const hits: string[] = [];
    for (const data of lab.available('W', 'S')) {
      const rate = meanOf(await lab.metric(treeSae(lab, data), 'hierarchy.tree_hit_rate'));
      hits.push(`${show(rate)} on ${data}`);
    }
    return {
      verdict: verdictOf(comparisons),
      because:
        `The hit rate of tree-sae is ${hits.join(', ')}. ${outcomesOf(comparisons)} How much of it the gate makes by itself, ` +
        `against random parents that were frozen before training: ${gate.map(bothSides).join('; ')}.`,
      comparisons,
    };
  },
};

export const treeScaling: Claim = {
  id: 'tree-scaling',
  paper: 'tree-sae',
  statement: 'The advantage in hierarchy holds across widths.',
  published: 'hit rate .68, .70, .51 at 6 144, 24 576 and 49 152 latents against .08–.19 (Matryoshka)',
  protocol:
    'Half, once and twice the width at the same total L0; tree-sae by its links against a flat topk of as many latents by the pairs that ' +
    'fire together, both by the hit rule. S (W where there is no model for it), half as many tokens for the outer widths, 3 seeds.',
  rule: 'Above the flat SAE at each of the three widths.',
  async test(lab) {
    const [data] = lab.available('S', 'W');
    const { width: base, tokens } = lab.size(data);
    const comparisons: Comparison[] = [];
    for (const width of [base / 2, base, 2 * base]) {
      // The one in the middle is that of tree-hierarchy.
      const length = width === base ? {} : { tokens: tokens / 2 };
      const above = Math.round(width / 4);
      const layers = [above, width - above];
      const tree = { name: `tree-sae, ${width} latents`, spec: { ...treeSae(lab, data, { layers }), ...length } };
      const [flat] = flatOf(lab, data, { width }).map(({ name, spec }) => ({ name, spec: { ...spec, ...length } }));
      await lab.train([tree.spec, flat.spec]);
      comparisons.push(await compareHits(lab, tree, flat));
    }
    return {
      verdict: verdictOf(comparisons),
      because:
        `${outcomesOf(comparisons)} The widths are those of small models on short trainings; whether it holds at the published ones is ` +
        'what --scale full asks.',
      comparisons,
    };
  },
};

export const treePursuit: Claim = {
  id: 'tree-mp',
  paper: 'tree-sae',
  statement: 'Matching pursuit reconstructs best and has no hierarchy.',
  published:
    'variance explained .9963 (Tree .9951, TopK .9926, Matryoshka .9921); hit rate at most .01 (Tree .74, TopK .17, Matryoshka .16)',
  protocol:
    'matching-pursuit against topk, matryoshka and tree-sae of the same width and L0: variance explained, and the hit rule on pairs that ' +
    'fire together. W and S, 3 seeds.',
  rule: 'The same order: matching pursuit is first in variance explained and last in hits.',
  async test(lab) {
    const comparisons: Comparison[] = [];
    for (const data of lab.available('W', 'S')) {
      const pursuit = { name: 'matching-pursuit', spec: matchingPursuit(lab, data) };
      const others = [treeSide(lab, data), ...flatOf(lab, data).slice(0, 2)];
      await lab.train([pursuit, ...others].map(({ spec }) => spec));
      for (const other of others) {
        comparisons.push(
          await compareSides(lab, pursuit, other, {
            what: 'variance explained',
            metric: 'core.variance_explained',
            claimed: { is: 'higher' },
            matching: 'total L0',
          }),
          await compareSides(lab, pursuit, other, {
            what: 'hierarchical pairs among those that fire together',
            metric: 'hierarchy.tree_hit_rate_mcs',
            claimed: { is: 'lower' },
            matching: 'total L0',
          }),
        );
      }
    }
    return {
      verdict: verdictOf(comparisons),
      because:
        `${outcomesOf(comparisons)} It has half the parameters of the others, as encoder and decoder are one matrix; its encoder costs little ` +
        'more than that of topk where the products of all pairs of its rows are kept, width² numbers that are not counted as parameters.',
      comparisons,
    };
  },
};
