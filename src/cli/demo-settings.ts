/** What the demo reads and trains. */
import type { Site } from '../lm/site.ts';

/** Where the embedded model's activations are read. */
export const SITE: Site = { layer: 2, hook: 'resid_post' };

interface Size {
  /** Activations to harvest and to train on. */
  readonly tokens: number;
  readonly batch: number;
  /** Rows with known truth on which the SAEs are compared. */
  readonly rows: number;
}

/** Share of the documents held out of the training, for validation while it runs. */
export const HELD_OUT = 0.02;

export const FULL: Size = { tokens: 600_000, batch: 1024, rows: 60_000 };
/** Shows that everything works, in seconds. */
export const QUICK: Size = { tokens: 60_000, batch: 512, rows: 8_000 };

/** All with an L0 of about 24. */
export const SAES = [
  { arch: 'topk', keys: { width: 2048, k: 24, lr: 1e-3 } },
  { arch: 'tree-sae', keys: { layers: [512, 1536], k: [16, 8], lr: 1e-3 } },
  { arch: 'h-sae', keys: { width: 512, k: 12, atoms: 4, subspace: 4, lr: 2e-3, theta: 0.02, l1: 1e-4 } },
] as const;
