/** Where learning drives the importance weights of the tiers. */
import { CpuDevice } from '../../engine/cpu/device.ts';
import type { Claim, Table } from '../claim.ts';
import { compareMetrics } from '../compare.ts';
import { constants, perSeed } from '../derived.ts';
import { verdictOf } from '../judge.ts';
import type { Lab } from '../lab.ts';
import { compositionalRelu } from '../recipes.ts';
import { traceOf } from '../trace.ts';
import { show } from '../words.ts';
import { attempt, publishedWidths, softmax, type Attempt } from './attempt.ts';

const TOKENS = 200_000;
const INITIAL = [0.1, 0.3, 0.6];
/** A tier that has more than this share of the penalty has all of it. */
const CORNER = 0.95;
const RATE = 3e-4;
/** Steps of the published size: 10 million tokens in batches of 2048. */
const PUBLISHED_STEPS = 4882;
const LONG = 100_000;

export const compWeights: Claim = {
  id: 'comp-weights',
  paper: 'compositional',
  statement: 'Learned importance weights of the tiers adapt to the input.',
  published: 'text; from 0.1, 0.3, 0.6 at the start',
  protocol:
    'W, 3 seeds. The literal recipe on normalised inputs, where it takes steps, 200 000 tokens: its weights are traced, and its L1 per tier ' +
    'measured. From there, and from the L1 per tier of the stable ReLU form, the published descent on the penalty is continued for 100 000 steps ' +
    '(Adam, rate 3e-4; the L1s stay, though a tier that is punished less only grows).',
  rule: `No tier ends with more than ${CORNER} of the weight.`,
  async test(lab) {
    const attempts = await literal(lab);
    const [runs] = await lab.train([compositionalRelu(lab, 'W')]);
    const ofRelu = runs.map((run) => {
      const last = traceOf(run).at(-1)!;
      return [1, 2, 3].map((tier) => last[`loss_l1_${tier}`]);
    });
    const sources = [
      { name: 'literal', l1: attempts.map(({ l1 }) => l1) },
      { name: 'stable, ReLU', l1: ofRelu },
    ];
    const comparisons = sources.map(({ name, l1 }) => {
      const largest = perSeed(
        l1.map((ofSeed) => Math.max(...descend(INITIAL, ofSeed, LONG))),
        'share',
        'largest tier weight after long descent',
      );
      return compareMetrics('W', [name, largest], ['corner', constants(CORNER, largest, 'the limit of the rule')], {
        what: 'largest tier weight',
        claimed: { is: 'lower' },
        matching: 'nothing',
      });
    });
    const early = sources.map(
      ({ name, l1 }) => `${show(Math.max(...descend(INITIAL, l1[0], PUBLISHED_STEPS)))} (${name}, seed 0)`,
    );
    return {
      verdict: verdictOf(comparisons),
      because:
        `Continued, the descent gives one tier ${comparisons.map(({ a, valueA }) => `${show(valueA)} of the weight (${a})`).join(', ')}: the ` +
        'gradient by w is the penalty itself, so it moves weight to the tier with the smallest L1 and nothing moves it back. The weights ' +
        `are three parameters, the same for every input: they cannot adapt to one. After the ${PUBLISHED_STEPS} steps of the published run the ` +
        `largest weight is ${early.join(', ')}; it begins at ${Math.max(...INITIAL)}.`,
      comparisons,
      tables: [table(attempts, sources)],
    };
  },
};

async function literal(lab: Lab): Promise<Attempt[]> {
  const { seeds, tokens, batch } = lab.size('W');
  const keys = { width: publishedWidths(await lab.width('W')) };
  const steps = Math.ceil(Math.min(tokens, TOKENS) / batch);
  const attempts: Attempt[] = [];
  for (let seed = 0; seed < seeds; seed++) {
    const device = await CpuDevice.create();
    try {
      attempts.push(
        await lab.withActivations('W', seed, (source) =>
          attempt(device, source, { keys, inputs: 'normalised' }, { seed, steps, batch }),
        ),
      );
    } finally {
      await device.close();
    }
  }
  return attempts;
}

/**
 * Adam on the logits a of w = softmax(a), with ∂L/∂a_i = λ1 w_i (‖h_i‖₁ − Σ_j w_j ‖h_j‖₁); Adam does not see the scale λ1.
 * @param l1 of every tier, constant @returns w after `steps`
 */
export function descend(initial: readonly number[], l1: readonly number[], steps: number): number[] {
  const a = initial.map(Math.log);
  const [m, v] = [a.map(() => 0), a.map(() => 0)];
  for (let t = 1; t <= steps; t++) {
    const w = softmax(a);
    const mean = w.reduce((sum, share, i) => sum + share * l1[i], 0);
    for (const [i, share] of w.entries()) {
      const gradient = share * (l1[i] - mean);
      m[i] = 0.9 * m[i] + 0.1 * gradient;
      v[i] = 0.999 * v[i] + 0.001 * gradient ** 2;
      a[i] -= (RATE * (m[i] / (1 - 0.9 ** t))) / (Math.sqrt(v[i] / (1 - 0.999 ** t)) + 1e-8);
    }
  }
  return softmax(a);
}

function table(
  attempts: readonly Attempt[],
  sources: readonly { name: string; l1: readonly (readonly number[])[] }[],
): Table {
  const [first] = attempts;
  const rows: (string | number | null)[][] = [
    ['at the start', null, null, null, ...INITIAL],
    [`literal, trained for ${first.steps} steps`, ...first.l1, ...first.weights],
  ];
  for (const { name, l1 } of sources) {
    for (const steps of [PUBLISHED_STEPS, LONG]) {
      rows.push([`${name}, descent for ${steps} steps`, ...l1[0], ...descend(INITIAL, l1[0], steps)]);
    }
  }
  return {
    title: 'Tier weights, seed 0',
    columns: ['', 'L1, tier 1', 'L1, tier 2', 'L1, tier 3', 'w, tier 1', 'w, tier 2', 'w, tier 3'],
    rows: rows.map((row) => [...row, ...Array<null>(7 - row.length).fill(null)]),
  };
}
