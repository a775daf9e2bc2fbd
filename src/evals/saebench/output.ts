/**
 * Results as SAEBench writes them (sae_bench/evals/base_eval_output.py at 8042bb3), so that tools for its files can read ours. What we do
 * not measure is −1, as SAEBench itself marks it, or null where its schema allows that; nothing is made up.
 */
import { toJson, type SuiteResult } from '../metric.ts';

/** SAEBench's mark for a number that is not there. */
export const UNKNOWN = -1;

/** Which SAE, and on what it was measured. */
export interface Subject {
  /** Made with this program; stands where SAEBench's commit would. */
  readonly program: string;
  /** Of the SAE among those of its release. */
  readonly id: string;
  readonly release: string;
  readonly architecture: string;
  readonly d: number;
  readonly width: number;
  /** Folder or name of the language model; empty = there is none. */
  readonly model: string;
  /** Block; null where there is no language model. */
  readonly layer: number | null;
  readonly hook: string | null;
  /** Tokens of a text that the model saw at once; null = unknown. */
  readonly context: number | null;
  readonly trainingTokens: number;
  /** Where the activations are from. */
  readonly data: string;
  /** Whether tokens such as BOS are left out. */
  readonly withoutSpecials: boolean;
  readonly seed: number;
}

/** What tells one writing of a file from another. */
export interface Stamp {
  readonly uuid: string;
  readonly epochMillis: number;
}

export interface SaeBenchOutput<Config, Metrics, Detail> {
  readonly eval_type_id: string;
  readonly eval_config: Config;
  readonly eval_id: string;
  readonly datetime_epoch_millis: number;
  readonly eval_result_metrics: Metrics;
  readonly eval_result_details: readonly Detail[];
  readonly sae_bench_commit_hash: string;
  readonly sae_lens_id: string;
  readonly sae_lens_release_id: string;
  readonly sae_lens_version: null;
  readonly sae_cfg_dict: Record<string, unknown>;
  /** Every metric of the suite with its definition, interval and sample size. */
  readonly eval_result_unstructured: Record<string, unknown>;
}

interface Contents<Config, Metrics, Detail> {
  readonly type: string;
  readonly config: Config;
  readonly metrics: Metrics;
  readonly details: readonly Detail[];
  /** How fields of the schema differ from what their names say. */
  readonly notes: readonly string[];
}

export function saeBenchOutput<Config, Metrics, Detail>(
  { type, config, metrics, details, notes }: Contents<Config, Metrics, Detail>,
  result: SuiteResult,
  subject: Subject,
  { uuid, epochMillis }: Stamp,
): SaeBenchOutput<Config, Metrics, Detail> {
  return {
    eval_type_id: type,
    eval_config: config,
    eval_id: uuid,
    datetime_epoch_millis: epochMillis,
    eval_result_metrics: metrics,
    eval_result_details: details,
    sae_bench_commit_hash: `${subject.program}, not SAEBench`,
    sae_lens_id: subject.id,
    sae_lens_release_id: subject.release,
    sae_lens_version: null,
    sae_cfg_dict: configOf(subject),
    eval_result_unstructured: {
      notes,
      ...toJson(result),
    },
  };
}

/** Fields of sae_bench/custom_saes/custom_sae_config.py. */
function configOf({ architecture, d, width, model, layer, hook, context, trainingTokens, data }: Subject) {
  return {
    model_name: model,
    d_in: d,
    d_sae: width,
    hook_layer: layer,
    hook_name: hook === null || layer === null ? null : `blocks.${layer}.hook_${hook}`,
    context_size: context,
    architecture,
    dtype: 'float32',
    dataset_path: data,
    training_tokens: trainingTokens,
  };
}

/** Value of a metric, {@link UNKNOWN} where it was not measured or is undefined. */
export function valueOf({ metrics }: SuiteResult, name: string): number {
  return metrics[name]?.value ?? UNKNOWN;
}

/** The same as null. */
export function valueOrNull({ metrics }: SuiteResult, name: string): number | null {
  return metrics[name]?.value ?? null;
}
