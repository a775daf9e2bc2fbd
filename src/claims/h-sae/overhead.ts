/** What the experts of H-SAE cost beside the flat SAE of the top width. */
import { CpuDevice } from '../../engine/cpu/device.ts';
import { architectureNamed } from '../../sae/registry.ts';
import type { Claim, Table } from '../claim.ts';
import { compareMetrics, compareSides } from '../compare.ts';
import { constants, perSeed, ratios } from '../derived.ts';
import { NO_DATA, verdictOf, type Comparison } from '../judge.ts';
import type { Lab } from '../lab.ts';
import { hSae, topk } from '../recipes.ts';
import type { ScaleName } from '../scales.ts';
import { timeEncode } from '../../evals/cost/timing.ts';
import { inTurn, timerOnNoise } from '../timing.ts';
import { openIn, show } from '../words.ts';

/** Top width n, width of an activation, active top latents, rows of a batch: twice n, as published. */
const SIZES: Readonly<Record<ScaleName, { n: number; d: number; k: number; batch: number }>> = {
  tiny: { n: 512, d: 64, k: 8, batch: 1024 },
  small: { n: 4096, d: 256, k: 16, batch: 8192 },
  full: { n: 16_384, d: 2304, k: 32, batch: 32_512 },
};
const EXPERTS = { atoms: 16, subspace: 4 };
const ROUNDS = 9;

const LIMITS = { encode: 1.15, step: 1.3 };

/** Standard deviations above the mean that one in 8, 16, … of normal scores reaches, by the share that shall pass. */
const CUT = 1.86;

const FLAT = 'topk of the top width and k';

export const hsaeOverhead: Claim = {
  id: 'hsae-overhead',
  paper: 'h-sae',
  statement: 'Negligible computational overhead over a flat SAE of the top width.',
  published: 'text; no figure',
  protocol:
    'h-sae (16 sub-latents, subspace of 4) and topk of equal top width n and k, both with fresh weights on random inputs, n = 4096, ' +
    'd = 256, k = 16, batches of 2n rows as published (other sizes at other scales): time of encoding and of a training step, in turn, ' +
    '9 rounds as the units of the interval. θ is such that about one top latent in 32 passes it. Beside it the step without the ' +
    'orthogonality loss; trained SAEs of the scale; parameters.',
  rule: 'Encoding takes at most 1.15 times, a step at most 1.3 times as long; parameters are stated.',
  async test(lab) {
    const { n, d, k, batch } = SIZES[lab.scaleName];
    const flat = { width: n, k };
    const experts = { width: n, k, ...EXPERTS, theta: CUT * Math.sqrt(2 / d) };
    const times = await timesOf([flat, experts, { ...experts, ortho: 0 }], { d, batch });
    const comparisons: Comparison[] = [];
    const limit = (what: string, [a, b]: number[][], most: number, name: string, decides: boolean): void => {
      const definition = 'milliseconds, one round';
      const [measured, against] = [perSeed(a, 'ms', definition), perSeed(b, 'ms', definition)];
      const ratio = ratios(measured, against, `time over that of ${FLAT}`);
      comparisons.push(
        compareMetrics(NO_DATA, [name, ratio], ['limit', constants(most, ratio, 'the limit of the rule')], {
          what,
          claimed: { is: 'not higher', margin: 0 },
          matching: 'top width and k',
          decides,
        }),
      );
    };
    limit('encode time / flat', [times.encode[1], times.encode[0]], LIMITS.encode, 'h-sae', true);
    limit('step time / flat', [times.step[1], times.step[0]], LIMITS.step, 'h-sae', true);
    limit(
      'step time / flat',
      [times.step[2], times.step[0]],
      LIMITS.step,
      'h-sae without its orthogonality loss',
      false,
    );
    comparisons.push(...(await ofTrained(lab)));
    const [encode, step, withoutOrtho] = comparisons;
    const { flops, parameters } = ratiosAt({ n, d, k, ...EXPERTS });
    const atPaper = ratiosAt(PUBLISHED);
    return {
      verdict: verdictOf(comparisons),
      because:
        `Encoding takes ${show(encode.valueA)} times, a step ${show(step.valueA)} times as long as that of the flat SAE; without the ` +
        `orthogonality loss, which multiplies all n encoder with all n decoder rows in every step, a step takes ${show(withoutOrtho.valueA)} ` +
        `times as long. By arithmetic it encodes with ${show(flops)} times the FLOPs and has ${show(parameters)} times the parameters, and so ` +
        `the memory of weights, gradients and Adam; at the published size with ${show(atPaper.flops)} and ${show(atPaper.parameters)} times.${openIn(comparisons)}`,
      comparisons,
      tables: [costs()],
    };
  },
};

async function timesOf(
  [flat, ...others]: readonly object[],
  shape: { d: number; batch: number },
): Promise<{ encode: number[][]; step: number[][] }> {
  const device = await CpuDevice.create();
  try {
    const timed = [
      timerOnNoise(device, 'topk', flat, shape),
      ...others.map((keys) => timerOnNoise(device, 'h-sae', keys, shape)),
    ];
    const measures = [
      ...timed.map(
        ({ sae, x }) =>
          () =>
            timeEncode(device, sae, x),
      ),
      ...timed.map((one) => () => one.step()),
    ];
    const all = await inTurn(measures, ROUNDS);
    return { encode: all.slice(0, timed.length), step: all.slice(timed.length) };
  } finally {
    await device.close();
  }
}

/** The small SAEs of the scale: their experts weigh more, as k·s is no small part of n. */
async function ofTrained(lab: Lab): Promise<Comparison[]> {
  const comparisons: Comparison[] = [];
  for (const data of lab.available('W', 'S')) {
    const spec = hSae(lab, data);
    const { width, k } = spec.keys as { width: number; k: number };
    const sides = [
      { name: 'h-sae', spec },
      { name: FLAT, spec: topk(lab, data, { width, k }) },
    ] as const;
    for (const [what, metric] of [
      ['encode time of trained SAEs', 'cost.encode_ms'],
      ['step time of trained SAEs', 'cost.step_ms'],
      ['memory of trained SAEs', 'cost.memory_mb'],
    ] as const) {
      comparisons.push(
        await compareSides(lab, ...sides, {
          what,
          metric,
          claimed: { is: 'not higher', margin: 0 },
          matching: 'top width and k',
          decides: false,
        }),
      );
    }
  }
  return comparisons;
}

interface Sizes {
  readonly n: number;
  readonly d: number;
  readonly k: number;
  readonly atoms: number;
  readonly subspace: number;
}

const PUBLISHED: Sizes = { n: 16_384, d: 2304, k: 32, atoms: 64, subspace: 8 };

/** Of h-sae over topk of the top width and k, by arithmetic. */
function ratiosAt({ n, d, k, atoms, subspace }: Sizes): { flops: number; parameters: number } {
  const [experts, flat] = [architectureNamed('h-sae'), architectureNamed('topk')];
  const a = experts.cost(experts.schema.parse({ width: n, k, atoms, subspace }), d);
  const b = flat.cost(flat.schema.parse({ width: n, k }), d);
  return { flops: a.encodeFlops / b.encodeFlops, parameters: a.parameters / b.parameters };
}

function costs(): Table {
  const shapes = [...Object.values(SIZES).map(({ n, d, k }) => ({ n, d, k, ...EXPERTS })), PUBLISHED];
  return {
    title: 'h-sae over topk of the top width and k, by arithmetic',
    columns: ['n', 'd', 'k', 'sub-latents', 'subspace', 'encode FLOPs', 'parameters'],
    rows: shapes.map((sizes) => {
      const { flops, parameters } = ratiosAt(sizes);
      return [sizes.n, sizes.d, sizes.k, sizes.atoms, sizes.subspace, flops, parameters];
    }),
  };
}
