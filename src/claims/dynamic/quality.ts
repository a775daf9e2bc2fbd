/** What dynamic sparsity is said to improve: absorption, reconstruction, probing; as published, and at equal L0. */
import type { Claim } from '../claim.ts';
import { compareSides, meanOf, type Question } from '../compare.ts';
import { verdictOf, type Comparison } from '../judge.ts';
import type { Lab } from '../lab.ts';
import { dynamicBaseline, dynamicPublished, dynamicSparse, topk } from '../recipes.ts';
import { openIn, show, bothSides } from '../words.ts';

interface Quality {
  readonly what: string;
  readonly metric: Readonly<Record<'W' | 'S', Question['metric']>>;
  readonly is: 'higher' | 'lower';
}

const onBoth = (what: string, metric: Question['metric'], is: Quality['is']): Quality => ({
  what,
  metric: { W: metric, S: metric },
  is,
});

const PUBLISHED = 'dynamic, as published';
const SPARSE = 'dynamic, sparse';

const PROTOCOL =
  'W and S, 3 seeds. As published: as many latents as dimensions, λ to 0, against topk of the same width with 320/2304 of its latents ' +
  'active (nothing matched: by the published numbers it ends with 1735 of 2304 latents active). Matched: the width of the scale, λ from 4 λ_T down to a λ_T ' +
  'at which it ends sparse, against topk of the same width, and so as many parameters, with k = its mean total L0, rounded.';

const RULE = 'Both are reported; the verdict is on the matched comparison.';

async function compareBoth(lab: Lab, qualities: readonly Quality[]): Promise<Comparison[]> {
  const comparisons: Comparison[] = [];
  for (const data of lab.available('W', 'S')) {
    const a = { name: PUBLISHED, spec: await dynamicPublished(lab, data) };
    const b = { name: 'topk, its baseline', spec: await dynamicBaseline(lab, data) };
    const sparse = { name: SPARSE, spec: dynamicSparse(lab, data) };
    await lab.train([a.spec, b.spec, sparse.spec]);
    const k = Math.max(1, Math.round(meanOf(await lab.metric(sparse.spec, 'core.l0_total')) ?? lab.size(data).l0));
    const flat = { name: `topk, k = ${k}`, spec: topk(lab, data, { k }) };
    for (const { what, metric, is } of qualities) {
      const question: Question = { what, metric: metric[data], claimed: { is }, matching: 'total L0' };
      comparisons.push(
        await compareSides(lab, sparse, flat, question),
        await compareSides(lab, a, b, { ...question, matching: 'nothing', decides: false }),
      );
    }
  }
  return comparisons;
}

function because(comparisons: readonly Comparison[], l0: string): string {
  const of = (wanted: boolean): string =>
    comparisons
      .filter(({ decides }) => decides === wanted)
      .map(bothSides)
      .join('; ');
  return `At equal L0: ${of(true)}. As published: ${of(false)}; there ${l0}.${openIn(comparisons)}`;
}

/** L0 of the two published sides. */
async function sayL0(lab: Lab): Promise<string> {
  const parts: string[] = [];
  for (const data of lab.available('W', 'S')) {
    const ofA = meanOf(await lab.metric(await dynamicPublished(lab, data), 'core.l0_total'));
    const ofB = meanOf(await lab.metric(await dynamicBaseline(lab, data), 'core.l0_total'));
    parts.push(`${show(ofA)} of ${await lab.width(data)} latents are active on ${data}, ${show(ofB)} in its baseline`);
  }
  return parts.join('; ');
}

function qualityClaim(
  entry: Pick<Claim, 'id' | 'statement' | 'published'>,
  how: string,
  qualities: readonly Quality[],
): Claim {
  return {
    ...entry,
    paper: 'dynamic',
    protocol: `${PROTOCOL} ${how}`,
    rule: RULE,
    async test(lab) {
      const comparisons = await compareBoth(lab, qualities);
      return { verdict: verdictOf(comparisons), because: because(comparisons, await sayL0(lab)), comparisons };
    },
  };
}

export const dynamicAbsorption = qualityClaim(
  { id: 'dynamic-absorption', statement: '34 % less absorption than TopK.', published: '0.0088 → 0.0058' },
  'Absorption against the known concepts on W, of first letters (word properties in small vocabularies) on S.',
  [
    {
      what: 'absorption',
      metric: { W: 'absorption.truth_absorption_rate', S: 'absorption.absorption_full' },
      is: 'lower',
    },
  ],
);

export const dynamicRecon = qualityClaim(
  {
    id: 'dynamic-recon',
    statement: '7.8 points more explained variance and 44 % less KL divergence than TopK.',
    published: 'explained variance 82.4 → 90.2 %, KL 0.103 → 0.058',
  },
  'Variance explained, and KL of the language model with the reconstruction spliced in.',
  [onBoth('variance explained', 'core.variance_explained', 'higher'), onBoth('KL divergence', 'core.kl_sae', 'lower')],
);

export const dynamicProbing = qualityClaim(
  {
    id: 'dynamic-probing',
    statement: '15.2 points better sparse probing, top 1, than TopK.',
    published: '70.1 → 85.3',
  },
  'Accuracy of probes on the one best latent: world concepts on W, labelled texts on S.',
  [onBoth('probing, one latent', 'probing.probing_k1', 'higher')],
);
