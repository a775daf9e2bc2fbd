/** What training the levels of an HSAE forest together brings, against independent SAEs that are linked afterwards. */
import { compareWithNull } from '../against-null.ts';
import type { Claim, Table } from '../claim.ts';
import { compareSides, type Question, type Side } from '../compare.ts';
import { verdictOf, type Comparison } from '../judge.ts';
import type { Lab } from '../lab.ts';
import type { Spec } from '../spec.ts';
import { compareLevels, levelsOfEqualL0 } from '../levels.ts';
import { hsaeForest, shorterOnBench } from '../recipes.ts';
import type { DataName } from '../scales.ts';
import { byLevel, openIn, outcomesOf, range, show } from '../words.ts';

/** Same widths, target L0 and rule of assignment: also the same parameters and, at equal L0, the same encode FLOPs. */
export function jointAndIndependent(lab: Lab, data: DataName): { joint: Side; independent: Side; specs: Spec[] } {
  const [joint, independent] = [{}, { joint: false }].map((keys) => shorterOnBench(lab, hsaeForest(lab, data, keys)));
  return {
    joint: { name: 'trained together', spec: joint },
    independent: { name: 'independent, linked afterwards', spec: independent },
    specs: [joint, independent],
  };
}

const SAME =
  'four levels that double in width, the same target L0 for each; parameters and encode FLOPs are equal by construction. The same rule of ' +
  'assignment (encoder cosine, a fifth without a parent). W and S, 3 seeds, same stream.';

const DENSITY = 'L0, all levels';
/** Levels whose L0s differ by more than this share are not compared by what they explain. */
const SAME_L0 = 0.03;

/** The L0 that was reached: where it differs, so do numbers that grow with it. */
const densityOf = (lab: Lab, a: Side, b: Side): Promise<Comparison> =>
  compareSides(lab, a, b, {
    what: DENSITY,
    metric: 'core.l0_total',
    claimed: { is: 'equal', margin: 0.05 * (lab.size(a.spec.data).l0 * 4) },
    matching: 'total L0',
    decides: false,
  });

/** Whether the L0s that were reached are as equal as the targets. */
function reached(comparisons: readonly Comparison[]): string {
  const differences = comparisons
    .filter(({ what }) => what === DENSITY)
    .map(
      ({ data, valueA, valueB }) =>
        `${show((100 * ((valueA ?? NaN) - (valueB ?? NaN))) / (valueB ?? NaN))} % on ${data}`,
    );
  return `The L0 that the joint model reached differs by ${differences.join(', ')}.`;
}

export const forestHierarchy: Claim = {
  id: 'forest-hierarchy',
  paper: 'forest',
  statement: 'Joint training recovers semantic hierarchies better than assignment after the fact.',
  published: 'P(parent | child) .769 against .662, OR-Hamming 21.3 against 36.1 (Gemma 2 2B layer 13, L0 50)',
  protocol: `hsae-forest against its own levels trained independently: ${SAME}`,
  rule: 'P(parent | child) is higher and OR-Hamming lower than without joint training, and both of the joint forest are beyond shuffled links.',
  async test(lab) {
    const comparisons: Comparison[] = [];
    const tables: Table[] = [];
    for (const data of lab.available('W', 'S')) {
      const { joint, independent, specs } = jointAndIndependent(lab, data);
      await lab.train(specs);
      for (const { is, ...metric } of [
        { what: 'P(parent | child)', metric: 'families.p_parent_given_child', is: 'higher' },
        { what: 'OR-Hamming distance', metric: 'families.or_hamming', is: 'lower' },
      ] as const) {
        comparisons.push(
          await compareSides(lab, joint, independent, { ...metric, claimed: { is }, matching: 'total L0' }),
          await compareWithNull(lab, joint, 'shuffled', { ...metric, is }),
          await compareWithNull(lab, independent, 'shuffled', { ...metric, is, decides: false }),
        );
      }
      comparisons.push(await densityOf(lab, joint, independent));
      tables.push(await byLevel(lab, [joint, independent]));
    }
    return {
      verdict: verdictOf(comparisons),
      because:
        `${outcomesOf(comparisons)} Both scores are part of what the joint model is trained for (parents and the sum of their children have ` +
        'to agree), so that a gain says that the loss works, not yet that the links mean something: see forest-truth. OR-Hamming ' +
        `counts mismatches per token and grows with L0. ${reached(comparisons)}`,
      comparisons,
      tables,
    };
  },
};

export const forestFidelity: Claim = {
  id: 'forest-fidelity',
  paper: 'forest',
  statement: 'Reconstruction is not sacrificed for the hierarchy.',
  published: 'variance explained within .002 (mean over the levels .713 against .714)',
  protocol:
    `The runs of forest-hierarchy: ${SAME} What decides is the mean over the levels in which both reached the same L0 within ` +
    `${100 * SAME_L0} %: sparsity is steered, and a level that ends denser explains more. (Written after the first run, in which the coarsest ` +
    'independent level on S ended denser by a quarter.) All levels, and each of them, stand beside it.',
  rule: 'The difference in variance explained lies within ±.005.',
  async test(lab) {
    const comparisons: Comparison[] = [];
    const tables: Table[] = [];
    const question: Question = {
      what: 'variance explained, mean over all levels',
      metric: 'core.variance_explained',
      claimed: { is: 'equal', margin: 0.005 },
      matching: 'total L0',
    };
    for (const data of lab.available('W', 'S')) {
      const { joint, independent } = jointAndIndependent(lab, data);
      const equal = await levelsOfEqualL0(lab, joint, independent, SAME_L0);
      if (equal.size > 0) {
        const what = `variance explained, mean over levels ${[...equal].map((l) => l + 1).join(', ')}`;
        comparisons.push(await compareLevels(lab, joint, independent, { ...question, what }, equal));
      }
      comparisons.push(
        await compareLevels(lab, joint, independent, { ...question, matching: 'nothing', decides: false }),
        await compareSides(lab, joint, independent, {
          ...question,
          what: 'variance explained, finest level',
          decides: false,
        }),
        await densityOf(lab, joint, independent),
      );
      tables.push(await byLevel(lab, [joint, independent]));
    }
    const deciding = comparisons.filter(({ decides }) => decides);
    return {
      verdict: verdictOf(comparisons),
      because: `Joint minus independent: ${deciding.map(range).join('; ')}. ${reached(comparisons)}${openIn(comparisons)}`,
      comparisons,
      tables,
    };
  },
};

export const forestTasks: Claim = {
  id: 'forest-tasks',
  paper: 'forest',
  statement: 'Absorption, probing and interpretation are kept or better.',
  published: '1 − absorption .922 against .844 at 16 384 latents; probing (top 5) .873 against .855',
  protocol:
    'The runs of forest-hierarchy. The finest level of the joint model against that of the independent ones: absorption of known concepts ' +
    'on W, of first letters on S; probing by five latents.',
  rule: 'Absorption is lower at the widest level; probing is within ±.01.',
  async test(lab) {
    const comparisons: Comparison[] = [];
    for (const data of lab.available('W', 'S')) {
      const { joint, independent, specs } = jointAndIndependent(lab, data);
      await lab.train(specs);
      const question = { matching: 'total L0' } as const;
      comparisons.push(
        await compareSides(lab, joint, independent, {
          ...question,
          what: data === 'W' ? 'absorption (concepts)' : 'absorption (first letters)',
          metric: data === 'W' ? 'absorption.truth_absorption_rate' : 'absorption.absorption_fraction',
          claimed: { is: 'lower' },
        }),
        await compareSides(lab, joint, independent, {
          ...question,
          what: 'probing, 5 latents',
          metric: 'probing.probing_k5',
          claimed: { is: 'equal', margin: 0.01 },
        }),
      );
    }
    return {
      verdict: verdictOf(comparisons),
      because:
        `${outcomesOf(comparisons)} Interpretation by a language model is not part of the rule; saeforest eval labels measures it where an ` +
        'endpoint is given.',
      comparisons,
    };
  },
};
