/** What H-SAE reconstructs for its price. */
import { quantiles } from '../../core/statistics.ts';
import { CpuDevice } from '../../engine/cpu/device.ts';
import { atMatched } from '../../evals/matching.ts';
import type { Metric } from '../../evals/metric.ts';
import type { Claim } from '../claim.ts';
import { compareMetrics, compareSides, compareWithCurve, meanOf, type Question, type Side } from '../compare.ts';
import { perSeed } from '../derived.ts';
import { verdictOf, type Comparison } from '../judge.ts';
import type { Lab } from '../lab.ts';
import type { Spec } from '../spec.ts';
import { hSae, topk } from '../recipes.ts';
import type { DataName } from '../scales.ts';
import { timeEncode } from '../../evals/cost/timing.ts';
import { inTurn, timerOnNoise } from '../timing.ts';
import { openIn, show } from '../words.ts';

/** "On or above": below by less than this share of the variance does not count. */
const MARGIN = 0.005;

/** Rows that are encoded at once, and how often. */
const BATCH = 2048;
const ROUNDS = 15;

/** Top widths, as shares of the scale's. */
export const WIDTHS = [0.25, 0.5, 1];

const at = (lab: Lab, data: DataName, share: number): number => Math.round(share * lab.size(data).width);

const sidesOf = (lab: Lab, data: DataName): Side[] => [
  ...WIDTHS.map((share) => {
    const width = at(lab, data, share);
    return { name: `h-sae, ${width} × 8 sub-latents`, spec: hSae(lab, data, { width }) };
  }),
  {
    name: `h-sae, ${at(lab, data, 0.5)} × 64 sub-latents`,
    spec: hSae(lab, data, { keys: { atoms: 64, subspace: 8 } }),
  },
];

export const hsaeCompute: Claim = {
  id: 'hsae-compute',
  paper: 'h-sae',
  statement:
    '64 sub-latents per expert do as well as a flat SAE of twice the top width, at about a quarter of its compute.',
  published: 'a figure only (figure 3)',
  protocol:
    'S (W where no model is given for S), 3 seeds: h-sae with 8 sub-latents per expert at three top widths (× 1, 2, 4) and with 64 at the ' +
    'middle one, against the front of flat topk SAEs of four widths (× 1, 2, 4, 8) with 2k active latents, the most that h-sae can have, read off at the encode FLOPs ' +
    'per token, and at the measured encode time, of each h-sae; the flat SAE of twice the top width beside it.',
  rule: `Variance explained lies on or above the flat front (not more than ${MARGIN} below) at equal FLOPs and at equal time.`,
  async test(lab) {
    const [data = 'W'] = lab.available('S', 'W');
    const sides = sidesOf(lab, data);
    const { k } = hSae(lab, data).keys as { k: number };
    const flat = [...WIDTHS, 2].map((share) => topk(lab, data, { width: at(lab, data, share), k: 2 * k }));
    const front = { name: 'flat front', specs: flat };
    await lab.train([...sides.map(({ spec }) => spec), ...flat]);
    const question: Question = {
      what: 'variance explained',
      metric: 'core.variance_explained',
      claimed: { is: 'not lower', margin: MARGIN },
      matching: 'encode FLOPs',
    };
    const comparisons: Comparison[] = [];
    const times = await encodeTimes(await lab.width(data), [...sides.map(({ spec }) => spec), ...flat]);
    const [timesOfSides, timesOfFlat] = [times.slice(0, sides.length), times.slice(sides.length)];
    for (const [i, side] of sides.entries()) {
      comparisons.push(
        await compareWithCurve(lab, side, front, 'cost.flops_encode', question),
        await atEqualTime(lab, [side, timesOfSides[i]], [front, timesOfFlat], { ...question, matching: 'encode time' }),
      );
    }
    const wide = { name: 'topk of twice the top width', spec: flat[2] };
    const twice = await compareSides(lab, sides[3], wide, { ...question, matching: 'total L0', decides: false });
    comparisons.push(twice);
    const [flopsOfExperts] = await lab.metric(sides[3].spec, 'cost.flops_encode');
    const [flopsOfWide] = await lab.metric(wide.spec, 'cost.flops_encode');
    const l0 = [sides[3].spec, wide.spec].map((spec) => lab.metric(spec, 'core.l0_total').then(meanOf));
    const [l0OfExperts, l0OfWide] = await Promise.all(l0);
    const share = (flopsOfExperts.value ?? NaN) / (flopsOfWide.value ?? NaN);
    return {
      verdict: verdictOf(comparisons),
      because:
        `The h-sae of 64 sub-latents encodes with ${show(share)} of the FLOPs of a flat SAE of twice its top width (the published sizes ` +
        `make it about half, and never less) and its variance explained differs by ${show(twice.difference.value)} from that one’s, with a total L0 of ` +
        `${show(l0OfExperts)} against ${show(l0OfWide)}. The front is flat SAEs of that L0; their cheap members are cheap because a flat SAE can be small too.${openIn(comparisons)}`,
      comparisons,
    };
  },
};

/** Median milliseconds of encoding, all timed in turn; what it takes does not depend on the weights. */
async function encodeTimes(d: number, specs: readonly Spec[]): Promise<number[]> {
  const device = await CpuDevice.create();
  try {
    const timed = specs.map(({ arch, keys = {} }) => timerOnNoise(device, arch, keys, { d, batch: BATCH }));
    const times = await inTurn(
      timed.map(
        ({ sae, x }) =>
          () =>
            timeEncode(device, sae, x),
      ),
      ROUNDS,
    );
    return times.map((ofOne) => quantiles(Float64Array.from(ofOne), [0.5])[0]);
  } finally {
    await device.close();
  }
}

/** The front, read off at the time of the side. */
async function atEqualTime(
  lab: Lab,
  [{ name, spec }, time]: readonly [Side, number],
  [front, times]: readonly [{ name: string; specs: readonly Spec[] }, readonly number[]],
  question: Question,
): Promise<Comparison> {
  const ofSide = await lab.metric(spec, question.metric);
  const ofFront: Metric[][] = [];
  for (const member of front.specs) ofFront.push(await lab.metric(member, question.metric));
  const costs = perSeed(times, 'ms', 'median time of encoding');
  const atTime = ofSide.map((_, s) =>
    atMatched(
      ofFront.map((member, m) => ({ x: costs[m], y: member[s] })),
      time,
      'encode_ms',
    ),
  );
  return compareMetrics(spec.data, [name, ofSide], [front.name, atTime], question);
}
