/** Which parts of an HSAE forest do what: the constraint, the perturbation, the similarity, the shape of the forest. */
import type { Claim } from '../claim.ts';
import { compareSides, meanOf, type Side } from '../compare.ts';
import { verdictOf, type Comparison } from '../judge.ts';
import type { Lab } from '../lab.ts';
import { compareLevels } from '../levels.ts';
import { hsaeForest } from '../recipes.ts';
import { outcomesOf, show } from '../words.ts';

const HAMMING = { what: 'OR-Hamming distance', metric: 'families.or_hamming' } as const;
const MATCHED = { matching: 'all but the ablated part' } as const;
const RUNS =
  'hsae-forest on W with everything else as it is, half as many tokens as the main comparisons, 3 seeds, same stream; parameters and encode ' +
  'FLOPs are equal, and so is the target L0 of every level.';

const variant = (lab: Lab, name: string, keys: object = {}): Side => ({
  name,
  spec: { ...hsaeForest(lab, 'W', keys), tokens: lab.size('W').tokens / 2 },
});
const published = (lab: Lab): Side => variant(lab, 'as published');
const trainAll = (lab: Lab, sides: readonly Side[]): Promise<unknown> => lab.train(sides.map(({ spec }) => spec));

export const forestConstraint: Claim = {
  id: 'forest-constraint',
  paper: 'forest',
  statement: 'The parent–child loss does most of it, perturbation a little.',
  published:
    'OR-Hamming 21.3 as published, 22.2 without perturbation, 29.7 without the loss, 36.1 without both (independent SAEs)',
  protocol: `Four runs: as published, r = 0, ρ = 0, independent levels. ${RUNS}`,
  rule: 'OR-Hamming has the same order: each of the four is lower than the next.',
  async test(lab) {
    const order = [
      published(lab),
      variant(lab, 'without perturbation', { perturbation: 0 }),
      variant(lab, 'without the loss', { rho: 0 }),
      variant(lab, 'independent levels', { joint: false }),
    ];
    await trainAll(lab, order);
    const comparisons: Comparison[] = [];
    for (const [i, better] of order.slice(0, -1).entries()) {
      comparisons.push(
        await compareSides(lab, better, order[i + 1], { ...HAMMING, claimed: { is: 'lower' }, ...MATCHED }),
      );
    }
    comparisons.push(
      await compareSides(lab, order[0], order[2], {
        ...HAMMING,
        claimed: { is: 'lower' },
        ...MATCHED,
        decides: false,
      }),
    );
    const { verdict, tables } = { verdict: verdictOf(comparisons), tables: [await densities(lab, order)] };
    return {
      verdict,
      because: `${outcomesOf(comparisons)} The distance counts mismatches per token, so that a sparser run has fewer: the L0 reached stands below.`,
      comparisons,
      tables,
    };
  },
};

/** Hamming distances are counts: they have to be read beside L0. */
async function densities(
  lab: Lab,
  sides: readonly Side[],
): Promise<{ title: string; columns: string[]; rows: (string | number | null)[][] }> {
  const rows: (string | number | null)[][] = [];
  for (const { name, spec } of sides) {
    rows.push([
      name,
      meanOf(await lab.metric(spec, HAMMING.metric)),
      meanOf(await lab.metric(spec, 'families.p_parent_given_child')),
      meanOf(await lab.metric(spec, 'families.pairs')),
      meanOf(await lab.metric(spec, 'core.l0_total')),
    ]);
  }
  return { title: 'Means over seeds', columns: ['', 'OR-Hamming', 'P(p|c)', 'links', 'L0, all levels'], rows };
}

export const forestRate: Claim = {
  id: 'forest-rate',
  paper: 'forest',
  statement: 'Too high a perturbation rate adds noise.',
  published: 'figure 8b only',
  protocol: `r ∈ {0, .05, .2, .5}. ${RUNS} Variance explained is the mean over the levels.`,
  rule: 'Variance explained is lower at r = .2 and at r = .5 than at r = 0.',
  async test(lab) {
    const still = variant(lab, 'r = 0', { perturbation: 0 });
    const rates = [
      { side: published(lab), decides: false },
      { side: variant(lab, 'r = .2', { perturbation: 0.2 }), decides: true },
      { side: variant(lab, 'r = .5', { perturbation: 0.5 }), decides: true },
    ];
    await trainAll(lab, [still, ...rates.map(({ side }) => side)]);
    const comparisons: Comparison[] = [];
    for (const { side, decides } of rates) {
      comparisons.push(
        await compareLevels(lab, side.name === 'as published' ? { ...side, name: 'r = .05' } : side, still, {
          what: 'variance explained, mean over levels',
          metric: 'core.variance_explained',
          claimed: { is: 'lower' },
          ...MATCHED,
          decides,
        }),
      );
    }
    return {
      verdict: verdictOf(comparisons),
      because:
        `${outcomesOf(comparisons)} Rates are read as shares of latents that are replaced; read literally, the paper's formula ` +
        'replaces 1 − r of them.',
      comparisons,
    };
  },
};

export const forestSimilarity: Claim = {
  id: 'forest-similarity',
  paper: 'forest',
  statement: 'Encoder, decoder and co-activation similarity give the same.',
  published: '"nearly indistinguishable" (figure 7)',
  protocol: `Links by the cosine of encoder rows, by that of decoder rows, by P(parent | child). ${RUNS}`,
  rule: 'OR-Hamming of each of the other two is within 10 % of that by encoder rows.',
  async test(lab) {
    const encoder = { ...published(lab), name: 'by encoder' };
    const others = [
      variant(lab, 'by decoder', { similarity: 'decoder' }),
      variant(lab, 'by co-activation', { similarity: 'coactivation' }),
    ];
    await trainAll(lab, [encoder, ...others]);
    // Undefined is the comparison itself where there is no distance.
    const margin = 0.1 * (meanOf(await lab.metric(encoder.spec, HAMMING.metric)) ?? 0);
    const comparisons: Comparison[] = [];
    for (const other of others) {
      comparisons.push(
        await compareSides(lab, other, encoder, { ...HAMMING, claimed: { is: 'equal', margin }, ...MATCHED }),
      );
    }
    return {
      verdict: verdictOf(comparisons),
      because: `${outcomesOf(comparisons)} Ten per cent of the distance by encoder rows are ${show(margin)}.`,
      comparisons,
      tables: [await densities(lab, [encoder, ...others])],
    };
  },
};

export const forestTopology: Claim = {
  id: 'forest-topology',
  paper: 'forest',
  statement: 'A free partial forest beats binary, fixed and full trees.',
  published: 'OR-Hamming 21.3 against 22.8, 24.2 and 24.0',
  protocol:
    'A free partial forest; at most two children per parent (the most similar stay); the links of the first tenth of the run kept; ' +
    `a parent for every latent. ${RUNS}`,
  rule: 'OR-Hamming of the free partial forest is lower than that of each of the three.',
  async test(lab) {
    const free = { ...published(lab), name: 'free, partial' };
    const others = ['binary', 'fixed', 'full'].map((topology) => variant(lab, topology, { topology }));
    await trainAll(lab, [free, ...others]);
    const comparisons: Comparison[] = [];
    for (const other of others) {
      comparisons.push(
        await compareSides(lab, free, other, { ...HAMMING, claimed: { is: 'lower' }, ...MATCHED }),
        await compareSides(lab, free, other, {
          what: 'P(parent | child)',
          metric: 'families.p_parent_given_child',
          claimed: { is: 'higher' },
          ...MATCHED,
          decides: false,
        }),
      );
    }
    return {
      verdict: verdictOf(comparisons),
      because:
        `${outcomesOf(comparisons)} The distance sums over parents with children, and a forest with more links has more parents and larger ` +
        'families: numbers of links stand below, and P(parent | child), which is a mean over links, beside it.',
      comparisons,
      tables: [await densities(lab, [free, ...others])],
    };
  },
};
