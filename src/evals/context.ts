/** What an evaluation suite is given. */
import type { Normalization } from '../activations/normalization.ts';
import type { ActivationSource } from '../activations/source.ts';
import type { Device } from '../engine/device.ts';
import type { Forest } from '../forest/forest.ts';
import type { LanguageModel } from '../lm/model.ts';
import type { Sae, TrainableSae } from '../sae/architecture.ts';

/** The language model that the activations come from, and how they were harvested. */
export interface HarvestedModel {
  readonly model: LanguageModel;
  readonly layer: number;
  /** Place in that block. */
  readonly hook: string;
  /** Token that begins every sequence. */
  readonly bosId: number | null;
  /** Tokens whose rows were not stored. */
  readonly dropped: readonly number[];
  /** Documents were joined into full contexts. */
  readonly packed: boolean;
}

/** How an SAE was trained. */
export interface TrainedHere {
  /** The SAE itself, with what training adds to it. */
  readonly sae: TrainableSae;
  /** Keys of its architecture. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Rows per step. */
  readonly batch: number;
  readonly steps: number;
}

/** What is measured, and on what. */
export interface EvalContext {
  readonly device: Device;
  /** On that device. */
  readonly sae: Sae;
  /** Raw activations (its own normalisation is `none`). */
  readonly source: ActivationSource;
  /** How the SAE wants them. */
  readonly normalization: Normalization;
  /** Where there is none: why. */
  readonly model: HarvestedModel | string;
  /** Of runs; undefined for SAEs that come from elsewhere. */
  readonly trained?: TrainedHere;
  /** Share of dead latents by the trainer's counters. */
  readonly deadByCounters?: () => Promise<number>;
  /** Parents of the latents that are to be judged in place of the SAE's own, or of extracted ones; see forest-of.ts. */
  readonly forest?: Forest;
  /** Folder of labelled texts, for suites that need them. */
  readonly data?: string;
  /** Held-out rows at most. */
  readonly rows: number;
  /** Rows that go through the SAE at once; no result depends on it. */
  readonly batchRows: number;
  /** Sequences that are run through the language model; by default as many as hold some 20 000 tokens. */
  readonly sequences?: number;
  /** Of the bootstrap. */
  readonly seed: number;
  readonly onProgress: (what: string, done: number, total: number) => void;
}
