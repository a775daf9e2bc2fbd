/** The published compositional model: what it computes, and how it fails. Needs the built program. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
import { compositional } from '../../src/sae/compositional.ts';
import { jsonOf, launch, latestOf, makeShards, sets, temporaryFolder } from '../training/support.ts';
import { build, clustered, difference, floats, onDevices, parameter, passOf, put, train } from './bench.ts';

const [D, ROWS] = [16, 32];
const WIDTHS = [24, 32, 40];
const config = (over: Record<string, unknown> = {}): Record<string, unknown> => ({
  variant: 'literal',
  width: WIDTHS,
  lr: 0.003,
  ...over,
});
const batchOf = (seed: number) => (step: number) => clustered(new Random(seed, step), ROWS, D);

const WEIGHTS = [0.1, 0.3, 0.6];

/** λ1 w_i at the start. */
const penaltyOf = (tier: number): number => 0.04 * WEIGHTS[tier - 1];

/** One token of zeros: nothing in, and nothing in tier 1, since biases start at 0. */
const withEmptyToken = (step: number): Float32Array => batchOf(5)(step).fill(0, 3 * D, 4 * D);

/** Layer norm without epsilon. */
function normalized(h: readonly number[]): number[] {
  const mean = h.reduce((sum, v) => sum + v, 0) / h.length;
  const std = Math.sqrt(h.reduce((sum, v) => sum + (v - mean) ** 2, 0) / h.length);
  return h.map((v) => (v - mean) / std);
}

onDevices((device) => {
  it('trains on ordinary inputs', async () => {
    const totals = await train(device(), build(device(), compositional, config()), 100, batchOf(1));
    expect(totals.at(-1)!).toBeLessThan(0.5 * totals[0]);
  });

  it('w = softmax(a) weighs the penalty, and its first step goes against the sign of ∂L/∂a', async () => {
    const sae = build(device(), compositional, config({ warmupSteps: 0 }));
    await train(device(), sae, 1, batchOf(1), ({ forward, losses, total }) => {
      const l1 = [1, 2, 3].map((i) => losses[`l1_${i}`]);
      const terms = [1, 2, 3].map((i) => forward.losses[`l1_${i}`].weight);
      terms.forEach((term, i) => expect(term).toBeCloseTo(penaltyOf(i + 1), 12));
      const mean = l1.reduce((sum, value, i) => sum + WEIGHTS[i] * value, 0);
      expect(total).toBeCloseTo(losses.l2 + 0.04 * mean, 6);
      for (const [i, value] of l1.entries()) {
        const start = Math.log(WEIGHTS[i]) * (1 - 0.003 * 1e-4);
        expect(sae.hostState[`a${i + 1}`]).toBeCloseTo(start - 0.003 * Math.sign(value - mean), 6);
      }
    });
    expect(sae.hostState.taken).toBe(1);
  });

  it('is the published formula', async () => {
    const sae = build(device(), compositional, config());
    await train(device(), sae, 5, batchOf(2));
    const values = batchOf(3)(0);
    const { codes, losses } = await passOf(device(), sae, put(device(), values, ROWS, D), 5);
    const weights = await Promise.all(
      [1, 2, 3].map(async (tier) => ({
        W: await floats(device(), parameter(sae, `tier${tier}.W_enc`)),
        b: await floats(device(), parameter(sae, `tier${tier}.b_enc`)),
      })),
    );
    for (const [r, entries] of codes.entries()) {
      let input = [...values.subarray(r * D, r * D + D)];
      const all: number[] = [];
      for (const [i, { W, b }] of weights.entries()) {
        const h = Array.from({ length: WIDTHS[i] }, (_, j) =>
          Math.max(
            0,
            input.reduce((sum, v, p) => sum + v * W[j * input.length + p], b[j]),
          ),
        );
        all.push(...h);
        input = normalized(h);
      }
      const dense = Array.from({ length: sae.width }, () => 0);
      for (const { latent, value } of entries) dense[latent] = value;
      expect(difference(dense, all)).toBeLessThan(1e-4);
    }
    for (const [i, from] of [0, 24, 56].entries()) {
      const own = codes.flat().filter(({ latent }) => latent >= from && latent < from + WIDTHS[i]);
      expect(losses[`l1_${i + 1}`]).toBeCloseTo(own.reduce((sum, { value }) => sum + value, 0) / ROWS, 3);
    }
  });

  it('gradients reach the first tier through both layer norms', async () => {
    const sae = build(device(), compositional, config());
    // The first and second decoder are nothing: all that comes to tier 1 comes through the tiers above and the penalty.
    for (const name of ['tier1.W_dec', 'tier2.W_dec']) {
      const { shape } = parameter(sae, name);
      device().write(parameter(sae, name), new Float32Array(shape[0] * shape[1]));
    }
    const x = put(device(), batchOf(4)(0), ROWS, D);
    const total = async (): Promise<number> => {
      const { losses } = await passOf(device(), sae, x, 0);
      return losses.l2 + [1, 2, 3].reduce((sum, i) => sum + penaltyOf(i) * losses[`l1_${i}`], 0);
    };
    const { gradients } = await passOf(device(), sae, x, 0);
    for (const name of ['tier1.W_enc', 'tier2.W_enc', 'tier1.b_enc']) {
      const tensor = parameter(sae, name);
      const values = await floats(device(), tensor);
      const scale = Math.hypot(...gradients[name]);
      // Along the gradient: the derivative is its norm.
      const step = 1e-3;
      const ends: number[] = [];
      for (const sign of [1, -1]) {
        device().write(
          tensor,
          values.map((v, i) => v + (sign * step * gradients[name][i]) / scale),
        );
        ends.push(await total());
      }
      device().write(tensor, values);
      expect((ends[0] - ends[1]) / (2 * step) / scale).toBeCloseTo(1, 1);
    }
  });

  it('a tier that is silent for one token makes the step one that is not taken, and says so', async () => {
    const sae = build(device(), compositional, config());
    await train(device(), sae, 1, withEmptyToken, ({ taken, losses, total }) => {
      expect([taken, total]).toEqual([false, NaN]);
      expect(losses.silent_1).toBe(1);
      expect(sae.explainDivergence!(losses)).toMatch(/tier 1 went silent for 1 tokens of the batch: .* 0\/0/);
    });
    expect(sae.hostState.taken).toBe(0);
  });
});

describe('through the command line', () => {
  it('diverges with exit code 3, and the causes are named: a silent tier, inputs that are not normalised', async () => {
    const folder = temporaryFolder();
    const out = join(folder, 'run');
    // Rows of norm 0 … 600 with one huge dimension.
    const acts = makeShards(join(folder, 'acts'));
    const settings = sets('variant=literal', 'normalize=none', 'width=[2,4,6]', 'batch=32', 'maxBadSteps=5');
    const flags = ['--arch', 'compositional', '--tokens', '3200', '--threads', '1', ...settings];
    const ended = await launch(['train', '--acts', acts, '--out', out, ...flags]);
    expect(ended.code, ended.err).toBe(3);
    expect(ended.err).toMatch(/^error: compositional diverged: 5 steps in a row without a finite loss/m);
    expect(ended.err).toMatch(/tier [12] went silent for \d+ tokens of the batch: LayerNorm of zeros is 0\/0/);
    expect(ended.err).toMatch(/the inputs are not normalised: their mean norm was \d+ where 2\.45 is ordinary/);
    expect(ended.err).not.toContain('    at ');
    expect(jsonOf(join(out, 'run.json'))).toMatchObject({ state: 'diverged' });
    // What was good is kept, and the stable variant trains on the same inputs.
    expect(jsonOf(join(latestOf(out), 'state.json'))).toBeDefined();
    const stable = sets('normalize=scalar', 'width=[2,4,6]', 'k=3', 'batch=32');
    const other = ['--arch', 'compositional', '--tokens', '3200', '--threads', '1', ...stable];
    const trained = await launch(['train', '--acts', acts, '--out', join(folder, 'stable'), ...other]);
    expect(trained.code, trained.err).toBe(0);
  });
});

const without = (...literalWithout: string[]): Record<string, unknown> => config({ literalWithout });

describe('parts left out', () => {
  onDevices((device) => {
    it('without LayerNorm a token of zeros does no harm, and gradients reach the first tier', async () => {
      const sae = build(device(), compositional, without('layer_norm'));
      const totals = await train(device(), sae, 20, withEmptyToken, ({ taken, losses }) => {
        expect(taken).toBe(true);
        expect(losses).not.toHaveProperty('norm_1');
      });
      expect(totals.at(-1)!).toBeLessThan(totals[0]);
    });

    it('without learned weights w stays', async () => {
      const sae = build(device(), compositional, without('learned_weights'));
      await train(device(), sae, 3, batchOf(1));
      expect([1, 2, 3].map((i) => Math.exp(sae.hostState[`a${i}`]))).toEqual(WEIGHTS.map((w) => Math.exp(Math.log(w))));
    });

    it('without a free decoder its rows have unit norm after every step', async () => {
      const sae = build(device(), compositional, without('free_decoder'));
      await train(device(), sae, 3, batchOf(1));
      const rows = await floats(device(), parameter(sae, 'tier2.W_dec'));
      for (let i = 0; i < WIDTHS[1]; i++) expect(Math.hypot(...rows.subarray(i * D, (i + 1) * D))).toBeCloseTo(1, 5);
    });
  });

  it('without tier clips there is one for all, without weight decay none', () => {
    const { update } = build(new ReferenceDevice(), compositional, without('tier_clips', 'weight_decay'));
    expect(update.stages.filter(({ kind }) => kind === 'clip')).toEqual([{ kind: 'clip', maxNorm: 1, style: 'torch' }]);
    expect(update.weightDecay).toBe(0);
    expect(build(new ReferenceDevice(), compositional, config()).update.weightDecay).toBe(1e-4);
  });
});

describe('configuration', () => {
  it('needs weights whose logarithms exist, and no k', () => {
    expect(compositional.check!(compositional.schema.parse(config({ tierWeights: [0, 0.4, 0.6] })))).toMatch(
      /^tierWeights: .* positive$/,
    );
    expect(compositional.check!(compositional.schema.parse(config({ k: 1000 })))).toBe(undefined);
  });

  it('costs what it says, and clips tier by tier', () => {
    const sae = build(new ReferenceDevice(), compositional, config());
    const { parameters } = compositional.cost(compositional.schema.parse(config()), D);
    const sizes = sae.parameters.map(({ tensor }) => tensor.shape.reduce((a, b) => a * b));
    expect(parameters).toBe(sizes.reduce((sum, n) => sum + n));
    const clips = sae.update.stages.flatMap((stage) => (stage.kind === 'clip' ? [[stage.maxNorm, stage.only]] : []));
    expect(clips).toEqual(
      [1, 2, 5].map((norm, i) => [norm, ['W_enc', 'b_enc', 'W_dec'].map((name) => `tier${i + 1}.${name}`)]),
    );
  });
});
