/** H-SAE is as interpretable as a flat SAE. */
import type { Claim } from '../claim.ts';

const COMMAND = 'saeforest label RUN --endpoint URL --model-name NAME --latents 200';

export const hsaeInterp: Claim = {
  id: 'hsae-interp',
  paper: 'h-sae',
  statement: 'Interpretability is kept or better.',
  published: 'automatic interpretation; reviewers asked for human judgements',
  protocol:
    'S, 3 seeds, h-sae against topk at equal top width and k and at equal total L0: detection score of labels by a language model behind an ' +
    'endpoint, and by annotators.',
  rule: 'The detection score is not lower by more than 0.02.',
  test: () =>
    Promise.resolve({
      verdict: 'not testable here',
      because:
        'Labels are written and tested by a large language model behind an endpoint, or by people; the ledger has neither. For every run ' +
        `of this claim: ${COMMAND}, and compare the detection scores; saeforest annotate prepares the same items for people.`,
      comparisons: [],
    }),
};
