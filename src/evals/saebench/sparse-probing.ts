/** SAEBench's `sparse_probing`: sae_bench/evals/sparse_probing/eval_output.py and eval_config.py. */
import type { SuiteResult } from '../metric.ts';
import { saeBenchOutput, UNKNOWN, valueOf, valueOrNull, type Stamp, type Subject } from './output.ts';

const KS = [1, 2, 5, 10, 20, 50, 100] as const;
const TASK = /^probe_(.+)_dense$/;

/** @returns why there is no such file: nothing was measured */
export function saeBenchSparseProbing(result: SuiteResult, subject: Subject, stamp: Stamp) {
  const dense = result.metrics.probing_dense;
  if (!dense) return result.skipped.probing_dense ?? 'probing was not measured';
  if (dense.insufficient !== undefined) return dense.insufficient;
  const tasks = Object.keys(result.metrics).flatMap((name) => TASK.exec(name)?.[1] ?? []);
  return saeBenchOutput(
    {
      type: 'sparse_probing',
      config: {
        random_seed: subject.seed,
        dataset_names: tasks,
        probe_train_set_size: UNKNOWN,
        probe_test_set_size: dense.n,
        context_length: subject.context ?? UNKNOWN,
        sae_batch_size: UNKNOWN,
        llm_batch_size: null,
        llm_dtype: 'float32',
        model_name: subject.model,
        k_values: KS.filter((k) => result.metrics[`probing_k${k}`] !== undefined),
        lower_vram_usage: false,
      },
      metrics: { llm: ofModel(result, 'probing'), sae: ofSae(result, 'probing') },
      details: tasks.map((task) => ({
        dataset_name: task,
        ...ofModel(result, `probe_${task}`),
        ...ofSae(result, `probe_${task}`),
      })),
      notes: ['accuracies are means over classes, then over data sets, which are not those of SAEBench'],
    },
    result,
    subject,
    stamp,
  );
}

function ofModel(result: SuiteResult, prefix: string) {
  const top = KS.map((k) => [`llm_top_${k}_test_accuracy`, null]);
  return {
    llm_test_accuracy: valueOf(result, `${prefix}_dense`),
    ...(Object.fromEntries(top) as Record<string, null>),
  };
}

function ofSae(result: SuiteResult, prefix: string) {
  const top = KS.map((k) => [`sae_top_${k}_test_accuracy`, valueOrNull(result, `${prefix}_k${k}`)]);
  return { sae_test_accuracy: null, ...(Object.fromEntries(top) as Record<string, number | null>) };
}
