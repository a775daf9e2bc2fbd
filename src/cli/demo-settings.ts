/** What the demo reads and trains. */
import type { Site } from '../lm/site.ts';

/** Where the embedded model's activations are read. */
export const SITE: Site = { layer: 1, hook: 'resid_post' };

interface Size {
  /** Activations to harvest and to train on. */
  readonly tokens: number;
  readonly batch: number;
  /** Rows with known truth on which the SAEs are compared. */
  readonly rows: number;
}

/** Share of the documents held out of the training, for validation while it runs. */
export const HELD_OUT = 0.02;

export const FULL: Size = { tokens: 1_200_000, batch: 1024, rows: 60_000 };
/** Shows that everything works, in seconds. */
export const QUICK: Size = { tokens: 100_000, batch: 512, rows: 20_000 };

/**
 * All with an L0 of 8 and about as many latents. Tree SAE takes the activations as they are: standardised token by token, as for
 * the language models of its paper, seven in ten of its latents fall silent here.
 */
export const SAES = [
  { arch: 'topk', keys: { width: 1536, k: 8, lr: 2e-3 } },
  { arch: 'tree-sae', keys: { layers: [768, 768], k: [5, 3], lr: 1e-3, standardize: false } },
  { arch: 'h-sae', keys: { width: 192, k: 4, atoms: 8, subspace: 4, lr: 3e-3, theta: 0.02, l1: 1e-4 } },
] as const;
