/**
 * The schemas of sae_bench/evals/{core,absorption,sparse_probing}/eval_output.py and eval_config.py, as pydantic checks them; `float`
 * and `int` take no null there, and a number may have no further key.
 */
import { z } from 'zod';

const int = z.int();
const float = z.number();
const optional = z.number().nullable();
const fields = <T extends z.ZodType>(names: readonly string[], type: T) =>
  z.strictObject(Object.fromEntries(names.map((name) => [name, type])) as Record<string, T>);

const base = {
  eval_id: z.uuid(),
  datetime_epoch_millis: int.min(0).max(9_999_999_999_999),
  sae_bench_commit_hash: z.string(),
  sae_lens_id: z.string().nullable(),
  sae_lens_release_id: z.string().nullable(),
  sae_lens_version: z.string().nullable(),
  sae_cfg_dict: z.record(z.string(), z.unknown()).nullable(),
  eval_result_unstructured: z.unknown(),
};

export const coreSchema = z.strictObject({
  ...base,
  eval_type_id: z.literal('core'),
  eval_config: z.strictObject({
    model_name: z.string(),
    llm_dtype: z.string(),
    batch_size_prompts: int,
    n_eval_reconstruction_batches: int,
    n_eval_sparsity_variance_batches: int,
    dataset: z.string(),
    context_size: int,
    compute_kl: z.boolean(),
    compute_ce_loss: z.boolean(),
    compute_l2_norms: z.boolean(),
    compute_sparsity_metrics: z.boolean(),
    compute_variance_metrics: z.boolean(),
    compute_featurewise_density_statistics: z.boolean(),
    compute_featurewise_weight_based_metrics: z.boolean(),
    exclude_special_tokens_from_reconstruction: z.boolean(),
    verbose: z.boolean(),
  }),
  eval_result_metrics: z.strictObject({
    model_behavior_preservation: fields(['kl_div_score', 'kl_div_with_ablation', 'kl_div_with_sae'], float),
    model_performance_preservation: fields(
      ['ce_loss_score', 'ce_loss_with_ablation', 'ce_loss_with_sae', 'ce_loss_without_sae'],
      float,
    ),
    reconstruction_quality: fields(['explained_variance', 'explained_variance_legacy', 'mse', 'cossim'], float),
    shrinkage: fields(['l2_norm_in', 'l2_norm_out', 'l2_ratio', 'relative_reconstruction_bias'], float),
    sparsity: fields(['l0', 'l1'], float),
    token_stats: fields(['total_tokens_eval_reconstruction', 'total_tokens_eval_sparsity_variance'], int),
    misc_metrics: fields(
      [
        'freq_over_1_percent',
        'freq_over_10_percent',
        'normalized_freq_over_1_percent',
        'normalized_freq_over_10_percent',
        'average_max_encoder_cosine_sim',
        'average_max_decoder_cosine_sim',
        'frac_alive',
      ],
      float,
    ),
  }),
  eval_result_details: z.array(
    fields(
      [
        'index',
        'feature_density',
        'consistent_activation_heuristic',
        'encoder_bias',
        'encoder_norm',
        'encoder_decoder_cosine_sim',
        'max_decoder_cosine_sim',
        'max_encoder_cosine_sim',
      ],
      float,
    ),
  ),
});

export const absorptionSchema = z.strictObject({
  ...base,
  eval_type_id: z.literal('absorption_first_letter'),
  eval_config: z.strictObject({
    model_name: z.string(),
    random_seed: int,
    f1_jump_threshold: float,
    max_k_value: int,
    prompt_template: z.string(),
    prompt_token_pos: int,
    llm_batch_size: int,
    llm_dtype: z.string(),
    k_sparse_probe_l1_decay: float,
    k_sparse_probe_batch_size: int,
    k_sparse_probe_num_epochs: int,
    min_GT_probe_f1: float,
    min_feats_for_eval: int.min(1),
    eval_k_sparse_probe_batch_size: int,
    precalc_k_sparse_probe_sae_acts: z.boolean(),
  }),
  eval_result_metrics: z.strictObject({
    mean: fields(
      [
        'mean_absorption_fraction_score',
        'mean_full_absorption_score',
        'mean_num_split_features',
        'std_dev_absorption_fraction_score',
        'std_dev_full_absorption_score',
        'std_dev_num_split_features',
      ],
      float,
    ),
  }),
  eval_result_details: z.array(
    z.strictObject({
      first_letter: z.string().regex(/^\p{L}$/u),
      mean_absorption_fraction: float,
      full_absorption_rate: float,
      num_full_absorption: int,
      num_probe_true_positives: int,
      num_split_features: int,
    }),
  ),
});

const top = (who: string): string[] => [1, 2, 5, 10, 20, 50, 100].map((k) => `${who}_top_${k}_test_accuracy`);
const llm = { llm_test_accuracy: float, ...fields(top('llm'), optional).shape };
const sae = { sae_test_accuracy: optional, ...fields(top('sae'), optional).shape };

export const sparseProbingSchema = z.strictObject({
  ...base,
  eval_type_id: z.literal('sparse_probing'),
  eval_config: z.strictObject({
    random_seed: int,
    dataset_names: z.array(z.string()),
    probe_train_set_size: int,
    probe_test_set_size: int,
    context_length: int,
    sae_batch_size: int,
    llm_batch_size: int.nullable(),
    llm_dtype: z.string(),
    model_name: z.string(),
    k_values: z.array(int),
    lower_vram_usage: z.boolean(),
  }),
  eval_result_metrics: z.strictObject({ llm: z.strictObject(llm), sae: z.strictObject(sae) }),
  eval_result_details: z.array(z.strictObject({ dataset_name: z.string(), ...llm, ...sae })),
});
