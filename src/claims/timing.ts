/** How long SAEs take on this machine: turn by turn, so that whatever else the machine does falls on all of them. */
import { normalize } from '../activations/normalization.ts';
import { Random } from '../core/random.ts';
import type { Device, Tensor } from '../engine/device.ts';
import { Optimizer } from '../engine/optim.ts';
import { Tape } from '../engine/tape.ts';
import type { TrainableSae } from '../sae/architecture.ts';
import { architectureNamed } from '../sae/registry.ts';
import { trainStep } from '../training/step.ts';

/** Length of the run that is pretended; steps are counted from its middle, where warm-ups are over. */
const STEPS = 10_000;

export interface Shape {
  readonly d: number;
  readonly batch: number;
}

/** An SAE with fresh weights, on random inputs of unit norm. */
export class TimedSae {
  readonly sae: TrainableSae;
  readonly #device: Device;
  readonly #optimizer: Optimizer;
  readonly #x: Tensor;
  #step = STEPS / 2;

  constructor(device: Device, arch: string, keys: object, { d, batch }: Shape) {
    const architecture = architectureNamed(arch);
    const config = architecture.schema.parse({ ...keys });
    this.#device = device;
    this.sae = architecture.build(config, { device, d, seed: 0, batch, steps: STEPS });
    this.#optimizer = new Optimizer(device, this.sae.parameters, this.sae.update);
    this.#x = device.persistent('f32', batch, d);
    const random = new Random(0, 'claims', 'timing');
    const rows = Float32Array.from({ length: batch * d }, () => random.normal());
    normalize({ kind: 'unit' }, rows, d);
    device.write(this.#x, rows);
    this.sae.start(rows);
  }

  /** Milliseconds of a training step. */
  step(): Promise<number> {
    return clock(() => trainStep(this.#device, this.sae, this.#optimizer, this.#x, this.#step++));
  }

  /** Milliseconds of encoding the batch. */
  encode(): Promise<number> {
    return clock(() => {
      this.#device.beginStep();
      this.sae.encode(new Tape(this.#device), this.#x);
      return this.#device.flush();
    });
  }
}

async function clock(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Calls everything in turn. @returns [rounds] of each; the first round is not counted */
export async function inTurn(measures: readonly (() => Promise<number>)[], rounds: number): Promise<number[][]> {
  const times: number[][] = measures.map(() => []);
  for (let round = 0; round <= rounds; round++) {
    for (const [i, measure] of measures.entries()) {
      const time = await measure();
      if (round > 0) times[i].push(time);
    }
  }
  return times;
}
