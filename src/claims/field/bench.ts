/** SynthSAEBench for all architectures at about the same L0: who tells the features apart, and who finds their tree. */
import { compareWithNull } from '../against-null.ts';
import type { Claim, Table } from '../claim.ts';
import { compareSides, compareWithCurve, meanOf, type Side } from '../compare.ts';
import { verdictOf, type Comparison } from '../judge.ts';
import type { Lab } from '../lab.ts';
import type { Spec } from '../spec.ts';
import { hSae, hsaeForest, RATE, shorterOnBench, treeSae } from '../recipes.ts';
import { outcomesOf, show } from '../words.ts';

/**
 * Rates are those of recipes.ts where nothing else is said; weights of penalties lead to about 12 active latents (seed 9, 300 000 to 750 000
 * tokens). With the published weight of 1 jumprelu misses its target by far in short runs.
 */
const JUMP = { sparsityWeight: 300, bandwidth: 1, thresholdInit: 1.5, beta1: 0.9 };
/** λ of relu-l1 around it, for a curve, and the nearest one. */
const L1 = [1.5, 2.5, 3.5, 5];
const NEAREST = 1;
const SLOWER = { lr: 3e-3 };
const APRIL = { l1: 4, ...SLOWER };
const GATED = { l1: 6, ...SLOWER };
const DYNAMIC = { lambda0: 16, lambdaFinal: 16, ...SLOWER };

const DATA = 'B';
const PUBLISHED_SAMPLES = 200_000_000;

function flat(lab: Lab, arch: string, keys: object): Spec {
  const { width } = lab.size(DATA);
  return shorterOnBench(lab, { data: DATA, arch, keys: { width, lr: RATE[DATA], ...keys } });
}

/** Those of which the order is published. */
function published(lab: Lab): Record<'matryoshka' | 'batchtopk' | 'jumprelu' | 'matchingPursuit', Side> {
  const { l0 } = lab.size(DATA);
  const side = (name: string, keys: object): Side => ({ name, spec: flat(lab, name, keys) });
  return {
    matryoshka: side('matryoshka', { k: l0 }),
    batchtopk: side('batchtopk', { k: l0 }),
    jumprelu: side('jumprelu', { targetL0: l0, ...JUMP }),
    matchingPursuit: side('matching-pursuit', { k: l0 }),
  };
}

const l1Curve = (lab: Lab): { name: string; specs: Spec[] } => ({
  name: 'relu-l1 (curve)',
  specs: L1.map((l1) => flat(lab, 'relu-l1', { l1 })),
});

/** All architectures. */
function everybody(lab: Lab): Side[] {
  const { l0, width } = lab.size(DATA);
  const side = (name: string, keys: object): Side => ({ name, spec: flat(lab, name, keys) });
  const { matryoshka, batchtopk, jumprelu, matchingPursuit } = published(lab);
  const third = Math.round(l0 / 3);
  return [
    side('topk', { k: l0 }),
    batchtopk,
    jumprelu,
    { name: 'relu-l1', spec: l1Curve(lab).specs[NEAREST] },
    side('relu-l1-april', APRIL),
    side('gated', GATED),
    matryoshka,
    side('matryoshka-topk', { k: l0 }),
    side('switch', { k: l0 }),
    matchingPursuit,
    side('dynamic-sparsity', DYNAMIC),
    {
      name: 'compositional',
      spec: shorterOnBench(lab, {
        data: DATA,
        arch: 'compositional',
        keys: { width: [width / 4, width / 4, width / 2], k: [third, third, l0 - 2 * third], lr: RATE[DATA] },
      }),
    },
    { name: 'h-sae', spec: shorterOnBench(lab, hSae(lab, DATA)) },
    { name: 'hsae-forest', spec: shorterOnBench(lab, hsaeForest(lab, DATA)) },
    { name: 'tree-sae', spec: shorterOnBench(lab, treeSae(lab, DATA)) },
  ];
}

const F1 = { what: 'F1 of latents', metric: 'truth.latent_f1' } as const;
const EXPLAINED = { what: 'variance explained', metric: 'core.variance_explained' } as const;
const MATCHED = { matching: 'total L0' } as const;

export const benchOrder: Claim = {
  id: 'bench-order',
  paper: 'field',
  statement:
    'On SynthSAEBench: Matryoshka > BatchTopK ≈ JumpReLU > L1 > matching pursuit in F1, matching pursuit first in variance explained.',
  published:
    'F1 .879, .732, .732, .556, .446 and variance explained .779, .792, .795, .765, .835 (L0 25, 4 096 latents, 200 M samples)',
  protocol:
    'The reduced bench (2 048 features, d 128): equal width and parameters, L0 as near as it can be set; ReLU with L1 interpolated on a curve of ' +
    'four λ. F1 as SAELens has it: of every latent for the feature nearest in direction. Half as many tokens as the other claims on B, 5 seeds.',
  rule: 'Every step of the order in F1 (BatchTopK and JumpReLU within .02), and matching pursuit above each of the others in variance explained.',
  async test(lab) {
    const { matryoshka, batchtopk, jumprelu, matchingPursuit } = published(lab);
    const curve = l1Curve(lab);
    await lab.train([matryoshka.spec, batchtopk.spec, jumprelu.spec, matchingPursuit.spec, ...curve.specs]);
    const along = 'core.l0_total';
    const comparisons: Comparison[] = [
      await compareSides(lab, matryoshka, batchtopk, { ...F1, claimed: { is: 'higher' }, ...MATCHED }),
      await compareSides(lab, batchtopk, jumprelu, { ...F1, claimed: { is: 'equal', margin: 0.02 }, ...MATCHED }),
      await compareWithCurve(lab, jumprelu, curve, along, { ...F1, claimed: { is: 'higher' }, ...MATCHED }),
      await compareWithCurve(lab, matchingPursuit, curve, along, { ...F1, claimed: { is: 'lower' }, ...MATCHED }),
    ];
    for (const other of [matryoshka, batchtopk, jumprelu]) {
      comparisons.push(
        await compareSides(lab, matchingPursuit, other, { ...EXPLAINED, claimed: { is: 'higher' }, ...MATCHED }),
      );
    }
    comparisons.push(
      await compareWithCurve(lab, matchingPursuit, curve, along, {
        ...EXPLAINED,
        claimed: { is: 'higher' },
        ...MATCHED,
      }),
    );
    return {
      verdict: verdictOf(comparisons),
      because:
        `${outcomesOf(comparisons)} The published trainings see ${show(PUBLISHED_SAMPLES / (lab.size(DATA).tokens / 2))} times as many samples, and the order of ` +
        'systems that converge at different speeds may change with that.',
      comparisons,
      tables: [await scores(lab, [matryoshka, batchtopk, jumprelu, matchingPursuit, ...sidesOf(curve)])],
    };
  },
};

const sidesOf = ({ specs }: { specs: readonly Spec[] }): Side[] =>
  specs.map((spec, i) => ({ name: `relu-l1, λ ${L1[i]}`, spec }));

async function scores(lab: Lab, sides: readonly Side[]): Promise<Table> {
  return meansOf(lab, 'Means over seeds', sides, {
    L0: 'core.l0_total',
    dead: 'core.dead_fraction',
    F1: F1.metric,
    MCC: 'truth.mcc',
    uniqueness: 'truth.uniqueness',
    'variance explained': EXPLAINED.metric,
  });
}

async function meansOf(
  lab: Lab,
  title: string,
  sides: readonly Side[],
  metrics: Readonly<Record<string, `${string}.${string}`>>,
): Promise<Table> {
  const rows: (string | number | null)[][] = [];
  for (const { name, spec } of sides) {
    const row: (string | number | null)[] = [name];
    for (const metric of Object.values(metrics)) row.push(meanOf(await lab.metric(spec, metric)));
    rows.push(row);
  }
  return { title, columns: ['', ...Object.keys(metrics)], rows };
}

export const benchEdges: Claim = {
  id: 'bench-edges',
  paper: 'field',
  statement: 'Every system finds some of the tree of SynthSAEBench (nobody has reported it).',
  published: 'nothing: features are scored there, their tree is not',
  protocol:
    'The forest of every architecture, its own or extracted from what fires together on training rows, against the true tree of the reduced ' +
    'bench (2 048 features, d 128), at about the same L0; with an end that stands for no feature a link is wrong. Half as many tokens as the ' +
    'other claims on B, 5 seeds.',
  rule: 'F1 of edges is beyond shuffled links (97.5 % quantile of the draws) for every system; the values are reported.',
  async test(lab) {
    const sides = everybody(lab);
    await lab.train(sides.map(({ spec }) => spec));
    const comparisons: Comparison[] = [];
    const means: { name: string; f1: number | null }[] = [];
    for (const side of sides) {
      const metric = { what: 'F1 of edges', metric: 'truth.edge_f1' } as const;
      comparisons.push(await compareWithNull(lab, side, 'shuffled', { ...metric, is: 'higher' }));
      means.push({ name: side.name, f1: meanOf(await lab.metric(side.spec, metric.metric)) });
    }
    const [best, second] = means.filter(({ f1 }) => f1 !== null).sort((a, b) => b.f1! - a.f1!);
    const beyond = comparisons.filter(({ outcome }) => outcome === 'as claimed').length;
    const judged = comparisons.filter(({ outcome }) => outcome !== 'undefined').length;
    return {
      verdict: verdictOf(comparisons),
      because:
        `${beyond} of ${judged} systems that could be judged are beyond chance. The best are ${[best, second]
          .filter((one) => one !== undefined)
          .map(({ name, f1 }) => `${name} with F1 ${show(f1)}`)
          .join(
            ' and ',
          )}, where 1 is the true tree: recall is bounded by the ${lab.size(DATA).width} latents that there are for ` +
        `${lab.scale.synthBench.features ?? 16_384} features. A forest of few links can be right and still have a low F1.`,
      comparisons,
      tables: [
        await meansOf(lab, 'Means over seeds', sides, {
          L0: 'core.l0_total',
          dead: 'core.dead_fraction',
          'features found': 'truth.features_found',
          'edge precision': 'truth.edge_precision',
          'edge recall': 'truth.edge_recall',
          'edge F1': 'truth.edge_f1',
          'ancestor F1': 'truth.ancestor_f1',
          'right links': 'truth.links_right',
        }),
      ],
    };
  },
};
