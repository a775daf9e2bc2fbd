/** SAEBench's `absorption_first_letter`: sae_bench/evals/absorption/eval_output.py and eval_config.py. */
import type { SuiteResult } from '../metric.ts';
import { saeBenchOutput, UNKNOWN, valueOf, type Stamp, type Subject } from './output.ts';

const NAMES = ['absorption_full', 'absorption_fraction', 'split_features'];

/** @returns why there is no such file: nothing was measured, or other properties of words than their first letters */
export function saeBenchAbsorption(result: SuiteResult, subject: Subject, stamp: Stamp) {
  const [full] = NAMES.map((name) => result.metrics[name]);
  if (!full) return result.skipped.absorption_full ?? 'absorption by words was not measured';
  if (full.insufficient !== undefined) return full.insufficient;
  if (!full.definition.includes('first letter'))
    return 'absorption was measured on other properties than first letters';
  return saeBenchOutput(
    {
      type: 'absorption_first_letter',
      config: {
        model_name: subject.model,
        random_seed: subject.seed,
        f1_jump_threshold: 0.03,
        max_k_value: 10,
        prompt_template: '',
        prompt_token_pos: UNKNOWN,
        llm_batch_size: UNKNOWN,
        llm_dtype: 'float32',
        k_sparse_probe_l1_decay: 0.01,
        k_sparse_probe_batch_size: UNKNOWN,
        k_sparse_probe_num_epochs: UNKNOWN,
        min_GT_probe_f1: UNKNOWN,
        min_feats_for_eval: 1,
        eval_k_sparse_probe_batch_size: UNKNOWN,
        precalc_k_sparse_probe_sae_acts: true,
      },
      metrics: {
        mean: {
          mean_absorption_fraction_score: valueOf(result, 'absorption_fraction'),
          mean_full_absorption_score: valueOf(result, 'absorption_full'),
          mean_num_split_features: valueOf(result, 'split_features'),
          std_dev_absorption_fraction_score: UNKNOWN,
          std_dev_full_absorption_score: UNKNOWN,
          std_dev_num_split_features: UNKNOWN,
        },
      },
      details: [],
      notes: [`how words were read, and which letters had a probe: ${full.definition}`],
    },
    result,
    subject,
    stamp,
  );
}
