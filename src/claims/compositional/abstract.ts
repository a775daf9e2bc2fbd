/** The numbers of the compositional paper's abstract, decoded by arithmetic. */
import type { Claim, Table } from '../claim.ts';
import { PUBLISHED, roundToBfloat16 } from './attempt.ts';

/** SAEBench divides the summed squared error of a batch by its unmasked tokens: 16 prompts of 128, the first token left out (methods 4.2). */
const TOKENS = 16 * 128 - 16;
const MSE = 47.25;
const EXPLAINED = -0.785;
const VOCABULARY = 256_000;

export const compAbstract: Claim = {
  id: 'comp-abstract',
  paper: 'compositional',
  statement: '"47.25 reduction in MSE", "KL 15.375 preserves behaviour", "78.5 % higher composition coverage".',
  published: 'abstract; the same numbers are reported as the outcome of a failed run',
  protocol: 'Arithmetic on the published numbers, with the formulas of the evaluation suite that made them.',
  rule: 'The numbers are those of a failed run under other names: no result to reproduce.',
  test: () =>
    Promise.resolve({
      verdict: 'not testable here',
      because:
        'This is not a result: the published numbers are those of a failed run, whose reconstruction is about zero (table), and the abstract ' +
        'gives them other names. No positive result exists that could be reproduced; comp-fails tests the recipe, comp-redesign a form of it that trains.',
      comparisons: [],
      tables: [decoded()],
    }),
};

export function decoded(): Table {
  const squared = MSE * TOKENS;
  const uniform = Float32Array.of(Math.log(VOCABULARY));
  roundToBfloat16(uniform);
  return {
    title: 'What the published numbers are',
    columns: ['published', 'as said', 'arithmetic', 'gives', 'so it is'],
    rows: [
      [
        'MSE 47.25',
        'a reduction',
        `√(47.25 × ${TOKENS} unmasked tokens), the norm of the error`,
        Math.sqrt(squared),
        `the norm of the inputs, ${PUBLISHED.norm}: x̂ is about 0`,
      ],
      ['308.0 L2 norm', 'gradient norm', 'l2_norm_in of the evaluation', PUBLISHED.norm, 'the mean norm of the inputs'],
      [
        'explained variance −0.785',
        '78.5 % higher coverage',
        `47.25 × ${TOKENS} / (1 + 0.785), the total variance`,
        squared / (1 - EXPLAINED),
        'explained variance of x̂ = 0: 1 − E‖x‖² / variance',
      ],
      [
        'CE 12.4375 with zeros',
        'ablation',
        `ln ${VOCABULARY} in bfloat16`,
        uniform[0],
        'uniform logits of a model whose stream was set to 0',
      ],
      [
        'KL 15.375',
        'behaviour preserved',
        '15.375 − 10.0625 (with zeros)',
        15.375 - 10.0625,
        'worse than putting in zeros',
      ],
      ['L0 = L1 = 0', 'a failure, in the text', '–', null, 'no latent is ever active'],
    ],
  };
}
