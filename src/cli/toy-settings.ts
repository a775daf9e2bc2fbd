/**
 * How `bench toy-tree` trains each architecture. The published protocol (methods 8.1) is 20 latents, batches of 200 and 40 000
 * steps for ReLU + L1 and Matryoshka; sparsity is set so that about as many latents are active as features are on (1.12).
 *
 * To add an architecture: one entry with the keys of its configuration that differ from the plain settings. One without an entry
 * is trained with the plain settings.
 */
import type { NormalizationKind } from '../activations/normalization.ts';
import type { Architecture } from '../sae/architecture.ts';
import type { ToyTraining } from '../evals/toy-bench.ts';

export interface ToySettings {
  /** Keys of the architecture. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Of the inputs; as the architecture wants by default. */
  readonly normalize?: NormalizationKind;
  readonly batch?: number;
  readonly tokens?: number;
}

/** Of the keys that an architecture has: 20 latents for 20 features; a child and its parent can be on at once. */
const PLAIN = { width: 20, k: 2, lr: 3e-3 };
/** A quarter of the published 40 000 steps of 200: in four times as many, TopK and H-SAE find no more features and no more edges. */
const BATCH = 200;
const TOKENS = 2_000_000;

export const TOY_SETTINGS: Readonly<Record<string, ToySettings>> = {
  // A fixed k is filled up where fewer features are on, so that L0 is k whatever the data; k = 1 cannot tell parents from children.
  topk: { config: { k: 2, lr: 3e-3 } },
  // One expert per root and independent leaf, an atom to spare for three children; the top level counts as much as the whole (β = 1):
  // with the published 0.1, tops that stand for two leaves at once cost too little here.
  'h-sae': {
    config: { width: 11, k: 4, atoms: 4, subspace: 3, lr: 5e-3, l1: 5e-3, topWeight: 1 },
    normalize: 'none',
    batch: 512,
  },
};

/** @param tokens instead of those of the table */
export function toyTraining(architecture: Architecture, tokens?: number): ToyTraining {
  const known = Object.keys(architecture.schema.shape);
  const plain = Object.fromEntries(Object.entries(PLAIN).filter(([key]) => known.includes(key)));
  const settings = TOY_SETTINGS[architecture.name] ?? {};
  return {
    config: { ...plain, ...settings.config },
    normalize: settings.normalize ?? architecture.normalization,
    batch: settings.batch ?? BATCH,
    tokens: tokens ?? settings.tokens ?? TOKENS,
  };
}
