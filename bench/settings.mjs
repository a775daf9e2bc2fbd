/**
 * What bench/architectures.mjs trains. Per architecture: how its size follows from one number n (solved so that all models have
 * the parameters of the flat one), keys that every model gets, and keys by the total L0 aimed at. Learning rates are those that a
 * short run needs (the published ones are for hundreds of times the tokens); what else differs from the paper's values says why.
 */

const width = (n) => ({ width: n });
const topk = { sized: width, keys: { lr: 1e-3 }, at: { 16: { k: 16 }, 32: { k: 32 }, 64: { k: 64 } } };

export const settings = {
  'relu-l1': { sized: width, keys: { lr: 1e-3 }, at: { 16: { l1: 1 }, 32: { l1: 0.5 }, 64: { l1: 0.25 } } },
  'relu-l1-april': { sized: width, keys: { lr: 1e-3 }, at: { 16: { l1: 1 }, 32: { l1: 0.5 }, 64: { l1: 0.25 } } },
  topk,
  batchtopk: topk,
  // Inputs have E‖x‖² = d: scores near θ are as dense as ε = 0.001 is small; a wider window hears more of them.
  jumprelu: {
    sized: width,
    keys: { lr: 1e-3, bandwidth: 0.1, thresholdInit: 0.5 },
    at: { 16: { targetL0: 16 }, 32: { targetL0: 32 }, 64: { targetL0: 64 } },
  },
  gated: { sized: width, keys: { lr: 1e-3 }, at: { 16: { l1: 1 }, 32: { l1: 0.5 }, 64: { l1: 0.25 } } },
  matryoshka: topk,
  'matryoshka-topk': topk,
  // Every top latent brings one atom: L0 is 2k. The published θ = 1/√d cuts off most codes of small models.
  'h-sae': {
    sized: width,
    keys: { lr: 3e-3, theta: 0.02, l1: 1e-4 },
    at: { 16: { k: 8 }, 32: { k: 16 }, 64: { k: 32 } },
  },
  // Four levels, each twice as wide as the one above, as published; a quarter of the L0 each.
  'hsae-forest': {
    sized: (n) => ({ widths: [n, 2 * n, 4 * n, 8 * n] }),
    keys: { lr: 1e-3 },
    at: { 16: { targetL0: [4] }, 32: { targetL0: [8] }, 64: { targetL0: [16] } },
  },
  // Two layers of 1 : 3 with the published shares of k.
  'tree-sae': {
    sized: (n) => ({ layers: [n, 3 * n] }),
    keys: { lr: 1e-3 },
    at: { 16: { k: [13, 3] }, 32: { k: [26, 6] }, 64: { k: [53, 11] } },
  },
  'dynamic-sparsity': {
    sized: width,
    keys: { lr: 1e-3 },
    at: { 16: { lambdaFinal: 1 }, 32: { lambdaFinal: 0.5 }, 64: { lambdaFinal: 0.25 } },
  },
  compositional: { sized: width, keys: { lr: 1e-3 }, at: { 16: { k: 16 }, 32: { k: 32 }, 64: { k: 64 } } },
};
