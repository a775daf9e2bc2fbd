/**
 * The update of parameters: Adam/AdamW with clipping and unit-norm rows. The order of projection, clipping, step and
 * renormalisation differs between the papers (methods 10, "Decoder step"), so an architecture writes it down as a list.
 */
import { sizeOf, type Device, type Tensor } from './device.ts';
import type { AdamStep } from './kernels.ts';
import type { Scalar, Tape } from './tape.ts';

export interface Parameter {
  readonly name: string;
  readonly tensor: Tensor;
  /** Rows (last axis) are kept at unit norm by the `project` and `renormalize` stages. */
  readonly unitRows: boolean;
  /** Step with which its training begins: untouched before, and Adam's bias correction counts from there. Default 0. */
  readonly fromStep?: number;
}

export type Stage =
  /** Removes from the gradient of unit rows the part along the row: g − (g·u)u, u = w / (‖w‖ + epsilon), or u = w for 'raw'. */
  | { kind: 'project'; epsilon: number | 'raw' }
  /**
   * Norm over all gradients, or those of `only`: 'torch' multiplies by min(1, max/(norm + 1e-6)), 'optax' by max/norm where
   * norm ≥ max. The norm is that of the gradients as they stand after the stages before the first clip, adam or renormalize.
   */
  | { kind: 'clip'; maxNorm: number; style: 'torch' | 'optax'; only?: readonly string[] }
  /** The Adam step; with `renormalize` unit rows are divided by (norm + renormalize) in the same pass. */
  | { kind: 'adam'; renormalize?: number }
  /** Unit rows: w / (‖w‖ + epsilon). */
  | { kind: 'renormalize'; epsilon: number };

export interface UpdatePlan {
  stages: readonly Stage[];
  /** Unit rows are divided by (norm + this) before the forward pass of every step (Switch). */
  renormalizeFirst?: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  /** 'decoupled' (default): p −= lr·decay·p (AdamW); 'coupled': gradient += decay·p before the moments (Adam with L2). */
  decayStyle?: 'decoupled' | 'coupled';
  /** Learning rate of step t = 0, 1, … */
  learningRate: (step: number) => number;
}

interface Moments {
  gradient: Tensor;
  m: Tensor;
  v: Tensor;
}

export class Optimizer {
  readonly parameters: readonly Parameter[];
  readonly plan: UpdatePlan;
  /** Adam steps taken; part of the checkpoint. */
  taken = 0;
  readonly #device: Device;
  readonly #moments: Moments[];
  /** Parameters as they were before `begin` changed them, in this step's scratch. */
  readonly #before = new Map<Tensor, Tensor>();

  constructor(device: Device, parameters: readonly Parameter[], plan: UpdatePlan) {
    this.#device = device;
    this.parameters = parameters;
    this.plan = plan;
    this.#moments = parameters.map(({ tensor }) => ({
      gradient: device.persistent('f32', ...tensor.shape),
      m: device.persistent('f32', ...tensor.shape),
      v: device.persistent('f32', ...tensor.shape),
    }));
  }

  /** Gives the memory of gradients and moments back; the optimizer cannot be used afterwards. */
  release(): void {
    for (const { gradient, m, v } of this.#moments) for (const tensor of [gradient, m, v]) this.#device.release(tensor);
  }

  /** First and second moments by name, for checkpoints. */
  get state(): Record<string, Tensor> {
    return Object.fromEntries(
      this.parameters.flatMap(({ name }, i) => [
        [`adam_m.${name}`, this.#moments[i].m],
        [`adam_v.${name}`, this.#moments[i].v],
      ]),
    );
  }

  /** The gradient of each parameter, by name, as the last backward pass left it. */
  get gradients(): Record<string, Tensor> {
    return Object.fromEntries(this.parameters.map(({ name }, i) => [name, this.#moments[i].gradient]));
  }

  watch(tape: Tape): void {
    for (const [i, { tensor }] of this.parameters.entries()) tape.watch(tensor, this.#moments[i].gradient);
  }

  /** Zeroes both moments of some rows (first axis) of a parameter, e.g. of latents that were drawn anew. The queue must be empty. */
  clearMoments(name: string, rows: Iterable<number>): void {
    const i = this.parameters.findIndex((parameter) => parameter.name === name);
    const { tensor } = this.parameters[i];
    const zeros = new Float32Array(sizeOf(tensor.shape.slice(1)));
    for (const row of rows) {
      for (const moment of [this.#moments[i].m, this.#moments[i].v])
        this.#device.write(moment, zeros, row * zeros.length);
    }
  }

  /** Records what comes before the forward pass. */
  begin(): void {
    const { kernels } = this.#device;
    this.#before.clear();
    const { renormalizeFirst: epsilon } = this.plan;
    if (epsilon === undefined) return;
    for (const { tensor, unitRows } of this.parameters) {
      if (!unitRows) continue;
      const copy = this.#device.scratch('f32', ...tensor.shape);
      kernels.scale(copy, false, tensor, 1);
      this.#before.set(tensor, copy);
      kernels.normalizeRows(tensor, epsilon);
    }
  }

  /** Records that what {@link begin} did is undone: the step is not taken. */
  abandon(): void {
    for (const [tensor, copy] of this.#before) this.#device.kernels.scale(tensor, false, copy, 1);
  }

  /** Records what comes before clipping and the squared norm of each gradient; nothing else has changed yet. */
  prepare(tape: Tape): Scalar[] {
    const { kernels } = this.#device;
    const squares: (Scalar | undefined)[] = this.parameters.map(() => undefined);
    for (const stage of this.plan.stages.slice(0, this.#firstUpdate)) {
      if (stage.kind !== 'project') continue;
      // A projection measures its result while the rows are at hand.
      for (const [i, { tensor, unitRows }] of this.parameters.entries()) {
        if (!unitRows) continue;
        squares[i] = tape.scalar();
        kernels.projectRows(this.#moments[i].gradient, squares[i]!, tensor, stage.epsilon);
      }
    }
    return this.#moments.map(({ gradient }, i) => {
      const square = squares[i] ?? tape.scalar();
      if (!squares[i]) kernels.innerProduct(square, gradient, gradient);
      return square;
    });
  }

  /** Records the update of step `step`, given the squared norm of each gradient as `prepare` found it. */
  apply(step: number, squares: readonly number[]): void {
    const scales = this.parameters.map(() => 1);
    this.taken++;
    for (const stage of this.plan.stages.slice(this.#firstUpdate)) {
      if (stage.kind !== 'clip') {
        this.#run(stage, step, scales);
        continue;
      }
      const clipped = this.parameters.map(({ name }) => stage.only?.includes(name) ?? true);
      const norm = Math.sqrt(squares.reduce((sum, square, i) => sum + (clipped[i] ? square : 0), 0));
      const factor = clipFactor(stage, norm);
      for (const [i, isClipped] of clipped.entries()) if (isClipped) scales[i] *= factor;
    }
  }

  get #firstUpdate(): number {
    return this.plan.stages.findIndex(({ kind }) => kind !== 'project');
  }

  #run(stage: Exclude<Stage, { kind: 'clip' }>, step: number, scales: readonly number[]): void {
    const { kernels } = this.#device;
    for (const [i, { tensor, unitRows, fromStep = 0 }] of this.parameters.entries()) {
      const { gradient, m, v } = this.#moments[i];
      if (step < fromStep) continue;
      if (stage.kind === 'adam') {
        const { renormalize: epsilon } = stage;
        const unit = unitRows && epsilon !== undefined ? { epsilon } : undefined;
        kernels.adam(tensor, gradient, m, v, this.#constants(step, scales[i], fromStep), unit);
      } else if (!unitRows) continue;
      else if (stage.kind === 'project')
        kernels.projectRows(gradient, this.#device.scratch('f64', 1), tensor, stage.epsilon);
      else kernels.normalizeRows(tensor, stage.epsilon);
    }
  }

  #constants(step: number, gradientScale: number, fromStep: number): AdamStep {
    const { beta1, beta2, epsilon, weightDecay, decayStyle, learningRate } = this.plan;
    const lr = learningRate(step);
    const coupled = decayStyle === 'coupled';
    const taken = fromStep > 0 ? Math.min(this.taken, step - fromStep + 1) : this.taken;
    return {
      gradientScale,
      beta1,
      beta2,
      stepSize: lr / (1 - beta1 ** taken),
      correction: 1 / Math.sqrt(1 - beta2 ** taken),
      epsilon,
      decay: coupled ? 1 : 1 - lr * weightDecay,
      coupledDecay: coupled ? weightDecay : 0,
    };
  }
}

/** Factor on all gradients for a global norm. */
export function clipFactor({ maxNorm, style }: { maxNorm: number; style: 'torch' | 'optax' }, norm: number): number {
  if (style === 'torch') return Math.min(1, maxNorm / (norm + 1e-6));
  return norm < maxNorm ? 1 : maxNorm / norm;
}
