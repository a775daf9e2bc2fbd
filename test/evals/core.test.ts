import { describe, expect, it } from 'vitest';
import { NORMALIZATIONS, fitNormalization } from '../../src/activations/normalization.ts';
import { ToyTree } from '../../src/activations/toy-tree.ts';
import { Random } from '../../src/core/random.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
import { evaluateCore } from '../../src/evals/core.ts';
import { toJson } from '../../src/evals/metric.ts';
import { axes, context, linearSae, memorySource, sample, values } from './support.ts';

const d = 6;
const { acts, origins } = sample(210, d);
const source = memorySource(acts, d, origins);

/** Mean over rows of f(row), from the definition. */
function meanOverRows(f: (row: Float32Array) => number): number {
  let sum = 0;
  for (let at = 0; at < acts.length; at += d) sum += f(acts.subarray(at, at + d));
  return sum / (acts.length / d);
}
const square = (row: ArrayLike<number>): number => Array.from(row).reduce((sum, x) => sum + x * x, 0);
const mean = Array.from({ length: d }, (_, j) => meanOverRows((row) => row[j]));

describe('core metrics of known reconstructions', () => {
  it('a perfect reconstruction', async () => {
    const device = new ReferenceDevice();
    const { metrics, skipped } = await evaluateCore(context(device, linearSae(device, d, axes(d), axes(d)), source));
    expect(values(metrics)).toMatchObject({
      variance_explained: 1,
      variance_explained_normalized: 1,
      variance_explained_legacy: 1,
      variance_explained_token_mean: 1,
      fraction_variance_explained_dl: 1,
      normalized_mse: 0,
      mse: 0,
      l0: d,
      dead_fraction: 0,
    });
    expect(metrics.cosine.value).toBeCloseTo(1, 12);
    expect(metrics.norm_ratio.value).toBeCloseTo(1, 12);
    expect(metrics.l1.value).toBeCloseTo(
      meanOverRows((row) => row.reduce((sum, x) => sum + Math.abs(x), 0)),
      10,
    );
    expect(metrics.variance_explained.definition).toMatch(/over 30 held-out documents$/);
    expect(metrics.variance_explained.n).toBe(210);
    expect(skipped.ce_sae).toBe('no model in this test');
  });

  it('the mean explains nothing', async () => {
    const device = new ReferenceDevice();
    const sae = linearSae(device, d, axes(d), new Float32Array(2 * d * d), mean);
    const { metrics } = await evaluateCore(context(device, sae, source));
    for (const name of ['variance_explained', 'variance_explained_normalized', 'variance_explained_legacy']) {
      expect(metrics[name].value).toBeCloseTo(0, 6);
    }
    expect(metrics.fraction_variance_explained_dl.value).toBeCloseTo(0, 6);
    // The resamples have means of their own, and no constant is better than the mean.
    expect(metrics.variance_explained.high).toBeLessThanOrEqual(1e-6);
  });

  it('nothing: x̂ = 0', async () => {
    const device = new ReferenceDevice();
    const sae = linearSae(device, d, axes(d), new Float32Array(2 * d * d));
    const { metrics } = await evaluateCore(context(device, sae, source));
    expect(values(metrics)).toMatchObject({ cosine: 0, norm_ratio: 0, normalized_mse: 1, l0: d });
    expect(metrics.mse.value).toBeCloseTo(meanOverRows(square) / d, 10);
    expect(metrics.fraction_variance_explained_dl.value).toBeCloseTo(0, 10);
    const spread = meanOverRows((row) => square(Array.from(row, (x, j) => x - mean[j])));
    expect(metrics.variance_explained.value).toBeCloseTo(1 - meanOverRows(square) / spread, 10);
  });

  it('a constant offset is free in one definition only', async () => {
    const device = new ReferenceDevice();
    const offset = new Float32Array(d).fill(0.3);
    const { metrics } = await evaluateCore(context(device, linearSae(device, d, axes(d), axes(d), offset), source));
    expect(metrics.fraction_variance_explained_dl.value).toBeCloseTo(1, 10);
    expect(metrics.variance_explained.value).toBeLessThan(0.95);
  });
});

describe('core', () => {
  const random = new Random(5);
  const W = Float32Array.from({ length: 9 * d }, () => random.normal());
  const W_dec = Float32Array.from({ length: 9 * d }, () => random.normal() / 4);
  const views = [
    { name: 'full', from: 0, to: 9 },
    { name: 'first', from: 0, to: 4 },
  ];

  it('does not depend on the batch', async () => {
    const results: unknown[] = [];
    for (const batchRows of [1, 50, 64, 210, 1000]) {
      const device = new ReferenceDevice();
      const sae = linearSae(device, d, W, W_dec, mean, views);
      results.push(toJson(await evaluateCore(context(device, sae, source, { batchRows }))));
    }
    for (const result of results) expect(result).toEqual(results[0]);
  });

  it('gives intervals that hold the value, the same for the same seed', async () => {
    const device = new ReferenceDevice();
    const sae = linearSae(device, d, W, W_dec, mean, views);
    const first = await evaluateCore(context(device, sae, source));
    expect(await evaluateCore(context(device, sae, source))).toEqual(first);
    for (const metrics of [first.metrics, first.views.first]) {
      for (const { value, low, high, n, definition } of Object.values(metrics)) {
        expect(low!).toBeLessThanOrEqual(value!);
        expect(high!).toBeGreaterThanOrEqual(value!);
        expect(n).toBeGreaterThan(0);
        expect(definition).toContain('95 % interval');
      }
    }
    const other = await evaluateCore(context(device, sae, source, { seed: 1 }));
    expect(values(other.metrics)).toEqual(values(first.metrics));
    expect(other.metrics.mse.low).not.toBe(first.metrics.mse.low);
  });

  it('counts the latents of a view only', async () => {
    const device = new ReferenceDevice();
    const half = [
      { name: 'positive', from: 0, to: d },
      { name: 'full', from: 0, to: 2 * d },
      { name: 'negative', from: d, to: 2 * d },
    ];
    const sae = linearSae(device, d, axes(d), axes(d), undefined, half);
    const result = await evaluateCore(context(device, sae, source));
    expect(Object.keys(result.views)).toEqual(['positive', 'negative']);
    const l0 = result.views.positive.l0.value! + result.views.negative.l0.value!;
    expect(l0).toBeCloseTo(result.metrics.l0.value!, 12);
    expect(result.views.positive.l0.value).toBeCloseTo(
      meanOverRows((row) => row.filter((x) => x > 0).length),
      12,
    );
    expect(result.views.positive.density_p50.n).toBe(d);
  });

  it('undoes every normalisation', async () => {
    for (const kind of NORMALIZATIONS) {
      const device = new ReferenceDevice();
      const normalization = fitNormalization(kind, d, 2.5);
      const perfect = linearSae(device, d, axes(d), axes(d));
      const { metrics } = await evaluateCore(context(device, perfect, source, { normalization }));
      expect(metrics.variance_explained.value).toBeGreaterThan(1 - 1e-8);
      expect(metrics.norm_ratio.value).toBeCloseTo(1, 4);
    }
  });

  it('reports the trainer’s counters beside what it sees', async () => {
    const device = new ReferenceDevice();
    const sae = linearSae(device, d, axes(d), axes(d));
    const { metrics } = await evaluateCore(context(device, sae, source, { deadByCounters: async () => 0.25 }));
    expect(metrics.dead_fraction_counters).toMatchObject({ value: 0.25, low: 0.25, high: 0.25 });
  });

  it('measures generated rows in blocks, rows of zeros included', async () => {
    const device = new ReferenceDevice();
    const tree = new ToyTree(3, { heldOutRows: 450 });
    const { metrics, skipped } = await evaluateCore(
      context(device, linearSae(device, tree.d, axes(tree.d), axes(tree.d)), tree, { rows: 400 }),
    );
    expect(metrics.variance_explained.value).toBe(1);
    expect(metrics.cosine.value).toBeCloseTo(1, 6);
    expect(metrics.cosine.n).toBeLessThan(metrics.mse.n);
    expect(metrics.mse).toMatchObject({ n: 400, definition: expect.stringContaining('4 blocks of 100 held-out rows') });
    expect(skipped.ce_sae).toBeDefined();
  });

  it('has no number where a number means nothing', async () => {
    const device = new ReferenceDevice();
    const constant = memorySource(new Float32Array(20 * d).fill(2), d);
    const { metrics } = await evaluateCore(context(device, linearSae(device, d, axes(d), axes(d)), constant));
    expect(metrics.variance_explained.value).toBeNull();
    expect(metrics.mse.value).toBe(0);
    const empty = memorySource(new Float32Array(0), d);
    const nothing = evaluateCore(context(device, linearSae(device, d, axes(d), axes(d)), empty));
    await expect(nothing).rejects.toThrow('no held-out rows');
  });
});
