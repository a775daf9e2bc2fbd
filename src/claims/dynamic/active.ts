/** What is behind "5.4 times more active features". */
import type { Claim, Table } from '../claim.ts';
import { compareMetrics, compareSides } from '../compare.ts';
import { derive, ratios } from '../derived.ts';
import { verdictOf } from '../judge.ts';
import type { Lab } from '../lab.ts';
import type { Spec } from '../spec.ts';
import { dynamicBaseline, dynamicPublished } from '../recipes.ts';
import { traceOf } from '../trace.ts';
import { openIn, show } from '../words.ts';
import type { Metric } from '../../evals/metric.ts';

/** Lines of the table of λ and L0. */
const LINES = 10;

export const dynamicActive: Claim = {
  id: 'dynamic-active',
  paper: 'dynamic',
  statement: '5.4 times more active features.',
  published: '320 → 1735 of 2304',
  protocol:
    'W, 3 seeds, as published (as many latents as dimensions, λ to 0) against its topk baseline. 320 is the k of the baseline: "active ' +
    'features" are those of a token, its L0. Compared are L0, the share of latents that fire at all, and L0 where λ stays at λ_0; L0 is ' +
    'traced through training beside λ_t.',
  rule:
    'More features are in use only so far as more of the latents fire at all: the share of those has to grow by the factor by which L0 does. ' +
    'That either is higher, and what the fading λ has to do with it, is shown beside it.',
  async test(lab) {
    const a = { name: 'dynamic, as published', spec: await dynamicPublished(lab, 'W') };
    const b = { name: 'topk, its baseline', spec: await dynamicBaseline(lab, 'W') };
    const width = await lab.width('W');
    const lambda = 1 / Math.sqrt(width);
    const constant = {
      name: 'dynamic, λ stays at λ_0',
      spec: await dynamicPublished(lab, 'W', { lambda0: lambda, lambdaFinal: lambda }),
    };
    await lab.train([a.spec, b.spec, constant.spec]);
    const l0 = { what: 'total L0', metric: 'core.l0_total', claimed: { is: 'higher' }, decides: false } as const;
    const [aliveA, aliveB] = [await alive(lab, a.spec), await alive(lab, b.spec)];
    const [activeA, activeB] = [await lab.metric(a.spec, l0.metric), await lab.metric(b.spec, l0.metric)];
    const inUse = ratios(aliveA, aliveB, 'latents that fire at all / those of the baseline');
    const perToken = ratios(activeA, activeB, 'L0 / that of the baseline');
    const comparisons = [
      compareMetrics('W', [a.name, aliveA], [b.name, aliveB], {
        what: 'latents that fire at all',
        claimed: { is: 'higher' },
        matching: 'nothing',
        decides: false,
      }),
      await compareSides(lab, a, b, { ...l0, matching: 'nothing' }),
      await compareSides(lab, a, constant, { ...l0, matching: 'all but the ablated part' }),
      compareMetrics('W', ['latents that fire at all', inUse], ['L0', perToken], {
        what: 'factor over the baseline',
        claimed: { is: 'not lower', margin: 0 },
        matching: 'nothing',
      }),
    ];
    const [living, active, faded, factors] = comparisons;
    return {
      verdict: verdictOf(comparisons),
      because:
        `L0 is ${show(factors.valueB)} times that of the baseline (${show(active.valueA)} against ` +
        `${show(active.valueB)} of ${width}). With λ held at λ_0 = 1/√d it is ${show(faded.valueB)}, so that the fading adds ` +
        `${show(faded.difference.value)}; λ_0 is small to begin with. Of all latents ${show(percent(living.valueA))} % fire at all, ` +
        `${show(percent(living.valueB))} % in the baseline, ${show(factors.valueA)} times as many.${openIn(comparisons)}`,
      comparisons,
      tables: [await fading(lab, a.spec)],
    };
  },
};

const percent = (share: number | null): number => 100 * (share ?? NaN);

async function alive(lab: Lab, spec: Spec): Promise<Metric[]> {
  const dead = await lab.metric(spec, 'core.dead_fraction');
  const meaning = { unit: 'share of latents', definition: 'share of latents that fire on some held-out token' };
  return dead.map((one) => derive([one], (share) => 1 - share, meaning));
}

async function fading(lab: Lab, spec: Spec): Promise<Table> {
  const [[run]] = await lab.train([spec]);
  const { width } = spec.keys as { width: number };
  const steps = traceOf(run);
  const last = steps.at(-1)!.step + 1;
  const lines = steps.filter((_, i) => i % Math.max(1, Math.floor(steps.length / LINES)) === 0);
  return {
    title: 'Training as published, seed 0: weight of the penalty and L0 of the batch',
    columns: ['step', 'λ_t', 'α_t', 'L0', 'variance explained'],
    rows: lines.map(({ step, l0, variance_explained: explained, observed_inverseAlpha: inverse }) => [
      step,
      (1 - step / last) / Math.sqrt(width),
      1 / inverse,
      l0,
      explained,
    ]),
  };
}
