/** How metrics are called in tables and plots, and which way is better. */

const TITLES: Readonly<Record<string, string>> = {
  variance_explained: 'variance explained',
  ce_loss_score: 'CE score',
  kl_div_score: 'KL score',
  l0: 'L0',
  l0_total: 'total L0',
  mse: 'mean squared error',
  mcc: 'MCC',
  mcs: 'mean child score',
  p_parent_given_child: 'P(parent | child)',
  p_child_given_parent: 'P(child | parent)',
  or_hamming: 'OR-Hamming distance',
  sibling_iou: 'sibling IoU',
  truth_absorption_rate: 'absorption, against truth',
  ancestor_f1: 'ancestor F1 against truth',
  edge_f1: 'tree edge F1 against truth',
  flops_encode: 'FLOPs to encode a token',
  parameters: 'parameters',
};

/** Words for a metric without a title of its own: probing_k1 → probing k = 1. */
export function titleOf(metric: string): string {
  return TITLES[metric] ?? metric.replace(/_k(\d+)$/, ', k = $1').replaceAll('_', ' ');
}

const HIGHER = [
  /^variance_explained/,
  /^fraction_variance_explained/,
  /_score$/,
  /^cosine$/,
  /^p_parent_given_child$/,
  /^(mcc|mcs|uniqueness|refinement|refinement_frequency|tree_hit_rate|links_right|features_found|kinds_found)$/,
  /_(f1|precision|recall)$/,
  /^prob(e|ing)_/,
];
const LOWER = [
  /^(mse|normalized_mse|l0|l0_total|or_hamming|lca_depth_error|symmetric_difference|redundant_share|parameters|sibling_iou)$/,
  /^(dead_fraction|absorption_|truth_absorption_|truth_decoder_leak|split_features|truth_split_latents)/,
  /^(ce_sae|kl_sae)$/,
  /^flops_|_ms$|_mb$/,
];

/** undefined where neither is. */
export function betterOf(metric: string): 'higher' | 'lower' | undefined {
  if (HIGHER.some((pattern) => pattern.test(metric))) return 'higher';
  return LOWER.some((pattern) => pattern.test(metric)) ? 'lower' : undefined;
}

const COSTS = [/^l0(_total)?$/, /^parameters$/, /^flops_/, /_ms$/, /_mb$/];

/** What an SAE spends rather than what it scores: shown, never tested. */
export const isCost = (metric: string): boolean => COSTS.some((pattern) => pattern.test(metric));
