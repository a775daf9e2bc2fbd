/**
 * Composition coverage of a trained model: the share of the active entries of a tier that get at least half of their positive input from
 * the tier below, (V h)₊ ≥ ½ [(W (x − b))₊ + (V h)₊ + (bias)₊] (methods 4.4), beside the same with the latents of the tier below shuffled.
 */
import { Permutation } from '../../core/permutation.ts';
import { Random } from '../../core/random.ts';
import type { Codes } from '../../core/codes.ts';
import type { Device, Tensor } from '../../engine/device.ts';
import type { EvalContext } from '../../evals/context.ts';
import { HeldOutRows } from '../../evals/held-out-rows.ts';
import { besideNull, Bootstrap, total, type Metric } from '../../evals/metric.ts';
import { Reconstructor } from '../../sae/reconstructor.ts';
import type { TrainableSae } from '../../sae/architecture.ts';

const DRAWS = 20;

/** Latents of one tier and of the one below, in the model; their weights. */
export interface TierWeights {
  readonly from: number;
  readonly to: number;
  readonly below: { readonly from: number; readonly to: number };
  /** [n, d] */
  readonly W: Float32Array;
  /** [n below, n] */
  readonly V: Float32Array;
  /** [n] */
  readonly bias: Float32Array;
  /** [d] */
  readonly center: Float32Array;
}

/** @returns the metric of tiers 2 and 3 */
export async function compositionCoverage(context: EvalContext, sae: TrainableSae): Promise<Metric[]> {
  const { device, source, normalization, seed } = context;
  const rows = await HeldOutRows.open(source, normalization, context);
  const reconstructor = await Reconstructor.create(device, sae);
  try {
    const tiers = await Promise.all([2, 3].map((number) => weightsOf(device, sae, number)));
    const counts = tiers.map((tier) => new CoverageCounts(tier, rows.units.count, seed));
    for await (const { start, normalized } of rows.batches()) {
      const { codes } = await reconstructor.run(normalized, []);
      for (const count of counts) count.add(normalized, codes, (r) => rows.units.of(start + r));
    }
    const bootstrap = new Bootstrap(rows.units, seed);
    return counts.map((count) => count.metric(bootstrap));
  } finally {
    reconstructor.release();
  }
}

/** Entries per unit: active ones, and covered ones with the true tier below and with every shuffled one. */
export class CoverageCounts {
  readonly active: Float64Array;
  readonly covered: Float64Array;
  readonly shuffled: Float64Array;
  readonly #tier: TierWeights;
  /** [draws][n below] latent whose weights another one gets. */
  readonly #deals: readonly Uint32Array[];

  constructor(tier: TierWeights, units: number, seed: number) {
    this.#tier = tier;
    this.active = new Float64Array(units);
    this.covered = new Float64Array(units);
    this.shuffled = new Float64Array(DRAWS);
    const n = tier.below.to - tier.below.from;
    this.#deals = Array.from({ length: DRAWS }, (_, draw) => {
      const order = new Permutation(n, new Random(seed, 'composition', 'deal', draw));
      return Uint32Array.from({ length: n }, (__, j) => order.at(j));
    });
  }

  /** @param x [rows, d], normalised @param unitOf a row of it */
  add(x: Float32Array, codes: Codes, unitOf: (row: number) => number): void {
    const { from, to, below, W, V, bias, center } = this.#tier;
    const { index, value, rowPtr } = codes;
    const [d, n] = [center.length, to - from];
    for (let r = 0; r < codes.rows; r++) {
      const [first, last] = [rowPtr[r], rowPtr[r + 1]];
      const h: [latent: number, value: number][] = [];
      for (let e = first; e < last; e++) {
        if (value[e] !== 0 && index[e] >= below.from && index[e] < below.to) h.push([index[e] - below.from, value[e]]);
      }
      for (let e = first; e < last; e++) {
        const i = index[e] - from;
        if (value[e] === 0 || i < 0 || i >= n) continue;
        let direct = 0;
        for (let c = 0; c < d; c++) direct += W[i * d + c] * (x[r * d + c] - center[c]);
        const others = Math.max(0, direct) + Math.max(0, bias[i]);
        const isCovered = (deal?: Uint32Array): boolean => {
          let composed = 0;
          for (const [j, z] of h) composed += z * V[(deal ? deal[j] : j) * n + i];
          return composed > 0 && composed >= others;
        };
        const unit = unitOf(r);
        this.active[unit]++;
        if (isCovered()) this.covered[unit]++;
        for (const [draw, deal] of this.#deals.entries()) if (isCovered(deal)) this.shuffled[draw]++;
      }
    }
  }

  metric(bootstrap: Bootstrap): Metric {
    const measured = bootstrap.ratio(this.covered, this.active, {
      unit: 'share of active entries',
      definition:
        'active entries of the tier with (V h)₊ ≥ ½ [(W (x − b))₊ + (V h)₊ + (bias)₊], h the codes of the tier below / active entries',
    });
    const active = total(this.active);
    const draws = this.shuffled.map((covered) => covered / active);
    return besideNull(
      measured,
      'shuffled',
      draws,
      `the same with the latents of the tier below dealt anew at random, ${DRAWS} draws`,
    );
  }
}

async function weightsOf(device: Device, sae: TrainableSae, number: number): Promise<TierWeights> {
  const read = (name: string): Promise<Float32Array> => {
    const { tensor } = sae.parameters.find((one) => one.name === name)!;
    return device.read(tensor as Tensor & { dtype: 'f32' });
  };
  const endOf = (tier: number): number =>
    tier === 0 ? 0 : sae.views.find(({ name }) => name === (tier === 3 ? 'full' : `tier-${tier}`))!.to;
  return {
    from: endOf(number - 1),
    to: endOf(number),
    below: { from: endOf(number - 2), to: endOf(number - 1) },
    W: await read(`tier${number}.W_enc`),
    V: await read(`tier${number}.V`),
    bias: await read(`tier${number}.b_enc`),
    center: await read('b_dec'),
  };
}
