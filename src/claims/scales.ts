/** How large the experiments of the ledger are. */
import type { z } from 'zod';
import type { synthBenchSchema } from '../activations/synth-bench/config.ts';

export const SCALES = ['tiny', 'small', 'full'] as const;
export type ScaleName = (typeof SCALES)[number];

/**
 * W: the embedded language model on text of its world, whose concepts are known. S: a language model on real text (stories3m). B:
 * SynthSAEBench. N: Nabeshima's toy tree.
 */
export const DATA = ['W', 'S', 'B', 'N'] as const;
export type DataName = (typeof DATA)[number];

export interface DataSize {
  /** Activations to train on; for W and S also those that are harvested. */
  readonly tokens: number;
  readonly batch: number;
  /** One training for each: 0, 1, … */
  readonly seeds: number;
  /** Held-out rows that are measured on. */
  readonly rows: number;
  /** Sequences with the reconstruction spliced in. */
  readonly sequences: number;
  /** Latents of a flat SAE, active latents of any. */
  readonly width: number;
  readonly l0: number;
}

export interface Scale {
  readonly what: string;
  readonly data: Readonly<Record<DataName, DataSize>>;
  readonly synthBench: z.input<typeof synthBenchSchema>;
}

const none = { sequences: 0 };

export const scales: Readonly<Record<ScaleName, Scale>> = {
  tiny: {
    what: 'minutes; shows that every protocol runs, decides nothing',
    data: {
      W: { tokens: 40_000, batch: 512, seeds: 2, rows: 4000, sequences: 20, width: 192, l0: 8 },
      S: { tokens: 20_000, batch: 512, seeds: 2, rows: 2000, sequences: 8, width: 192, l0: 16 },
      B: { tokens: 60_000, batch: 512, seeds: 2, rows: 4000, ...none, width: 64, l0: 6 },
      N: { tokens: 100_000, batch: 200, seeds: 2, rows: 5000, ...none, width: 20, l0: 2 },
    },
    synthBench: { features: 384, d: 48, roots: 4, maxProbability: 0.1, minProbability: 0.004 },
  },
  small: {
    what: 'hours on two cores; what docs/claims.md reports',
    data: {
      W: { tokens: 800_000, batch: 1024, seeds: 3, rows: 30_000, sequences: 150, width: 1024, l0: 8 },
      S: { tokens: 600_000, batch: 1024, seeds: 3, rows: 20_000, sequences: 60, width: 1536, l0: 32 },
      B: { tokens: 1_500_000, batch: 1024, seeds: 5, rows: 30_000, ...none, width: 512, l0: 12 },
      N: { tokens: 1_000_000, batch: 200, seeds: 5, rows: 20_000, ...none, width: 20, l0: 2 },
    },
    synthBench: { features: 2048, d: 128, roots: 16, maxProbability: 0.2, minProbability: 0.001 },
  },
  full: {
    what: "the papers' sizes; days on a GPU",
    data: {
      W: { tokens: 10_000_000, batch: 2048, seeds: 5, rows: 200_000, sequences: 500, width: 4096, l0: 8 },
      S: { tokens: 500_000_000, batch: 4096, seeds: 3, rows: 1_000_000, sequences: 2000, width: 16_384, l0: 32 },
      B: { tokens: 200_000_000, batch: 1024, seeds: 5, rows: 100_000, ...none, width: 4096, l0: 34 },
      N: { tokens: 8_000_000, batch: 200, seeds: 5, rows: 20_000, ...none, width: 20, l0: 2 },
    },
    synthBench: {},
  },
};
