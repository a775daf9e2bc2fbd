/** Whether all tiers of the compositional model are used. */
import type { Claim, Table } from '../claim.ts';
import { compareMetrics, meanOf } from '../compare.ts';
import { constants, derive } from '../derived.ts';
import { verdictOf } from '../judge.ts';
import type { Lab } from '../lab.ts';
import type { Spec } from '../spec.ts';
import { compositional, compositionalRelu } from '../recipes.ts';
import { openIn, show } from '../words.ts';
import type { Metric } from '../../evals/metric.ts';

/** Half of a tier's even share. */
const LEAST = 1 / 6;
const VIEWS = ['tier-1', 'tier-2', undefined] as const;

export const compBalance: Claim = {
  id: 'comp-balance',
  paper: 'compositional',
  statement: 'Activity is balanced across the tiers.',
  published: 'text; the only run had L0 = 0 in all tiers',
  protocol:
    'Stable form on W, 3 seeds. With top-k the L0 of every tier is set by hand, so what can be balanced is tested with its ReLU form and the ' +
    'published tier weights 0.1, 0.3, 0.6 in the penalty: share of each tier in total L0. L0 and variance explained per tier of both forms ' +
    'in the table.',
  rule: 'Every tier has at least half of an even share, a sixth of total L0.',
  async test(lab) {
    const relu = compositionalRelu(lab, 'W');
    const stable = compositional(lab, 'W');
    await lab.train([relu, stable]);
    const shares = await sharesOf(lab, relu);
    const comparisons = shares.map((share, i) =>
      compareMetrics('W', [`tier ${i + 1}`, share], ['a sixth', constants(LEAST, share, 'half of an even share')], {
        what: 'share of total L0',
        claimed: { is: 'not lower', margin: 0 },
        matching: 'nothing',
      }),
    );
    const total = meanOf(await lab.metric(relu, 'core.l0_total'));
    return {
      verdict: verdictOf(comparisons),
      because:
        `With ReLU and the published weights the tiers have ${comparisons.map(({ valueA }) => show(valueA)).join(', ')} of a total L0 of ` +
        `${show(total)}. The first tier is penalised least, which alone may bring it a larger share; with top-k the shares are what one sets.${openIn(comparisons)}`,
      comparisons,
      tables: [await table(lab, { 'ReLU, published weights': relu, 'top-k': stable })],
    };
  },
};

/** Of each tier: L0 of the prefix that ends with it, less that of the prefix before, over the total. */
async function sharesOf(lab: Lab, spec: Spec): Promise<Metric[][]> {
  const prefixes: Metric[][] = [];
  for (const view of VIEWS) prefixes.push(await lab.metric(spec, 'core.l0', view));
  const meaning = { unit: 'share of active latents', definition: 'L0 of the tier / total L0' };
  const [first, second, total] = prefixes;
  return [
    first.map((l0, s) => derive([l0, total[s]], (x, y) => x / y, meaning)),
    second.map((l0, s) => derive([l0, first[s], total[s]], (x, before, y) => (x - before) / y, meaning)),
    total.map((l0, s) => derive([l0, second[s]], (x, before) => (x - before) / x, meaning)),
  ];
}

async function table(lab: Lab, forms: Readonly<Record<string, Spec>>): Promise<Table> {
  const rows: (string | number | null)[][] = [];
  for (const [name, spec] of Object.entries(forms)) {
    for (const [i, view] of VIEWS.entries()) {
      const l0 = meanOf(await lab.metric(spec, 'core.l0', view));
      const explained = meanOf(await lab.metric(spec, 'core.variance_explained', view));
      const dead = meanOf(await lab.metric(spec, 'core.dead_fraction', view));
      rows.push([name, `1 … ${i + 1}`, l0, explained, dead]);
    }
  }
  return {
    title: 'Prefixes of tiers (means over seeds)',
    columns: ['form', 'tiers', 'L0', 'variance explained', 'dead latents'],
    rows,
  };
}
