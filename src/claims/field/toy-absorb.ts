/** Nabeshima's toy tree: who absorbs there. */
import { NormalizedSource } from '../../activations/normalized-source.ts';
import { ToyTree } from '../../activations/toy-tree.ts';
import { metric, type Metric } from '../../evals/metric.ts';
import { recoverToyTree, type ToyRecovery } from '../../evals/toy-recovery.ts';
import type { Claim, Verdict } from '../claim.ts';
import { constant } from '../derived.ts';
import { compareMetrics, type Side } from '../compare.ts';
import type { Comparison } from '../judge.ts';
import type { Lab } from '../lab.ts';
import { range, show } from '../words.ts';

/** A system absorbs when the rate or the leak is above this, whatever the seed; see bench toy-tree. */
const ABSORBS = 0.1;

/** As in bench toy-tree, for 20 latents and 20 features. */
function systems(lab: Lab): { flat: Side; nested: Side } {
  const { tokens, batch, width } = lab.size('N');
  const steps = tokens / batch;
  return {
    flat: {
      name: 'relu-l1',
      // Half as many tokens are too few for it.
      spec: { data: 'N', arch: 'relu-l1', keys: { width, l1: 0.1, lr: 3e-2 }, tokens: 2 * tokens },
    },
    nested: {
      name: 'matryoshka, random prefixes',
      spec: {
        data: 'N',
        arch: 'matryoshka',
        keys: {
          width,
          k: 1,
          lr: 3e-2,
          prefixes: 'random',
          kAnnealSteps: Math.round(0.6 * steps),
          deadAfter: Math.round(tokens / 50),
        },
      },
    },
  };
}

const RATE = 'absorption rate';
const LEAK = 'decoder leak';

export const toyAbsorb: Claim = {
  id: 'toy-absorb',
  paper: 'field',
  statement: 'A flat ReLU SAE with L1 absorbs on the toy tree, a Matryoshka SAE does not.',
  published: 'pictures: the columns of children hold their parents, and those of Matryoshka do not',
  protocol:
    'relu-l1 against matryoshka with random prefixes, 20 latents for 20 features. Absorption rate: mean over the true edges of P(main latent ' +
    'of the parent off | parent and child on); decoder leak: cosine of the main latent of the child with the parent’s direction (.71 = absorbed). ' +
    'Every seed has its own tree, data and weights; 5 seeds. relu-l1 sees twice as many tokens: with half of them it is not done.',
  rule: `Of the flat one the rate or the leak is above ${ABSORBS} (the whole interval), of the other one both are below.`,
  async test(lab) {
    const { flat, nested } = systems(lab);
    await lab.train([flat.spec, nested.spec]);
    const ofFlat = await judge(lab, flat, 'higher');
    const ofNested = await judge(lab, nested, 'lower');
    const all = [...ofFlat, ...ofNested];
    const absorbs = ofFlat.some(({ outcome }) => outcome === 'as claimed');
    const isClean = ofNested.every(({ outcome }) => outcome === 'as claimed');
    return {
      // Either of two is enough for the flat one, and both have to be clean for the other.
      verdict: all.every(({ outcome }) => outcome === 'undefined')
        ? 'not testable here'
        : verdictOfBoth(absorbs, isClean),
      because: `${all.map(overLimit).join('; ')}. The flat one has trained twice as long; the nested one selects by top-k, not by L1 as published.`,
      comparisons: all,
    };
  },
};

const verdictOfBoth = (absorbs: boolean, isClean: boolean): Verdict =>
  absorbs && isClean ? 'holds' : absorbs || isClean ? 'mixed' : 'does not hold';

async function judge(lab: Lab, { name, spec }: Side, is: 'higher' | 'lower'): Promise<Comparison[]> {
  const [runs] = await lab.train([spec]);
  const found: ToyRecovery[] = [];
  for (const run of runs) {
    found.push(
      await lab.withRun(run, async ({ source, normalization, rows }, { sae }, device) => {
        if (!(source instanceof ToyTree)) throw new TypeError('the toy tree is what is judged here');
        return recoverToyTree(device, sae, await NormalizedSource.wrap(source, normalization), source, rows);
      }),
    );
  }
  const measured = (of: (recovery: ToyRecovery) => number, definition: string): Metric[] =>
    found.map((recovery) =>
      metric(of(recovery), NaN, NaN, { n: recovery.edges.true, unit: 'mean over edges', definition }),
    );
  return [
    { what: RATE, values: measured(({ absorption_rate: rate }) => rate, 'P(parent’s main latent off | both on)') },
    { what: LEAK, values: measured(({ decoder_leak: leak }) => leak, 'cos(child’s main latent, parent’s direction)') },
  ].map(({ what, values }) =>
    compareMetrics(
      'N',
      [name, values],
      [`the limit ${ABSORBS}`, values.map((value) => constant(ABSORBS, value, 'the limit of bench toy-tree'))],
      { what, claimed: { is }, matching: 'nothing' },
    ),
  );
}

const overLimit = (comparison: Comparison): string =>
  `${comparison.what} of ${comparison.a} ${show(comparison.valueA)}, over the limit by ${range(comparison)}`;
