/** SAEBench's `core`: sae_bench/evals/core/eval_output.py and eval_config.py. */
import type { SuiteResult } from '../metric.ts';
import { saeBenchOutput, UNKNOWN, valueOf, type Stamp, type Subject } from './output.ts';

const NOTES = [
  'explained_variance follows the formula that SAEBench codes since its correction, so that it compares with its files (a mean square ' +
    'stands where a mean was meant); variance_explained below is 1 − Σ‖x − x̂‖² / Σ‖x − x̄‖²',
  'mse is per token and dimension; SAEBench divides the squared error of a token by the number of tokens of its batch',
  'l1 is in units of the input space of the SAE; ablation puts 0 in place of the activation; the sample is one batch',
];

export function saeBenchCore(result: SuiteResult, subject: Subject, stamp: Stamp) {
  const of = (name: string): number => valueOf(result, name);
  const tokensOf = (name: string): number => result.metrics[name]?.n ?? UNKNOWN;
  const dead = result.metrics.dead_fraction?.value ?? null;
  const hasModel = result.metrics.ce_sae !== undefined;
  return saeBenchOutput(
    {
      type: 'core',
      config: {
        model_name: subject.model,
        llm_dtype: 'float32',
        batch_size_prompts: UNKNOWN,
        n_eval_reconstruction_batches: UNKNOWN,
        n_eval_sparsity_variance_batches: UNKNOWN,
        dataset: subject.data,
        context_size: subject.context ?? UNKNOWN,
        compute_kl: hasModel,
        compute_ce_loss: hasModel,
        compute_l2_norms: true,
        compute_sparsity_metrics: true,
        compute_variance_metrics: true,
        compute_featurewise_density_statistics: false,
        compute_featurewise_weight_based_metrics: false,
        exclude_special_tokens_from_reconstruction: subject.withoutSpecials,
        verbose: false,
      },
      metrics: {
        model_behavior_preservation: {
          kl_div_score: of('kl_div_score'),
          kl_div_with_ablation: of('kl_zero'),
          kl_div_with_sae: of('kl_sae'),
        },
        model_performance_preservation: {
          ce_loss_score: of('ce_loss_score'),
          ce_loss_with_ablation: of('ce_zero'),
          ce_loss_with_sae: of('ce_sae'),
          ce_loss_without_sae: of('ce_clean'),
        },
        reconstruction_quality: {
          explained_variance: of('variance_explained_saebench'),
          explained_variance_legacy: of('variance_explained_legacy'),
          mse: of('mse'),
          cossim: of('cosine'),
        },
        shrinkage: {
          l2_norm_in: of('norm_in'),
          l2_norm_out: of('norm_out'),
          l2_ratio: of('norm_ratio'),
          relative_reconstruction_bias: of('relative_reconstruction_bias'),
        },
        sparsity: { l0: of('l0'), l1: of('l1') },
        token_stats: {
          total_tokens_eval_reconstruction: tokensOf('ce_sae'),
          total_tokens_eval_sparsity_variance: tokensOf('variance_explained'),
        },
        misc_metrics: {
          freq_over_1_percent: UNKNOWN,
          freq_over_10_percent: UNKNOWN,
          normalized_freq_over_1_percent: UNKNOWN,
          normalized_freq_over_10_percent: UNKNOWN,
          average_max_encoder_cosine_sim: UNKNOWN,
          average_max_decoder_cosine_sim: UNKNOWN,
          frac_alive: dead === null ? UNKNOWN : 1 - dead,
        },
      },
      details: [],
      notes: NOTES,
    },
    result,
    subject,
    stamp,
  );
}
