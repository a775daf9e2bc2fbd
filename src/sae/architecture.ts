/**
 * What an architecture declares, and what everything after training needs to know of a model: `encode`, `dictionary`,
 * `views` and `forest`. Nothing else in the program depends on an architecture's name.
 */
import type { z } from 'zod';
import type { Codes, Device, Tensor } from '../engine/device.ts';
import type { Parameter, UpdatePlan } from '../engine/optim.ts';
import type { Scalar, Tape } from '../engine/tape.ts';
import type { Forest } from '../forest/forest.ts';

/** How an architecture wants its inputs; see activations/normalization.ts. */
export type InputNormalization = 'none' | 'scalar' | 'unit' | 'layer-norm';

/** A named range [from, to) of latents that reconstructs on its own. */
export interface View {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** A model on a device that can encode and reconstruct. */
export interface Sae {
  readonly architecture: string;
  /** Dimension of the activations. */
  readonly d: number;
  /** F: number of latents, of all levels. */
  readonly width: number;
  /**
   * At least `full`, the reconstruction of the whole model: all latents, or where levels reconstruct one by one those of the deepest.
   */
  readonly views: readonly View[];
  /** b_dec [d] of the reconstruction; null = none. */
  readonly outputBias: Tensor | null;
  /**
   * Whether `encode` first standardises each token (subtracts the mean of its d elements, divides by their standard deviation):
   * then codes · dictionary + b_dec is in that space, and has to be multiplied and shifted back (ops/standardize.ts).
   */
  readonly standardizes?: boolean;
  /** Parent of every latent; undefined for flat architectures. */
  readonly forest: Forest | undefined;
  /** Inference codes of x [B, d]. */
  encode(tape: Tape, x: Tensor): Codes;
  /** Records the computation of the decoder rows [F, d] of all latents, as they stand now. The queue must be empty. */
  dictionary(tape: Tape): Tensor;
}

/** One term of the loss: the total is Σ weight · value. */
export interface LossTerm {
  value: Scalar;
  weight: number;
}

export interface TrainingForward {
  /** Terms by name. */
  losses: Record<string, LossTerm>;
  /** Further numbers, for {@link TrainableSae.afterStep} and the log. */
  observed: Record<string, Scalar>;
  /** Inference-like codes of the batch, for logging. */
  codes: Codes;
  /** Reconstruction of the view `full` [B, d], for logging. */
  reconstruction: Tensor;
  /** Records changes of state that belong to this step; called only if the step is taken. */
  commit: () => void;
}

/** What a model may look at between steps. */
export interface Maintenance {
  /** The step that was just taken. */
  step: number;
  /** Its batch [B, d]. */
  x: Tensor;
  /** Its forward pass; codes and reconstruction are those from before the update. */
  forward: TrainingForward;
  /** Unweighted terms by name, and Σ weight · term. */
  losses: Readonly<Record<string, number>>;
  total: number;
  observed: Readonly<Record<string, number>>;
  /** Zeroes Adam's moments of rows (first axis) of a parameter. */
  clearMoments(parameter: string, rows: Iterable<number>): void;
}

/** Numbers kept by the host between steps. */
export type HostState = Record<string, number>;

/** A model in training. */
export interface TrainableSae extends Sae {
  readonly parameters: readonly Parameter[];
  /** State on the device that is no parameter, f32 or u32: counters of dead latents, links to parents. */
  readonly state: Readonly<Record<string, Tensor>>;
  /** State on the host; replaced by {@link afterStep} and {@link maintain}, saved in checkpoints. Its keys are those it is built with. */
  hostState: HostState;
  readonly update: UpdatePlan;
  /** Called once before step 0 with the first batch [B, d]. */
  start(batch: Float32Array): void;
  /**
   * Records the training forward pass of step `step`. The queue is empty before it, so that it may write to the device first; only
   * in models with `update.renormalizeFirst` that is recorded already.
   */
  forward(tape: Tape, x: Tensor, step: number): TrainingForward;
  /** Updates the host's state after a step that was taken. */
  afterStep(step: number, observed: Record<string, number>): void;
  /** Occasional work after a step that was taken: resampling, reassignment. Draws from a stream of (seed, step) only. */
  maintain?(work: Maintenance): Promise<void>;
  /**
   * Rebuilds what the host mirrors of `state` after a checkpoint was loaded.
   * @throws InputError where a number that kernels take for an index is none: files may be damaged
   */
  restore?(state: Readonly<Record<string, Float32Array | Uint32Array>>): void;
  /** In words, what the architecture's mathematics makes of a loss that is not finite or explodes; undefined = nothing special. */
  explainDivergence?(losses: Readonly<Record<string, number>>): string | undefined;
  /** Share of latents that count as dead now. */
  deadFraction(): Promise<number>;
  /** The same by part of the model, e.g. experts and atoms. */
  deadParts?(): Promise<Record<string, number>>;
}

export interface BuildContext {
  device: Device;
  /** Dimension of the activations. */
  d: number;
  seed: number;
  /** Rows per step. */
  batch: number;
  /** Steps of the whole training. */
  steps: number;
}

export interface Cost {
  /** Trained numbers. */
  parameters: number;
  /** Multiplications and additions to encode one token at inference: 2 per weight that is touched, selection not counted. */
  encodeFlops: number;
  /** The same for reconstructing it from its codes. */
  decodeFlops: number;
}

/** What no code knows. */
export interface About {
  /** The idea in about three sentences. */
  readonly idea: string;
  /** The equations that are implemented, with their numbers in the paper. */
  readonly equations: string;
  /** When to use it, and when not. */
  readonly use: string;
}

export interface Architecture<Schema extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  /** Where it comes from: title and arXiv id. */
  readonly paper: string;
  /** One line for `archs` and the docs. */
  readonly summary: string;
  /** For docs/architectures.md, in Markdown. */
  readonly about: About;
  readonly hierarchical: boolean;
  /** With the default configuration. */
  readonly views: readonly string[];
  readonly normalization: InputNormalization;
  /** Strict schema of the configuration with the paper's values as defaults. */
  readonly schema: Schema;
  /** What is wrong with values that are valid one by one, such as k > width. */
  check?(config: z.output<Schema>): string | undefined;
  /** Configuration of about this width and L0, where the keys of the schema are not `width` and `k`. For benchmarks. */
  sized?(size: { width: number; k: number }): Partial<z.input<Schema>>;
  /** Size and price of a model on activations of dimension d. */
  cost(config: z.output<Schema>, d: number): Cost;
  build(config: z.output<Schema>, context: BuildContext): TrainableSae;
}

/** Keeps the schema's type between `schema` and `build`. */
export function defineArchitecture<Schema extends z.ZodObject>(architecture: Architecture<Schema>): Architecture {
  return architecture as unknown as Architecture;
}
