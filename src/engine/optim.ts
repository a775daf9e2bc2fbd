/**
 * The update of parameters: Adam/AdamW with clipping and unit-norm rows. The order of projection, clipping, step and
 * renormalisation differs between the papers (methods 10, "Decoder step"), so an architecture writes it down as a list.
 */
import type { Device, Tensor } from './device.ts';
import type { Scalar, Tape } from './tape.ts';

export interface Parameter {
  readonly name: string;
  readonly tensor: Tensor;
  /** Rows (last axis) are kept at unit norm by the `project` and `renormalize` stages. */
  readonly unitRows: boolean;
}

export type Stage =
  /** Removes from the gradient of unit rows the part along the row: g − (g·u)u, u = w / (‖w‖ + epsilon). */
  | { kind: 'project'; epsilon: number }
  /** Global norm over all gradients: 'torch' multiplies by min(1, max/(norm + 1e-6)), 'optax' by max/norm where norm ≥ max. */
  | { kind: 'clip'; maxNorm: number; style: 'torch' | 'optax' }
  | { kind: 'adam' }
  /** Unit rows: w / (‖w‖ + epsilon). */
  | { kind: 'renormalize'; epsilon: number };

export interface UpdatePlan {
  stages: readonly Stage[];
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Decoupled weight decay (AdamW). */
  weightDecay: number;
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

  /** Records what comes before clipping and the squared norm of each gradient; sum them for the global norm. */
  prepare(tape: Tape): Scalar[] {
    const { kernels } = this.#device;
    const before = this.plan.stages.slice(0, this.#firstUpdate);
    // A projection just before measures its result while the rows are at hand.
    const last = before.at(-1);
    for (const stage of last?.kind === 'project' ? before.slice(0, -1) : before) this.#run(stage, 0, 1);
    return this.parameters.map(({ tensor, unitRows }, i) => {
      const { gradient } = this.#moments[i];
      const square = tape.scalar();
      if (last?.kind === 'project' && unitRows) kernels.projectRows(gradient, square, tensor, last.epsilon);
      else kernels.innerProduct(square, gradient, gradient);
      return square;
    });
  }

  /** Records the update of step `step`, given the global norm of the gradient. */
  apply(step: number, norm: number): void {
    let scale = 1;
    this.taken++;
    for (const stage of this.plan.stages.slice(this.#firstUpdate)) {
      if (stage.kind === 'clip') scale = clipFactor(stage, norm);
      else this.#run(stage, step, scale);
    }
  }

  get #firstUpdate(): number {
    return this.plan.stages.findIndex(({ kind }) => kind === 'clip' || kind === 'adam');
  }

  #run(stage: Stage, step: number, gradientScale: number): void {
    const { kernels } = this.#device;
    const { stages } = this.plan;
    const next = stages[stages.indexOf(stage) + 1];
    const fused = stages[stages.indexOf(stage) - 1]?.kind === 'adam';
    for (const [i, { tensor, unitRows }] of this.parameters.entries()) {
      const { gradient, m, v } = this.#moments[i];
      if (stage.kind === 'adam') {
        const renormalize = unitRows && next?.kind === 'renormalize' ? { epsilon: next.epsilon } : undefined;
        kernels.adam(tensor, gradient, m, v, this.#constants(step, gradientScale), renormalize);
      } else if (stage.kind === 'project' && unitRows) {
        kernels.projectRows(gradient, this.#device.scratch('f64', 1), tensor, stage.epsilon);
      } else if (stage.kind === 'renormalize' && unitRows && !fused) kernels.normalizeRows(tensor, stage.epsilon);
    }
  }

  #constants(step: number, gradientScale: number): Parameters<Device['kernels']['adam']>[4] {
    const { beta1, beta2, epsilon, weightDecay, learningRate } = this.plan;
    const lr = learningRate(step);
    return {
      gradientScale,
      beta1,
      beta2,
      stepSize: lr / (1 - beta1 ** this.taken),
      correction: 1 / Math.sqrt(1 - beta2 ** this.taken),
      epsilon,
      decay: 1 - lr * weightDecay,
    };
  }
}

/** Factor on all gradients for a global norm. */
export function clipFactor({ maxNorm, style }: { maxNorm: number; style: 'torch' | 'optax' }, norm: number): number {
  if (style === 'torch') return Math.min(1, maxNorm / (norm + 1e-6));
  return norm < maxNorm ? 1 : maxNorm / norm;
}
