import { afterAll, describe, expect, it } from 'vitest';
import { SynthBench } from '../../src/activations/synth-bench/synth-bench.ts';
import { ToyTree } from '../../src/activations/toy-tree.ts';
import { EMBEDDED_MODEL } from '../../src/cli/embedded-model.ts';
import { Random } from '../../src/core/random.ts';
import type { Device } from '../../src/engine/device.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
import type { EvalContext } from '../../src/evals/context.ts';
import type { Metric, Metrics } from '../../src/evals/metric.ts';
import { evaluateTruth } from '../../src/evals/truth.ts';
import { Forest } from '../../src/forest/forest.ts';
import { LanguageModel } from '../../src/lm/model.ts';
import type { Sae } from '../../src/sae/architecture.ts';
import { axes, context, dualRows, linearSae, memorySource, perfectSae, sample, values } from './support.ts';

const device: Device = new ReferenceDevice();
afterAll(() => device.close());

/** 6 trees of a root and 3 children, and 4 features without a tree. */
const tree = new ToyTree(3, { roots: 6, leaves: 4, d: 28, heldOutRows: 8000 });
const d = tree.d;
const features = tree.features;
const all = Array.from({ length: features }, (_, j) => j);

const measure = async (sae: Sae, changes: Partial<EvalContext> = {}): Promise<Metrics> =>
  (await evaluateTruth(context(device, sae, tree, { batchRows: 500, ...changes }))).metrics;

/** Latents that mix features a little, in an order of one's choice, with a forest of their own. */
function blurredSae(order: readonly number[], parents: ArrayLike<number>): Sae {
  const random = new Random(4);
  const blur = (rows: ArrayLike<number>, by: number): number[] =>
    Array.from(rows, (value) => value + by * random.normal());
  const [W, W_dec] = [blur(dualRows(tree.directions, features, d), 0.1), blur(tree.directions, 0.1)];
  const place = Array.from({ length: features }, (_, latent) => order.indexOf(latent));
  const rows = (of: readonly number[]): number[] => order.flatMap((latent) => of.slice(latent * d, (latent + 1) * d));
  const forest = order.map((latent) => (parents[latent] === -1 ? -1 : place[parents[latent]]));
  return { ...linearSae(device, d, rows(W), rows(W_dec)), forest: new Forest(forest) };
}

const LINKS = ['edge', 'ancestor'].flatMap((links) =>
  ['precision', 'recall', 'f1', 'precision_matched', 'f1_matched'].map((name) => `${links}_${name}`),
);

describe('a perfect SAE', () => {
  it('scores perfectly, and far above what chance gives', async () => {
    const metrics = await measure(perfectSae(device, tree.directions, d, all, [...tree.truth.parent]));
    const ones = ['mcc', 'uniqueness', 'feature_f1', 'features_found', 'kinds_found', 'leaves_found', 'links_right'];
    for (const name of [...ones, 'feature_precision', 'feature_recall', 'shrinkage', 'refinement', ...LINKS]) {
      expect(metrics[name].value, name).toBeCloseTo(1, 5);
      expect(metrics[name].low, name).toBeCloseTo(1, 5);
      expect(metrics[name].n, name).toBeGreaterThan(0);
    }
    expect(metrics.lca_depth_error.value).toBe(0);
    for (const name of [...LINKS, 'links_right', 'refinement']) {
      const { shuffled } = metrics[name].nulls!;
      expect(shuffled.high!, name).toBeLessThan(0.7);
      expect(shuffled.effect!, name).toBeGreaterThan(3);
    }
    expect(metrics.lca_depth_error.nulls!.shuffled.low).toBeGreaterThan(0.3);
    expect(metrics.feature_f1.nulls!.independent.value).toBeLessThan(0.2);
    expect(metrics.mcc.nulls!.random_directions).toMatchObject({ draws: 20 });
    expect(metrics.mcc.nulls!.random_directions.high!).toBeLessThan(0.6);
  });

  it('is told from random directions, which are at their null', async () => {
    const random = new Random(12);
    const rows = Float32Array.from({ length: features * d }, () => random.normal());
    const { mcc, uniqueness, features_found: found } = await measure(linearSae(device, d, rows, rows));
    for (const measured of [mcc, uniqueness]) {
      const { low, high } = measured.nulls!.random_directions;
      expect(measured.value).toBeGreaterThan(low! - 0.1);
      expect(measured.value).toBeLessThan(high! + 0.1);
    }
    expect(found.value).toBeLessThan(0.1);
  });

  it('of another size and scale too', async () => {
    const settings = { features: 40, d: 48, roots: 5, branching: 2, depth: 2, minProbability: 0.05, biasNorm: 0 };
    const bench = await SynthBench.open(2, { ...settings, heldOutRows: 4000 });
    const forty = Array.from({ length: 40 }, (_, j) => j);
    const parents = [...bench.truth.parent];
    const shrunk = perfectSae(
      device,
      bench.directions.map((value) => 3 * value),
      48,
      forty,
      parents,
    );
    const { metrics } = await evaluateTruth(context(device, shrunk, bench, { batchRows: 1000 }));
    expect(metrics.mcc.value).toBeCloseTo(1, 5);
    expect(metrics.latent_recall.value).toBeGreaterThan(0.99);
    expect(metrics.edge_recall.value).toBe(1);
    expect(metrics.lca_depth_error.value).toBe(0);
  });
});

describe('a forest', () => {
  it('of parents at random is at the null', async () => {
    const random = new Random(6);
    const kinds = all.filter((j) => tree.truth.children(j).length > 0);
    const parents = all.map((j) => (tree.truth.parent[j] === -1 ? -1 : kinds[random.below(kinds.length)]));
    const metrics = await measure(perfectSae(device, tree.directions, d, all, parents));
    expect(metrics.features_found.value).toBe(1);
    for (const name of [...LINKS, 'links_right', 'refinement', 'lca_depth_error']) {
      const { shuffled } = metrics[name].nulls!;
      expect(metrics[name].value, name).toBeGreaterThanOrEqual(shuffled.low!);
      expect(metrics[name].value, name).toBeLessThanOrEqual(shuffled.high!);
      expect(shuffled.draws).toBe(100);
    }
  });

  it('that is given is judged in place of the own one', async () => {
    const sae = perfectSae(
      device,
      tree.directions,
      d,
      all,
      all.map(() => -1),
    );
    const none = await measure(sae);
    expect(none.edge_recall.value).toBe(0);
    expect(none.edge_f1.value).toBe(0);
    expect(none.edge_precision.insufficient).toMatch(/there are 0 such links, at least 5 are needed/);
    expect(none.edge_precision.value).toBeNull();
    // Every pair of a parent and its child or of siblings: without a link their common ancestor is nowhere.
    expect(none.lca_depth_error.value).toBe(1);
    const given = await measure(sae, { forest: tree.truth });
    expect(given.edge_f1.value).toBe(1);
    expect(given.edge_f1.definition).toContain('the forest that was given');
  });

  it('is extracted from training rows where there is none', async () => {
    const metrics = await measure(perfectSae(device, tree.directions, d, all));
    expect(metrics.edge_recall.value).toBe(1);
    expect(metrics.edge_precision.definition).toMatch(/extracted from [\d,]+ training rows/);
  });
});

describe('the suite', () => {
  const blurred = blurredSae(all, tree.truth.parent);

  it('does not depend on the order of the latents', async () => {
    const random = new Random(8);
    const order = [...all].sort(() => random.uniform() - 0.5);
    expect(order).not.toEqual(all);
    const [one, other] = [await measure(blurred), await measure(blurredSae(order, tree.truth.parent))];
    expect(Object.keys(other)).toEqual(Object.keys(one));
    for (const [name, { value, low, high }] of Object.entries(one)) {
      const same = (a: number | null, b: number | null): void => {
        if (b === null) expect(a, name).toBeNull();
        else expect(a, name).toBeCloseTo(b, 9);
      };
      same(other[name].value, value);
      same(other[name].low, low);
      same(other[name].high, high);
    }
    expect(one.feature_f1.value).toBeGreaterThan(0.4);
    expect(one.feature_f1.value).toBeLessThan(0.999);
  });

  it('does not depend on the batches', async () => {
    const whole = await measure(blurred, { batchRows: 8000 });
    for (const batchRows of [77, 1024]) expect(await measure(blurred, { batchRows })).toEqual(whole);
  });

  it('draws the same resamples for every SAE on the same rows', async () => {
    const perfect = await measure(perfectSae(device, tree.directions, d, all, [...tree.truth.parent]));
    const other = await measure(blurred);
    for (const name of ['feature_f1', 'mcc', 'edge_recall', 'features_found'] as const) {
      const [a, b]: Metric[] = [perfect[name], other[name]];
      expect(a.replicates).toHaveLength(1000);
      expect(b.replicates).toHaveLength(1000);
    }
    expect(await measure(blurred)).toEqual(other);
    const otherSeed = await measure(blurred, { seed: 1 });
    expect(values(otherSeed)).toEqual({ ...values(other), lca_depth_error: otherSeed.lca_depth_error.value });
  });

  it('reports levels that stand alone', async () => {
    const sae = perfectSae(device, tree.directions, d, all, [...tree.truth.parent]);
    const views = [...sae.views, { name: 'first', from: 0, to: 8 }];
    const { views: measured } = await evaluateTruth(context(device, { ...sae, views }, tree));
    expect(measured.first.features_found.value).toBeCloseTo(8 / 28, 9);
    expect(measured.first.mcc).toMatchObject({ n: 8 });
    expect(measured.first.mcc.value).toBeCloseTo(1, 6);
    expect(measured.first.edge_f1).toBeUndefined();
  });

  it('gives no numbers from too few rows', async () => {
    const metrics = await measure(blurred, { rows: 60 });
    for (const name of ['feature_f1', 'features_found', 'kinds_found']) {
      expect(metrics[name].value).toBeNull();
      expect(metrics[name].insufficient).toMatch(/take more --rows/);
    }
    expect(metrics.mcc.value).toBeGreaterThan(0.5);
  });

  it('says where nothing is known', async () => {
    const { acts } = sample(50, 6);
    const sae = linearSae(device, 6, axes(6), axes(6));
    const { metrics, skipped } = await evaluateTruth(context(device, sae, memorySource(acts, 6)));
    expect(metrics).toEqual({});
    expect(Object.keys(skipped)).toEqual(expect.arrayContaining(['mcc', 'feature_f1', 'edge_f1', 'refinement']));
    expect(skipped.mcc).toBe('no model in this test');
  });

  it('finds concepts of the world that latents were made for', async () => {
    const model = await LanguageModel.open(EMBEDDED_MODEL);
    const { d } = model.info;
    const harvested = { model, layer: 1, hook: 'resid_post', bosId: 0, dropped: [0], packed: false };
    const random = new Random(1);
    const rows = Float32Array.from({ length: 40 * d }, () => random.normal());
    const sae = { ...linearSae(device, d, rows, rows), forest: new Forest(Array<number>(40).fill(-1)) };
    const changes = { model: harvested, rows: 6000, batchRows: 1000 };
    const { metrics, skipped } = await evaluateTruth(context(device, sae, memorySource(rows, d), changes));
    expect(skipped.mcc).toMatch(/not known/);
    expect(metrics.mcc).toBeUndefined();
    expect(metrics.feature_f1.definition).toContain('one to one');
    expect(metrics.features_found.definition).toContain('F1 ≥ 0.5');
    expect(metrics.features_found.value).toBeLessThan(0.05);
    expect(metrics.feature_f1.n).toBeGreaterThan(30);
  });
});
