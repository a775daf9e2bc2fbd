/** The evaluation suites by name. A new one is a file with a function of this shape, and an entry here. */
import type { EvalContext } from './context.ts';
import { evaluateCore } from './core.ts';
import { evaluateCost } from './cost.ts';
import type { SuiteResult } from './metric.ts';
import { evaluateProbing } from './probing.ts';

export interface Suite {
  measure(context: EvalContext): Promise<SuiteResult>;
  /** What the reader of a table should know about the names in it; the definitions say it in full. */
  readonly notes: readonly string[];
}

export const suites: Readonly<Record<string, Suite>> = {
  core: {
    measure: evaluateCore,
    notes: [
      'variance_explained is global and in raw activations: 1 − Σ‖x − x̂‖² / Σ‖x − x̄‖². The same word elsewhere:',
      '_normalized = in the input space of the SAE · _legacy = SAEBench (mean of per-token ratios) ·',
      '_token_mean = Tree SAE (about each token’s own mean) ·',
      'fraction_variance_explained_dl = dictionary_learning (offsets are free) · normalized_mse = OpenAI',
    ],
  },
  probing: {
    measure: evaluateProbing,
    notes: [
      'probe_<task>_k<n> = accuracy of logistic regressions on n latents, chance is 0.5; _dense = on all activations: the ceiling ·',
      'null random_sae = the same on SAEs with random directions: the floor · probing_… = mean over the tasks',
    ],
  },
  cost: {
    measure: evaluateCost,
    notes: ['…_ratio = relative to a flat TopK SAE as wide as the top level, timed in turn with it in this process'],
  },
};
