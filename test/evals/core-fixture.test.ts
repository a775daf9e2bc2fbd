/** The sums against numbers computed by other projects' own code. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { codesFromDense } from '../../src/core/codes.ts';
import { quantiles } from '../../src/core/statistics.ts';
import { FiringCounts } from '../../src/evals/core/firing.ts';
import { InputSums } from '../../src/evals/core/inputs.ts';
import { CleanPredictions, LossSums } from '../../src/evals/core/next-token.ts';
import { ReconstructionSums } from '../../src/evals/core/reconstruction.ts';
import { Bootstrap, total, type Metrics } from '../../src/evals/metric.ts';
import { documentUnits } from '../../src/evals/units.ts';
import { SafetensorsFile } from '../../src/formats/safetensors.ts';
import { describeWithShared } from '../support/shared.ts';

interface Expected {
  shapes: { ctx: number; d: number; latents: number; vocab: number };
  explained_variance: Record<string, number>;
  mse: Record<string, number>;
  cossim: number;
  l0: number;
  l1: number;
  l2_ratio: number;
  frac_alive: number;
  feature_density: number[];
  downstream: Record<string, number>;
  tolerance: number;
}

describeWithShared('fixtures/metrics/core/a', 'core against published code', (folder) => {
  const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Expected;
  const { ctx, d, latents, vocab } = expected.shapes;
  const file = SafetensorsFile.open(join(folder, 'inputs.safetensors'));
  /** Positions that are counted, in order. */
  const rows = [...file.readInt32('mask').entries()].filter(([, kept]) => kept === 1).map(([row]) => row);
  const units = documentUnits(rows.map((row) => Math.floor(row / ctx)));
  const matrix = (name: string, width: number): Float32Array => {
    const all = file.readFloat32(name);
    return Float32Array.from(rows.flatMap((row) => [...all.subarray(row * width, (row + 1) * width)]));
  };
  const close = (actual: number | null, wanted: number): void =>
    expect(Math.abs(actual! - wanted)).toBeLessThanOrEqual(expected.tolerance * Math.max(1, Math.abs(wanted)));

  function reconstructionMetrics(): Metrics {
    const x = matrix('x', d);
    const output = matrix('x_hat', d);
    const codes = codesFromDense(matrix('code', latents), rows.length, latents);
    const mean = Float64Array.from(
      { length: d },
      (_, j) => rows.reduce((sum, _, r) => sum + x[r * d + j], 0) / rows.length,
    );
    const view = { name: 'full', from: 0, to: latents };
    const inputs = new InputSums(units, mean);
    const sums = new ReconstructionSums(inputs, view);
    const firing = new FiringCounts(units, latents);
    const batch = { start: 0, rows: rows.length, raw: x, normalized: x };
    inputs.add(batch);
    sums.add(batch, { raw: output, normalized: output }, codes);
    firing.add(0, codes);
    const bootstrap = new Bootstrap(units, 0);
    return { ...sums.metrics(bootstrap), ...firing.metrics(bootstrap, [view])[0] };
  }

  it('explained variance in every definition, errors, norms and sparsity', () => {
    const metrics = reconstructionMetrics();
    const { explained_variance: variance, mse } = expected;
    close(metrics.variance_explained.value, variance.global);
    close(metrics.variance_explained_normalized.value, variance.global);
    close(metrics.variance_explained_legacy.value, variance.saebench_legacy);
    close(metrics.variance_explained_token_mean.value, variance.tree_sae_per_token_mean);
    close(metrics.fraction_variance_explained_dl.value, variance.dictionary_learning_frac_variance_explained);
    close(metrics.normalized_mse.value, mse.openai_normalized);
    close(metrics.mse.value, mse.per_element);
    close(metrics.cosine.value, expected.cossim);
    close(metrics.norm_ratio.value, expected.l2_ratio);
    close(metrics.l0.value, expected.l0);
    close(metrics.l1.value, expected.l1);
    close(metrics.dead_fraction.value, 1 - expected.frac_alive);
    for (const p of [1, 5, 25, 50, 75, 95, 99]) {
      close(metrics[`density_p${p}`].value, quantiles(expected.feature_density, [p / 100])[0]);
    }
  });

  it('cross entropy and KL', () => {
    const tokens = file.readInt32('tokens');
    const targets = rows.map((row) => ((row + 1) % ctx === 0 ? -1 : tokens[row + 1]));
    const positions = { rows: Int32Array.from(rows), targets: Int32Array.from(targets), units: units.of };
    const clean = new CleanPredictions(file.readFloat32('logits_clean'), vocab, positions);
    const [untouched, sae, ablated] = [0, 1, 2].map(() => new LossSums(units.count));
    clean.addTo(untouched);
    clean.compare(file.readFloat32('logits_sae'), sae);
    clean.compare(file.readFloat32('logits_ablated'), ablated);
    const predicted = targets.filter((target) => target >= 0).length;
    const { downstream } = expected;
    close(total(untouched.crossEntropy) / predicted, downstream.ce_loss_without_sae);
    close(total(sae.crossEntropy) / predicted, downstream.ce_loss_with_sae);
    close(total(ablated.crossEntropy) / predicted, downstream.ce_loss_with_ablation);
    close(total(sae.divergence) / rows.length, downstream.kl_div_with_sae);
    close(total(ablated.divergence) / rows.length, downstream.kl_div_with_ablation);
  });
});
