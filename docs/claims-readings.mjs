/**
 * What a person made of the results at scale `small`, by claim: second protocols, explanations that were tested. To be read again when
 * results change.
 */
export const READINGS = {
  'hsae-recon': [
    '**Read.** The published gain is there at equal top width and k, and has the published sign in both metrics. It is the gain of twice the',
    'L0: every other matching turns it round. Learning rates were chosen for both sides on the same footing (at the rates of a first run,',
    'both sides explained two points less and the order was the same).',
  ],
  'hsae-overhead': [
    '**Read.** The arithmetic of the paper is right: encoding costs a few per cent more FLOPs. A training step is another matter, here twice to',
    'three times as long, on an engine whose flat steps use sparsity to the full.',
  ],
  'hsae-absorption': [
    '**Read.** Nothing was seen at any width, and the smallest difference that could have been seen is as large as the rates themselves. What is',
    'beyond doubt is the price: the top level alone, which the comparison is about, explains five to eight points less than the flat SAE.',
  ],
  'hsae-languages': [
    '**Read.** The published sign, and about the published size relative to its range, for the top level. With sub-latents counted, as they are',
    'in every other claim, nothing is left of it.',
  ],
  'hsae-models': [
    '**Read.** A second look at hsae-recon, with a third of its tokens and less: the sign at equal L0 is the same in every cell. At equal top',
    'width and k the gain of hsae-recon has not yet come after so few steps; h-sae learns more slowly than topk.',
  ],
  'dynamic-absorption': [
    '**Read.** As published, without matching, the claim is there, because nearly all latents are active at every token and nothing needs to be',
    'absorbed. At equal L0 it turns round on both data.',
  ],
  'tree-competitive': [
    '**Read.** Two to four points of variance explained are the price of the gate at equal L0 and parameters; at equal encode FLOPs, where topk',
    'is a quarter as wide, tree-sae is ahead. The published order in variance explained needs a topk that is worse than ours (methods of the',
    'paper: a constant rate of 1e-4).',
  ],
  'dynamic-probing': [
    '**Read.** The two data disagree, by two or three points each way; no sign of the published fifteen on either, matched or not.',
  ],
  'comp-fails': [
    '**Read.** Nothing of what was suspected stops the recipe here, in float32 or bfloat16, with any cause switched on or off: it trains, badly.',
    'What is left is the number format: the first loss exceeds the largest float16, and mixed precision of that kind skips every step whose',
    'loss is infinite. The published numbers fit that, which is no proof. The claim as it stands, of the recipe, does not hold.',
  ],
  'comp-redesign': [
    '**Read.** It can be trained. At equal L0 and at equal parameters a flat SAE explains more on both data.',
  ],
  'tree-coverage': [
    '**Read.** Holds where it can be judged; on B a coverage of .9 leaves fewer than five pairs in most seeds, too few for a share.',
  ],
  'tree-siblings': [
    '**Read.** The rule asks for a null that siblings cannot pass: they share their parent’s rows, strangers do not. The second protocol, which was',
    'written after that was seen, is the fair one, and it splits: against firing independently within their parent, siblings take turns on',
    'W (half the overlap) and meet more often than that on S. The overlap itself is about as small as published on both.',
  ],
  'tree-mp': [
    '**Read.** The order in variance explained is clear. In hits all dictionaries without a tree are near 0, and which of them is nearest cannot be',
    'told with 200 pairs.',
  ],
  'tree-hierarchy': [
    '**Read.** The published contrast is there, and larger than published: most links of tree-sae are hits and hardly any pair of a flat SAE.',
    'The second protocol says what that is worth. Parents dealt at random before training and never moved score as high, by the hit rule and',
    'by residual alignment: children learn to lie under whatever parent gates them. The rule tells a gated dictionary from one without a',
    'gate, and not a hierarchy that was found from one that was imposed. By the meaning of the latents (which best features lie above which)',
    'links of tree-sae are far beyond chance, no better than links extracted from a flat topk on W, and worse on B.',
  ],
  'tree-realloc': [
    '**Read.** See tree-hierarchy: where random parents that stay score as high as parents that were looked for, moving children cannot show.',
    'Reallocation acts on dead children alone, of which a short run has few; the published schedule has three orders of magnitude more steps.',
  ],
  'bench-edges': [
    '**Read.** Nobody’s architecture for trees comes near what coverage finds in a flat SAE with an L1 penalty: its latents stand for twice as many',
    'features as any other’s, and parents keep firing with their children, since a penalty does not make them compete for k places.',
    'Trees of tree-sae and hsae-forest are links between latents that stand for no single feature.',
  ],
  'forest-hierarchy': [
    '**Read.** Holds on both data, by margins like the published ones in P(parent | child). What the joint loss improves is agreement in firing,',
    'which it optimises; forest-truth asks whether the links mean more than those that are drawn afterwards, and sees no difference.',
  ],
  'forest-tasks': [
    '**Read.** Not enough power for absorption: it is a share of few concepts (letters), and the published difference of .08 is a third of what',
    'could have been seen. Probing is within a point and a half, and was not shown to be within one.',
  ],
  'forest-cost': [
    '**Read.** The independent levels are the baseline at its best: no links, no perturbation, the same kernels.',
  ],
  'forest-similarity': [
    '**Read.** Encoder and decoder agree. Links by co-activation have a much lower distance, for a reason that is no merit: the distance counts',
    'tokens at which parent and children disagree, which is what such links are chosen by.',
  ],
  'forest-constraint': [
    '**Read.** Each part alone brings about as much as the other here, and both together the most; the published order has the loss far ahead.',
  ],
  'forest-truth': [
    '**Read.** Recall is bounded by what the levels find (features_found of the suite truth): with the paper’s equal L0 at every level, coarse',
    'levels blend concepts. Links between latents that do stand for concepts are mostly right where there are enough of them to judge, but',
    'there are a handful.',
  ],
};
