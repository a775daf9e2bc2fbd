/**
 * How `bench toy-tree` trains each architecture. The published protocol (methods 8.1) is 20 latents, batches of 200, 40 000 steps at
 * a rate of 3e-2, for ReLU + L1 with one prefix (vanilla) and with 10 random ones (Matryoshka). Here prefixes are those of
 * `matryoshka`, which selects as BatchTopK does instead of by an L1 penalty, so that `batchtopk` is its version with one prefix.
 * Trainings are a quarter as long (10 000 steps), or half of that where more steps changed nothing; a seed takes less than 10 s.
 * About as many latents are active as features are on (1.12), as near as an architecture comes; few keys were tried, on seeds 0 and 1.
 *
 * To add an architecture: one entry, or a list of variants, with the keys of its configuration that differ from the plain
 * settings. One without an entry is trained with the plain settings.
 */
import type { NormalizationKind } from '../activations/normalization.ts';
import type { Architecture } from '../sae/architecture.ts';
import type { ToyTraining } from '../evals/toy-bench.ts';

export interface ToySettings {
  /** What tells several settings of one architecture apart. */
  readonly variant?: string;
  /** Keys of the architecture. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Of the inputs; as the architecture wants by default. */
  readonly normalize?: NormalizationKind;
  readonly batch?: number;
  readonly tokens?: number;
}

/** Of the keys that an architecture has: 20 latents for 20 features; a child and its parent can be on at once. */
const PLAIN = { width: 20, k: 2, lr: 3e-3 };
const BATCH = 200;
const TOKENS = 2_000_000;
const HALF = { tokens: TOKENS / 2 };

/** L0 becomes 0.85, one latent per tree and leaf that is on, whatever the weight: the same from 0.01 to 0.5. */
const L1 = { l1: 0.1, lr: 3e-2 };
/**
 * k = 1 is the nearest to 1.12 on average over a batch. It starts at d and falls; without, some latents end up for nothing.
 * Latents count as dead within the training, not after the published 10 million tokens.
 */
const BATCH_TOP = { k: 1, lr: 3e-2, kAnnealSteps: 3000, deadAfter: 20_000 };

export const TOY_SETTINGS: Readonly<Record<string, ToySettings | readonly ToySettings[]>> = {
  'relu-l1': { config: L1 },
  'relu-l1-april': { config: L1 },
  // A fixed k is filled up where fewer features are on, so that L0 is k whatever the data; k = 1 cannot tell parents from children.
  topk: { config: { k: 2, lr: 3e-3 } },
  batchtopk: { config: BATCH_TOP, ...HALF },
  // With the published bandwidth of 0.001 hardly a threshold moves in so few steps.
  jumprelu: {
    config: { targetL0: 1.12, bandwidth: 0.1, thresholdInit: 0.3, lr: 3e-3, beta1: 0.9 },
    normalize: 'none',
  },
  gated: { config: { l1: 3, lr: 1e-2 }, ...HALF },
  matryoshka: [
    // Of 4, 8, … 20 latents. Those of the published shares (1, 2, 5, 10, 20) find one or two features less.
    { variant: 'fixed prefixes', config: { ...BATCH_TOP, groupFractions: [0.2, 0.2, 0.2, 0.2, 0.2] }, ...HALF },
    { variant: 'random prefixes', config: { ...BATCH_TOP, prefixes: 'random' }, ...HALF },
  ],
  'matryoshka-topk': { config: { k: 2, lr: 3e-3 }, ...HALF },
  switch: { config: { experts: 2 }, ...HALF },
  // It stops by itself: where less is left over than a tenth of a feature's energy (inputs are scaled to a mean norm of √20).
  'matching-pursuit': { config: { k: 4, residualThreshold: 1.5, lr: 1e-2 }, ...HALF },
  // That of the demo. One expert per root and independent leaf, an atom to spare for three children; the top level counts as much as
  // the whole (β = 1): with the published 0.1, tops that stand for two leaves at once cost too little here.
  'h-sae': {
    config: { width: 11, k: 4, atoms: 4, subspace: 3, lr: 5e-3, l1: 5e-3, topWeight: 1 },
    normalize: 'none',
    batch: 512,
    tokens: 3_000_000,
  },
  // Each level reconstructs alone: the coarse one has a latent per tree and leaf, 0.85 of which are on, the fine one has all features.
  'hsae-forest': {
    config: {
      widths: [11, 20],
      targetL0: [0.85, 1.12],
      lr: 3e-3,
      bandwidth: 0.1,
      similarity: 'coactivation',
      unassigned: 0,
    },
    ...HALF,
  },
  // Trees above; children and, at the root, the independent leaves below: with leaves above, k has to be 2 there and L0 is 2.5. Both layers
  // are filled up to k in every row where they can be.
  'tree-sae': { config: { layers: [3, 17], k: [1, 1], rootInitFrac: 0.47, lr: 3e-3 } },
  'dynamic-sparsity': { config: { lambda0: 0.2, lambdaFinal: 0.2 }, ...HALF },
  // L1 instead of top-k: every tier would be filled up to its k.
  compositional: {
    config: { width: [6, 6, 8], k: [1, 1, 1], activation: 'relu', l1: 1.5, lr: 3e-3 },
    ...HALF,
  },
};

export interface ToyVariant {
  /** null where the architecture has one setting only. */
  readonly variant: string | null;
  readonly training: ToyTraining;
}

/** @param tokens instead of those of the table */
export function toyVariants(architecture: Architecture, tokens?: number): ToyVariant[] {
  const known = Object.keys(architecture.schema.shape);
  const plain = Object.fromEntries(Object.entries(PLAIN).filter(([key]) => known.includes(key)));
  return [TOY_SETTINGS[architecture.name] ?? {}].flat().map((settings: ToySettings) => ({
    variant: settings.variant ?? null,
    training: {
      config: { ...plain, ...settings.config },
      normalize: settings.normalize ?? architecture.normalization,
      batch: settings.batch ?? BATCH,
      tokens: tokens ?? settings.tokens ?? TOKENS,
    },
  }));
}
