/** The evaluation suites by name. A new one is a file with a function of this shape, and an entry here. */
import type { EvalContext } from './context.ts';
import { evaluateCore } from './core.ts';
import { evaluateHierarchy } from './hierarchy.ts';
import type { SuiteResult } from './metric.ts';

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
  hierarchy: {
    measure: evaluateHierarchy,
    notes: [
      'Read every number against its nulls (--json): shuffled = the same latents in random families ·',
      'frequency_matched = random latents that fire as often · effect = (value − mean) / spread of the null.',
      'mcs: cosine over the rows of the child; _binary = √P(parent | child), _scaled = times the ratio of the maxima ·',
      'conditional_correlation is Spearman’s, _pearson and _cosine are named · _contributing = without entries that add nothing ·',
      'tree_hit_rate: pairs of the forest, _cosine with unit decoder rows; tree_hit_rate_mcs: pairs that fire together most',
    ],
  },
};
