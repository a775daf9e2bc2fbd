/**
 * The library: what the author of an architecture needs, and what a program needs to train SAEs and to use them. Other modules
 * are internal and may change without notice. examples/ shows it at work.
 */
export * from './core/errors.ts';
export { Random } from './core/random.ts';

// An architecture: its declaration, and the configuration schema in the same zod that the library uses.
export { z } from 'zod';
export {
  defineArchitecture,
  type About,
  type Architecture,
  type BuildContext,
  type Cost,
  type HostState,
  type LossTerm,
  type Maintenance,
  type Sae,
  type TrainableSae,
  type TrainingForward,
  type View,
} from './sae/architecture.ts';
export { architectureNamed, architectures, registerArchitecture } from './sae/registry.ts';

// What it is made of: differentiable operations on a tape, schedules, the update of parameters, and shared parts.
export type { Codes, Device, Tensor } from './engine/device.ts';
export { Tape, type Scalar } from './engine/tape.ts';
export { decode } from './engine/ops/decode.ts';
export { encodeAtLeast, encodeTop, RELU, type Encoder } from './engine/ops/encode.ts';
export { absoluteSum, normalizedError, relativeError, squaredError } from './engine/ops/losses.ts';
export type { Parameter, Stage, UpdatePlan } from './engine/optim.ts';
export { defaultWarmup, linearWarmupDecay, warmupCosine } from './engine/schedules.ts';
export { flatCost } from './sae/parts/cost.ts';
export { DeadLatents } from './sae/parts/dead-latents.ts';
export { geometricMedian } from './sae/parts/geometric-median.ts';
export { uniform, unitRows } from './sae/parts/initial.ts';
export { normalizeRows } from './core/rows.ts';
export { Forest } from './forest/forest.ts';

// Training, and what comes out of it.
export { runTraining, type TrainingRequest } from './cli/train-runs.ts';
export type { TrainingOutcome } from './training/group.ts';
export { openRun, type OpenRun } from './training/runs.ts';
export { CpuDevice } from './engine/cpu/device.ts';
export { Reconstructor, type Reconstruction } from './sae/reconstructor.ts';
export { SynthBench } from './activations/synth-bench/synth-bench.ts';
export { ToyTree } from './activations/toy-tree.ts';
export { recoverToyTree, type ToyRecovery } from './evals/toy-recovery.ts';
