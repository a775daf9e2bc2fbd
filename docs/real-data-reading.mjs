/** Written by hand from runs at L0 32 of stories3m; read it again when docs/results/real.json changes. */
export const READING = [
  '**What stands out, and what we tested.** These are short trainings (489 steps), so they also say who learns fast.',
  '',
  '- _Selecting is cheap, penalising is not._ `batchtopk` and `jumprelu` are level with `topk`. `relu-l1` and `relu-l1-april` reconstruct',
  '  worse because they shrink: on held-out rows ‖x̂‖/‖x‖ is 0.81 and 0.64, against 0.94 for `gated` (at L0 45), which decides by one number and',
  '  measures by another. `relu-l1-april` starts with decoder rows of norm 0.1 and is still growing.',
  '- _Trees cost little._ `tree-sae` is within 0.02 of `topk` while every child hangs under an active parent. `h-sae` needs more steps:',
  '  with 2.5 M tokens it comes within 0.01 of `topk` at equal L0 (README).',
  '- _`hsae-forest` counts all levels but reconstructs with one._ Its deepest level has 4 of 29 active latents and no bias. A `topk` of that',
  '  level’s width reaches 0.79 with k = 4 and 0.82 with k = 8: that is the gap, not the training. Its λ and thresholds move too slowly',
  '  for 489 steps (settings in bench/settings.mjs).',
  '- _`matching-pursuit` reconstructs best by far_, at ten times the price of a step: latents are chosen one after the other, and a tied',
  '  dictionary has twice as many of them. On the tree below it absorbs nevertheless: reconstruction is not hierarchy.',
  '- _`switch` and `compositional` spend parameters elsewhere_: experts learn the same frequent features several times, tiers have weights',
  '  between them and so half as many latents.',
];
