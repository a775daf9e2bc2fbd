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
  // Eight experts share the latents evenly.
  switch: { sized: (width, k) => ({ width: 8 * Math.ceil(width / 8), k }), keys: { lr: 1e-3 }, at: BY_K },
  'matching-pursuit': { keys: { lr: 1e-3 }, at: BY_K },
  // Where a penalty decides, L0 depends on the data: these weights are for inputs with E‖x‖ = √d.
  'relu-l1': { keys: { lr: 1e-3 }, at: { 16: { l1: 4.5 }, 32: { l1: 2.2 }, 64: { l1: 1.1 } } },
  'relu-l1-april': { keys: { lr: 1e-3 }, at: { 16: { l1: 13 }, 32: { l1: 6.5 }, 64: { l1: 3.2 } } },
  gated: { keys: { lr: 1e-3 }, at: { 16: { l1: 8 }, 32: { l1: 3.8 }, 64: { l1: 2.2 } } },
  'dynamic-sparsity': {
    keys: { lr: 1e-3 },
    at: {
      16: { lambda0: 6, lambdaFinal: 6 },
      32: { lambda0: 3, lambdaFinal: 3 },
      64: { lambda0: 1.5, lambdaFinal: 1.5 },
    },
  },
  // The published window of 0.001 hears too few scores in a short run to move thresholds; L0 then stays at 140.
  jumprelu: { keys: { lr: 1e-3, bandwidth: 0.1, thresholdInit: 0.5, sparsityWeight: 30 }, at: BY_K },
  // Four levels that double in width. L0 is that of all levels, of which one reconstructs at a time. The controller is made for
  // 100 000 steps: here it moves twenty times as fast, and still not back up after encoder rows have found their features and L0 has
  // halved; so the target is twice what is aimed at.
  'hsae-forest': {
    sized: (width, l0) => {
      const unit = Math.max(1, Math.round(width / 15));
      return { widths: [unit, 2 * unit, 4 * unit, Math.max(1, width - 7 * unit)], targetL0: [l0 / 2] };
    },
    keys: { lr: 3e-3, bandwidth: 0.5, controllerStep: 0.02, controllerMomentum: 0.98, controllerRate: 0.02 },
    at: BY_K,
  },
  // Every top latent brings one atom: L0 is 2k. The published θ = 1/√d cuts off most codes of small models.
  'h-sae': {
    sized: (width, l0) => ({ width, k: l0 / 2 }),
    keys: { lr: 3e-3, theta: 0.02, l1: 1e-4 },
    at: BY_K,
  },
};
