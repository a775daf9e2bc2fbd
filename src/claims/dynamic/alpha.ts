/** Whether the adaptive factor α_t ever adapts. */
import type { Claim, Table } from '../claim.ts';
import { compareMetrics } from '../compare.ts';
import { constants, perSeed } from '../derived.ts';
import { verdictOf, type Comparison } from '../judge.ts';
import type { Lab } from '../lab.ts';
import type { Spec, TrainedRun } from '../spec.ts';
import { dynamicPublished } from '../recipes.ts';
import { traceOf } from '../trace.ts';
import { show } from '../words.ts';

const TOKENS = 400_000;
const LEAST = 0.1;
const CLAMP = { min: 0.1, max: 2 };

/** L_target of the paper, and the total variance of its activations, as its own numbers give it. */
const PUBLISHED_TARGET = 2.5;
const PUBLISHED_VARIANCE = 54_100;

export const dynamicAlpha: Claim = {
  id: 'dynamic-alpha',
  paper: 'dynamic',
  statement: 'α_t adapts sparsity to the quality of reconstruction.',
  published: 'α_t = clamp(2.5 / L_recon, 0.1, 2)',
  protocol:
    'W, 400 000 tokens, 3 seeds, as published: α_t of every second step in three readings of 2.5 / L_recon. Literal, summed: L_recon is the ' +
    'loss of eq. (6), summed over d, at the scale of the published activations (total variance 54 100, as its numbers give it). Literal, ' +
    'normalised: per element of normalised inputs, as its section 5.2 has them. Relative: L_target is 0.1 of the variance, which 2.5 per ' +
    'element is at the published scale.',
  rule: `α_t lies inside its clamp in at least ${LEAST * 100} % of the steps, in the literal and in the relative form.`,
  async test(lab) {
    const readings = [
      { name: 'literal, summed', lossTarget: await summedTarget(lab) },
      { name: 'literal, normalised', lossTarget: PUBLISHED_TARGET },
      { name: 'relative', lossTarget: 'relative' },
    ];
    const specs: Spec[] = [];
    for (const { lossTarget } of readings) specs.push(await traced(lab, { lossTarget }));
    const runs = await lab.train(specs);
    const comparisons = readings.map(({ name }, i): Comparison => {
      const share = perSeed(runs[i].map(adapting), 'share of steps', 'steps with α_t inside its clamp / steps');
      const least = constants(LEAST, share, 'the limit of the rule');
      return compareMetrics('W', [name, share], ['limit', least], {
        what: 'steps with α_t inside its clamp',
        claimed: { is: 'not lower', margin: 0 },
        matching: 'nothing',
      });
    });
    const shares = comparisons.map(({ a, valueA }) => `${show(valueA)} (${a})`);
    return {
      verdict: verdictOf(comparisons),
      because:
        `Share of steps in which α_t is inside its clamp: ${shares.join(', ')}. Where it is at an end throughout, α is a constant factor on λ. ` +
        'Where it is not, it grows while the error falls: a penalty that is weak early and strong late, against λ_t, which fades.',
      comparisons,
      tables: [alphas(readings.map(({ name }, i) => [name, runs[i][0]]))],
    };
  },
};

/** 2.5 of the published variance, for activations of this scale, per element. */
async function summedTarget(lab: Lab): Promise<number> {
  const [[run]] = await lab.train([await dynamicPublished(lab, 'W')]);
  const { loss_l2: error, variance_explained: explained } = traceOf(run).at(-1)!;
  const variance = error / (1 - explained);
  return Number(((PUBLISHED_TARGET / PUBLISHED_VARIANCE) * (variance / (await lab.width('W')))).toPrecision(2));
}

async function traced(lab: Lab, keys: object): Promise<Spec> {
  const spec = await dynamicPublished(lab, 'W', { ...keys, logEvery: 2 });
  return { ...spec, tokens: Math.min(lab.size('W').tokens, TOKENS) };
}

const alphaOf = (step: Readonly<Record<string, number>>): number => 1 / step.observed_inverseAlpha;

/** Numbers of the device are double precision, its clamp is exact. */
function adapting(run: TrainedRun): number {
  const steps = traceOf(run);
  const inside = steps.filter((step) => isInside(alphaOf(step)));
  return inside.length / steps.length;
}

export const isInside = (alpha: number): boolean => alpha > CLAMP.min * (1 + 1e-6) && alpha < CLAMP.max * (1 - 1e-6);

function alphas(readings: readonly (readonly [name: string, run: TrainedRun])[]): Table {
  const traces = readings.map(([, run]) => traceOf(run));
  const every = Math.max(1, Math.floor(traces[0].length / 10));
  return {
    title: 'α_t, seed 0',
    columns: ['step', ...readings.map(([name]) => name)],
    rows: traces[0].flatMap(({ step }, i) =>
      i % every === 0 ? [[step, ...traces.map((trace) => alphaOf(trace[i]))]] : [],
    ),
  };
}
