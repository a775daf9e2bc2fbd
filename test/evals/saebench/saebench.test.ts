import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { insufficient, metric, type SuiteResult } from '../../../src/evals/metric.ts';
import { saeBenchAbsorption } from '../../../src/evals/saebench/absorption.ts';
import { saeBenchCore } from '../../../src/evals/saebench/core.ts';
import { writeSaeBench } from '../../../src/evals/saebench/files.ts';
import type { Subject } from '../../../src/evals/saebench/output.ts';
import { saeBenchSparseProbing } from '../../../src/evals/saebench/sparse-probing.ts';
import { temporaryFolder } from '../../activations/folders.ts';
import { absorptionSchema, coreSchema, sparseProbingSchema } from './schema.ts';

const folder = temporaryFolder();
afterAll(folder.remove);

const SUBJECT: Subject = {
  program: 'saeforest 0',
  id: 'h-sae',
  release: 'seed0',
  architecture: 'h-sae',
  d: 128,
  width: 864,
  model: 'models/tiny',
  layer: 1,
  hook: 'resid_post',
  context: 128,
  trainingTokens: 200_192,
  data: 'acts',
  withoutSpecials: true,
  seed: 0,
};
const STAMP = { uuid: '227aeaed-459b-4a3b-baac-c843bc64b7a9', epochMillis: 1_700_000_000_000 };

function result(values: Record<string, number>, definition = 'a share'): SuiteResult {
  const metrics = Object.entries(values).map(([name, value]) => [
    name,
    metric(value, value, value, { n: 50, unit: 'share', definition }),
  ]);
  return { metrics: Object.fromEntries(metrics), views: {}, skipped: {} };
}

describe("SAEBench's core", () => {
  it('has every field of its schema, each where it belongs', () => {
    const measured = { variance_explained: 0.9, variance_explained_saebench: 0.91, l0: 8, ce_sae: 1.5, ce_clean: 1.2 };
    const output = saeBenchCore(result({ ...measured, dead_fraction: 0.25, kl_zero: 9, cosine: 0.93 }), SUBJECT, STAMP);
    expect(coreSchema.safeParse(output).error).toBeUndefined();
    const { eval_result_metrics: metrics } = output;
    expect(metrics.reconstruction_quality).toMatchObject({ explained_variance: 0.91, cossim: 0.93, mse: -1 });
    expect(metrics.model_performance_preservation).toMatchObject({ ce_loss_with_sae: 1.5, ce_loss_without_sae: 1.2 });
    expect(metrics.model_behavior_preservation.kl_div_with_ablation).toBe(9);
    expect(metrics.misc_metrics).toMatchObject({ frac_alive: 0.75, freq_over_1_percent: -1 });
    expect(metrics.token_stats.total_tokens_eval_reconstruction).toBe(50);
    expect(output.sae_cfg_dict).toMatchObject({ hook_name: 'blocks.1.hook_resid_post', d_in: 128, d_sae: 864 });
    expect(output.sae_bench_commit_hash).toBe('saeforest 0, not SAEBench');
    expect(output.eval_result_unstructured).toMatchObject({
      variance_explained: { value: 0.9, definition: 'a share' },
    });
  });

  it('says −1 for everything that a language model would be needed for', () => {
    const subject = { ...SUBJECT, model: '', layer: null, hook: null, context: null };
    const output = saeBenchCore(result({ variance_explained: 0.9 }), subject, STAMP);
    expect(coreSchema.safeParse(output).error).toBeUndefined();
    expect(new Set(Object.values(output.eval_result_metrics.model_performance_preservation))).toEqual(new Set([-1]));
    expect(output.eval_config).toMatchObject({ compute_ce_loss: false, compute_kl: false, context_size: -1 });
    expect(output.sae_cfg_dict).toMatchObject({ hook_name: null, hook_layer: null });
  });
});

describe("SAEBench's absorption", () => {
  const values = { absorption_full: 0.1, absorption_fraction: 0.2, split_features: 1.5 };

  it('has every field of its schema', () => {
    const output = saeBenchAbsorption(result(values, 'share; property set: first letter (21 of 26)'), SUBJECT, STAMP);
    expect(absorptionSchema.safeParse(output).error).toBeUndefined();
    expect(output).toMatchObject({
      eval_result_metrics: {
        mean: {
          mean_full_absorption_score: 0.1,
          mean_absorption_fraction_score: 0.2,
          mean_num_split_features: 1.5,
          std_dev_full_absorption_score: -1,
        },
      },
    });
  });

  it('is none for other properties, too few words, or nothing', () => {
    expect(saeBenchAbsorption(result(values, 'property set: last letter'), SUBJECT, STAMP)).toMatch(/other properties/);
    const few = { absorption_full: insufficient('3 words', { n: 3, unit: '', definition: 'first letter' }) };
    expect(saeBenchAbsorption({ metrics: few, views: {}, skipped: {} }, SUBJECT, STAMP)).toBe('3 words');
    const none = { metrics: {}, views: {}, skipped: { absorption_full: 'no model' } };
    expect(saeBenchAbsorption(none, SUBJECT, STAMP)).toBe('no model');
  });
});

describe("SAEBench's sparse probing", () => {
  it('has every field of its schema, and a record per data set', () => {
    const values = {
      probing_dense: 0.9,
      probing_k1: 0.7,
      probing_k5: 0.8,
      probe_intents_dense: 0.95,
      probe_intents_k1: 0.6,
    };
    const output = saeBenchSparseProbing(result(values), SUBJECT, STAMP);
    expect(sparseProbingSchema.safeParse(output).error).toBeUndefined();
    expect(output).toMatchObject({
      eval_config: { dataset_names: ['intents'], k_values: [1, 5] },
      eval_result_metrics: {
        llm: { llm_test_accuracy: 0.9, llm_top_1_test_accuracy: null },
        sae: { sae_test_accuracy: null, sae_top_1_test_accuracy: 0.7, sae_top_2_test_accuracy: null },
      },
      eval_result_details: [{ dataset_name: 'intents', llm_test_accuracy: 0.95, sae_top_1_test_accuracy: 0.6 }],
    });
  });

  it('is none where nothing was probed', () => {
    const none = { metrics: {}, views: {}, skipped: { probing_dense: 'no labelled texts' } };
    expect(saeBenchSparseProbing(none, SUBJECT, STAMP)).toBe('no labelled texts');
  });
});

describe('the files', () => {
  it("lie where SAEBench's tools look", () => {
    const written = writeSaeBench(folder.path, 'core', result({ l0: 8 }), SUBJECT, STAMP);
    const path = join(folder.path, 'core', 'seed0_h-sae_eval_results.json');
    expect(written).toEqual({ path });
    expect(coreSchema.safeParse(JSON.parse(readFileSync(path, 'utf8'))).error).toBeUndefined();
  });

  it('are left out, with the reason, for suites that SAEBench does not have', () => {
    expect(writeSaeBench(folder.path, 'truth', result({}), SUBJECT, STAMP)).toEqual({
      none: 'SAEBench has no file for the suite truth',
    });
    writeSaeBench(folder.path, 'probing', result({}), SUBJECT, STAMP);
    expect(existsSync(join(folder.path, 'sparse_probing'))).toBe(false);
  });
});
