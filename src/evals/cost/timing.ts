/** Timing of models on a device: what is alternated in one process can be compared although the machine is busy. */
import { Random } from '../../core/random.ts';
import type { Device, Tensor } from '../../engine/device.ts';
import { Optimizer } from '../../engine/optim.ts';
import { Tape } from '../../engine/tape.ts';
import type { Sae, TrainableSae } from '../../sae/architecture.ts';
import { trainStep } from '../../training/step.ts';

/** Milliseconds. */
export async function clock(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

/** The upper one of an even number. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

/** Peak memory of the whole process so far, in MB. */
export const peakRss = (): number => process.resourceUsage().maxRSS / 1024;

/** Milliseconds of encoding x, a persistent tensor. */
export function timeEncode(device: Device, sae: Sae, x: Tensor): Promise<number> {
  return clock(() => {
    device.beginStep();
    sae.encode(new Tape(device), x);
    return device.flush();
  });
}

/** Training steps of a model on a few batches in turn, so that no step finds its data in a cache. The model changes. */
export class StepTimer {
  readonly sae: TrainableSae;
  readonly #device: Device;
  readonly #optimizer: Optimizer;
  readonly #batches: readonly Float32Array[];
  readonly #x: Tensor;
  #step: number;

  /** @param batches `[rows, d]` each, normalised; @param step to begin with: in the middle of a run, warm-ups are over */
  constructor(device: Device, sae: TrainableSae, batches: readonly Float32Array[], step: number) {
    this.#device = device;
    this.sae = sae;
    this.#optimizer = new Optimizer(device, sae.parameters, sae.update);
    this.#batches = batches;
    this.#x = device.persistent('f32', batches[0].length / sae.d, sae.d);
    device.write(this.#x, batches[0]);
    this.#step = step;
  }

  /** The batch of the last step; before it, the first one. */
  get x(): Tensor {
    return this.#x;
  }

  /** Milliseconds of one step. */
  step(): Promise<number> {
    this.#device.beginStep();
    this.#device.write(this.#x, this.#batches[this.#step % this.#batches.length]);
    return clock(() => trainStep(this.#device, this.sae, this.#optimizer, this.#x, this.#step++));
  }

  /** Gives the memory of the optimizer and of the batch back; the model stays. */
  release(): void {
    this.#optimizer.release();
    this.#device.release(this.#x);
  }
}

/** Gives the memory of a model's parameters and state back. */
export function releaseSae(device: Device, { parameters, state }: TrainableSae): void {
  for (const { tensor } of parameters) device.release(tensor);
  for (const tensor of Object.values(state)) device.release(tensor);
}

/** Rows that are sums of k of `width` random directions with random strengths, scaled to E‖x‖ ≈ √d. */
export function sparseBatches(count: number, rows: number, d: number, width: number, k: number): Float32Array[] {
  const random = new Random(0, 'bench');
  const directions = Float32Array.from({ length: Math.min(width, 4096) * d }, () => random.normal() / Math.sqrt(d));
  const choices = directions.length / d;
  return Array.from({ length: count }, () => {
    const batch = new Float32Array(rows * d);
    for (let r = 0; r < rows; r++) {
      for (let i = 0; i < k; i++) {
        const from = random.below(choices) * d;
        const strength = Math.sqrt(d / k) * Math.abs(random.normal());
        for (let j = 0; j < d; j++) batch[r * d + j] += strength * directions[from + j];
      }
    }
    return batch;
  });
}
