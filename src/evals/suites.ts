/** The evaluation suites by name. A new one is a file with a function of this shape, and an entry here. */
import { evaluateAbsorption } from './absorption.ts';
import type { EvalContext } from './context.ts';
import { evaluateCore } from './core.ts';
import { evaluateLanguages } from './languages.ts';
import { evaluateCost } from './cost.ts';
import { evaluateHierarchy } from './hierarchy.ts';
import type { SuiteResult } from './metric.ts';
import { evaluateTruth } from './truth.ts';
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
  truth: {
    measure: evaluateTruth,
    notes: [
      'truth: synthetic activations and the embedded world. feature_… = by firing, matched on one half of the rows and scored on the other;',
      'mcc, uniqueness, latent_… = by direction, as SAELens (synthetic activations only). edge_… counts links to latents that stand for',
      'no feature as wrong, …_matched leaves them out; nulls beside every number of the forest are in the JSON (--json, evals/truth.json).',
    ],
  },
  absorption: {
    measure: evaluateAbsorption,
    notes: [
      'absorption_… and split_features judge words by a property of their spelling, truth_… by the known features of the data;',
      'nulls (in the JSON): main latents replaced with random ones of equal frequency, so that 1 − frequency is chance for a rate',
    ],
  },
  probing: {
    measure: evaluateProbing,
    notes: [
      'probe_<task>_k<n> = accuracy of logistic regressions on n latents, chance is 0.5; _dense = on all activations: the ceiling ·',
      'null random_sae = the same on SAEs with random directions: the floor · probing_… = mean over the tasks',
    ],
  },
  languages: {
    measure: evaluateLanguages,
    notes: [
      'languages: the top 8 latents at the last token of translated sentences (the paper; its released code slices [:7]), and at words for',
      'the same mention; jaccard_distance does not depend on how many latents are on. The null is between sentences that are no translations.',
      '--data FOLDER with parallel.tsv (tab-separated, the first line names the languages) for other models than that of the world.',
    ],
  },
  cost: {
    measure: evaluateCost,
    notes: ['…_ratio = relative to a flat TopK SAE as wide as the top level, timed in turn with it in this process'],
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
