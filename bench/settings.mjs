/**
 * What bench/architectures.mjs trains, by architecture: keys that every model gets, and keys by the total L0 aimed at. Size
 * and L0 are set as the architecture says (`sized`, or its keys width and k), unless `sized` says otherwise here. Learning
 * rates suit trainings of a few million tokens; the published ones are for hundreds of millions.
 */

const BY_K = { 16: {}, 32: {}, 64: {} };

export const settings = {
  topk: { keys: { lr: 1e-3 }, at: BY_K },
  batchtopk: { keys: { lr: 1e-3 }, at: BY_K },
  matryoshka: { keys: { lr: 1e-3 }, at: BY_K },
  'matryoshka-topk': { keys: { lr: 1e-3 }, at: BY_K },
  'tree-sae': { keys: { lr: 1e-3 }, at: BY_K },
  compositional: { keys: { lr: 1e-3 }, at: BY_K },
  // Where a penalty decides, L0 depends on the data: these weights are for inputs with E‖x‖ = √d.
  'relu-l1': { keys: { lr: 1e-3 }, at: { 16: { l1: 4 }, 32: { l1: 2 }, 64: { l1: 1 } } },
  'relu-l1-april': { keys: { lr: 1e-3 }, at: { 16: { l1: 4 }, 32: { l1: 2 }, 64: { l1: 1 } } },
  gated: { keys: { lr: 1e-3 }, at: { 16: { l1: 4 }, 32: { l1: 2 }, 64: { l1: 1 } } },
  'dynamic-sparsity': {
    keys: { lr: 1e-3 },
    at: {
      16: { lambda0: 4, lambdaFinal: 4 },
      32: { lambda0: 2, lambdaFinal: 2 },
      64: { lambda0: 1, lambdaFinal: 1 },
    },
  },
  jumprelu: {
    sized: (width, targetL0) => ({ width, targetL0 }),
    keys: { lr: 1e-3 },
    at: BY_K,
  },
  // Two levels, one eighth and seven eighths of the latents; every level has its own L0, and together they have the total.
  'hsae-forest': {
    sized: (width, l0) => ({ widths: [Math.ceil(width / 8), width - Math.ceil(width / 8)], targetL0: [l0 / 2] }),
    keys: { lr: 1e-3 },
    at: BY_K,
  },
  // Every top latent brings one atom: L0 is 2k. The published θ = 1/√d cuts off most codes of small models.
  'h-sae': {
    sized: (width, l0) => ({ width, k: l0 / 2 }),
    keys: { lr: 3e-3, theta: 0.02, l1: 1e-4 },
    at: BY_K,
  },
};
