/** What the links of an HSAE forest are worth: neighbours, the true forest, and what they cost. */
import { compareWithNull } from '../against-null.ts';
import type { Claim } from '../claim.ts';
import { compareMetrics, compareSides, meanOf } from '../compare.ts';
import { constant } from '../derived.ts';
import { verdictOf, type Comparison } from '../judge.ts';
import { stepTimes, timeRatios } from '../timing.ts';
import { outcomesOf, show } from '../words.ts';
import { jointAndIndependent } from './joint.ts';

export const forestSiblings: Claim = {
  id: 'forest-siblings',
  paper: 'forest',
  statement: 'Siblings are neighbours.',
  published: 'a UMAP picture in which siblings cluster',
  protocol:
    'Mean cosine of the decoder rows of siblings, in the joint model of forest-hierarchy, against children of the same firing frequency ' +
    'and against shuffled links. W and S, 3 seeds.',
  rule: 'The cosine of siblings is above that of frequency-matched latents (beyond the 97.5 % quantile of the draws).',
  async test(lab) {
    const comparisons: Comparison[] = [];
    const cosine = { what: 'cosine of siblings', metric: 'families.sibling_cosine', is: 'higher' } as const;
    for (const data of lab.available('W', 'S')) {
      const { joint, independent, specs } = jointAndIndependent(lab, data);
      await lab.train(specs);
      comparisons.push(
        await compareWithNull(lab, joint, 'frequency_matched', cosine),
        await compareWithNull(lab, joint, 'shuffled', { ...cosine, decides: false }),
        await compareWithNull(lab, independent, 'frequency_matched', { ...cosine, decides: false }),
      );
    }
    return {
      verdict: verdictOf(comparisons),
      because:
        `${outcomesOf(comparisons)} Links are made by the cosine of encoder rows with the same parent, which alone makes siblings alike: the ` +
        'independent levels, linked the same way, show how much.',
      comparisons,
    };
  },
};

export const forestTruth: Claim = {
  id: 'forest-truth',
  paper: 'forest',
  statement: 'The recovered forest is the true one (our question).',
  published: 'nothing: the data of the paper have no known forest',
  protocol:
    'Edges and ancestors of the joint model against those of the known concepts of W and the known tree of B, which latents stand for which ' +
    'feature being decided by when they fire. 3 seeds on W, 5 on B with half as many tokens.',
  rule: 'F1 of edges and of ancestors are beyond shuffled links (97.5 % quantile of the draws); the values are reported.',
  async test(lab) {
    const comparisons: Comparison[] = [];
    const values: string[] = [];
    for (const data of lab.available('W', 'B')) {
      const { joint, independent, specs } = jointAndIndependent(lab, data);
      await lab.train(specs);
      for (const links of ['edge', 'ancestor'] as const) {
        const metric = { what: `F1 of ${links}s`, metric: `truth.${links}_f1` } as const;
        comparisons.push(
          await compareWithNull(lab, joint, 'shuffled', { ...metric, is: 'higher' }),
          await compareSides(lab, joint, independent, {
            ...metric,
            claimed: { is: 'higher' },
            matching: 'total L0',
            decides: false,
          }),
        );
        values.push(`${show(meanOf(await lab.metric(joint.spec, metric.metric)))} of ${links}s on ${data}`);
      }
    }
    return {
      verdict: verdictOf(comparisons),
      because:
        `F1 is ${values.join(', ')}: beyond chance is not the same as recovered, 1 would be the true forest. ${outcomesOf(comparisons)} Four ` +
        'levels of fixed widths cannot be the truth, whose roots and depths are others; a link with an end that stands for no feature is wrong.',
      comparisons,
    };
  },
};

export const forestCost: Claim = {
  id: 'forest-cost',
  paper: 'forest',
  statement: 'The overhead over independent SAEs is modest.',
  published: '"modest"; about six hours on an A800 for four levels',
  protocol:
    'Time of a training step of the joint model and of the independent levels (one process, the same code without links, loss and ' +
    'perturbation), taken in turns on the same batches, after a warm-up, all of them together; 3 seeds of weights and data. W and S.',
  rule: 'The step takes at most 1.3 times as long.',
  async test(lab) {
    const comparisons: Comparison[] = [];
    for (const data of lab.available('W', 'S')) {
      const { joint, independent } = jointAndIndependent(lab, data);
      const ratios = timeRatios(await stepTimes(lab, [joint.spec, independent.spec]));
      const equal = ratios.map((ratio) => constant(1, ratio, 'as long'));
      comparisons.push(
        compareMetrics(data, [`${joint.name} / independent`, ratios], ['as long', equal], {
          what: 'ratio of step times',
          claimed: { is: 'not higher', margin: 0.3 },
          matching: 'nothing',
        }),
      );
    }
    return {
      verdict: verdictOf(comparisons),
      because:
        `The step takes ${comparisons.map(({ valueA, data }) => `${show(valueA)} times as long on ${data}`).join(', ')}. ${outcomesOf(comparisons)} ` +
        'Assignments, twenty or more in a run, are among the steps as often as there.',
      comparisons,
    };
  },
};
