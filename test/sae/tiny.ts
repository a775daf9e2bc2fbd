/** A tiny model of every architecture, for the tests that hold for all of them. A new architecture needs an entry here. */
import type { Architecture } from '../../src/sae/architecture.ts';
import { architectures } from '../../src/sae/registry.ts';

/** Dimension of the activations that tiny models are for, as in the toy tree. */
export const D = 20;

/** Steps within which everything that happens now and then (resampling, reassignment, new thresholds) happens at least once. */
export const STEPS = 24;

export interface Tiny {
  /** Keys of a model of some 12 to 40 latents with about 2 active ones per token, and with the views of the defaults. */
  config: Record<string, unknown>;
  /** Keys that make it diverge: a learning rate a million times too large, or more. */
  explosive: Record<string, unknown>;
  /**
   * What training and inference have in common: `codes` = with the same weights they select the same latents at the same
   * values (default); `dictionary` = their codes differ, but those of training reconstruct with the dictionary as well;
   * `nothing` = training does not reconstruct by codes.
   */
  shared?: 'codes' | 'dictionary' | 'nothing';
}

const tiny: Readonly<Record<string, Tiny>> = {
  topk: { config: { width: 12, k: 2 }, explosive: { lr: 7000 } },
  'relu-l1': { config: { width: 16, l1: 0.1, resampleEvery: 8 }, explosive: { lr: 1000 } },
  'relu-l1-april': { config: { width: 16, l1: 0.1 }, explosive: { lr: 1000 } },
  gated: { config: { width: 16, l1: 0.1, lr: 0.01 }, explosive: { lr: 1000 } },
  'dynamic-sparsity': { config: { width: 12, lambda0: 0.01, window: 8 }, explosive: { lr: 1000 } },
  batchtopk: { config: { width: 12, k: 2 }, explosive: { lr: 7000 }, shared: 'dictionary' },
  jumprelu: {
    config: { width: 12, targetL0: 2, lr: 0.01, thresholdInit: 0.1, bandwidth: 0.1 },
    explosive: { lr: 1000 },
  },
  'matching-pursuit': { config: { width: 16, k: 2, lr: 0.01 }, explosive: { lr: 7000 } },
  'hsae-forest': {
    config: { widths: [4, 6, 8, 12], targetL0: [2], assignEvery: 8, lr: 0.01, thresholdInit: 0.1 },
    // Its decoder rows are normalised and its thresholds silence what explodes: only an overflow stops it.
    explosive: { lr: 1e30 },
    shared: 'nothing',
  },
  'tree-sae': {
    config: {
      layers: [6, 12],
      k: [2, 1],
      lr: 0.01,
      deadAfter: 4,
      eligibleWithin: 8,
      reallocateAfter: 6,
      rootReset: 20,
    },
    explosive: { lr: 1000 },
  },
  matryoshka: {
    config: { width: 12, k: 2, prefixes: 'random', randomPrefixes: 3, thresholdFrom: 5, deadAfter: 100 },
    explosive: { lr: 7000 },
    shared: 'dictionary',
  },
  'matryoshka-topk': { config: { width: 12, k: 2, lr: 0.01, deadAfter: 100 }, explosive: { lr: 1000 } },
  switch: { config: { width: 12, experts: 3, k: 2, lr: 0.01 }, explosive: { lr: 1000 } },
  compositional: { config: { width: 18, k: 3, lr: 0.01, curriculum: false }, explosive: { lr: 1000 } },
  'h-sae': { config: { width: 12, k: 2, atoms: 3, subspace: 2 }, explosive: { lr: 500 } },
};

/** Architectures with a tiny model, by name; a test fails if one has none. */
export const tested = architectures
  .filter(({ name }) => Object.hasOwn(tiny, name))
  .map((one) => [one.name, one] as const);

/** @throws Error that says where to add one */
export function tinyOf({ name }: Architecture): Required<Tiny> {
  const found = tiny[name];
  if (found === undefined) throw new Error(`no tiny model of ${name}: add one to test/sae/tiny.ts`);
  return { shared: 'codes', ...found };
}
