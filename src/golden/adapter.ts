/** What maps the fixtures of one architecture (names, orientations, hyper-parameters of its source) to this library. */
import type { Device, Tensor } from '../engine/device.ts';
import type { Tape } from '../engine/tape.ts';
import type { TrainableSae, TrainingForward } from '../sae/architecture.ts';
import type { StepResult } from '../training/step.ts';
import type { SaeFixture } from './fixture.ts';
import type { Report } from './report.ts';

/** A parameter: its name in the fixture and in the library. */
export interface ParameterLink {
  /** Several are stacked along the first axis. */
  readonly stored: string | readonly string[];
  readonly ours: string;
  /** Whether the last two axes are swapped. */
  readonly transposed: boolean;
}

/** A reading of the loss: its name in `losses` (undefined if there is only one) and the prefix of its gradients. */
export interface Variant {
  readonly name: string | undefined;
  readonly gradients: string;
  /**
   * End of the names of its own codes, reconstructions and `after<N>`, for variants that have them and are trained in the step protocol;
   * the first variant always is. Default: none.
   */
  readonly suffix?: string;
}

/** The single forward and backward pass. */
export interface Pass {
  readonly device: Device;
  readonly tape: Tape;
  readonly sae: TrainableSae;
  /** f32 [B, d] */
  readonly x: Tensor;
  readonly forward: TrainingForward;
  /** Terms of the loss, unweighted. */
  readonly losses: Readonly<Record<string, number>>;
  readonly total: number;
  /** By the parameters, after projection. */
  readonly gradients: Readonly<Record<string, Tensor>>;
  /** Global norm of the gradient after projection. */
  readonly gradientNorm: number;
}

/** A step of the protocol that has just been taken. */
export interface Step {
  readonly device: Device;
  readonly sae: TrainableSae;
  readonly x: Tensor;
  readonly step: number;
  readonly result: StepResult;
}

/** Numbers by their name in the fixture; a string says why there is none to compare. */
export type Named = Readonly<Record<string, number | readonly number[] | string>>;

/** One case, its hyper-parameters understood. */
export interface CaseAdapter {
  readonly parameters: readonly ParameterLink[];
  /** The first one is trained in the step protocol, and those with a suffix. */
  readonly variants: readonly Variant[];
  /** Rows per batch and size of an activation. */
  readonly batch: number;
  readonly d: number;
  /** Step at which the single pass has the losses of the fixture. */
  readonly passStep: number;
  /** Step that the protocol starts at; default 0. */
  readonly firstStep?: number;
  /** Tensor of the reconstruction by a view; default `x_hat_<view>`. */
  viewTensor?(view: string): string;
  /** A model with the case's configuration and state; parameters are written by the caller. */
  build(device: Device, variant: Variant): TrainableSae;
  /** All entries of `losses` of the variant. */
  losses(pass: Pass): Promise<Named>;
  /** Compares what the architecture has beyond codes, reconstruction, losses and gradients; records are still unread. */
  compare(pass: Pass, report: Report): Promise<void>;
  /** Compares what is no parameter after `prefix`, e.g. `after3.` */
  compareState(step: Step, prefix: string, report: Report): Promise<void>;
  /** Entries of `step_log`. */
  log(step: Step): Promise<Named>;
}

export interface Adapter {
  readonly architecture: string;
  /** @throws InputError for hyper-parameters that the library does not have */
  open(fixture: SaeFixture): CaseAdapter;
}
