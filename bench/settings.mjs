/**
 * What bench/architectures.mjs trains. Per architecture: how its size follows from one number n (solved so that all models have
 * the parameters of the flat one), keys that every model gets, and keys by the total L0 aimed at.
 */

const width = (n) => ({ width: n });

export const settings = {
  topk: { sized: width, keys: { lr: 1e-3 }, at: { 16: { k: 16 }, 32: { k: 32 }, 64: { k: 64 } } },
  // Every top latent brings one atom: L0 is 2k. The published θ = 1/√d cuts off most codes of small models.
  'h-sae': {
    sized: width,
    keys: { lr: 3e-3, theta: 0.02, l1: 1e-4 },
    at: { 16: { k: 8 }, 32: { k: 16 }, 64: { k: 32 } },
  },
};
