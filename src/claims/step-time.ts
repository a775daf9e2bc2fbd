/** How long training steps take, several SAEs in turns, so that a machine that is busy for a while slows all of them. */
import { NormalizedSource } from '../activations/normalized-source.ts';
import type { ActivationSource } from '../activations/source.ts';
import { quantileOfSorted } from '../core/statistics.ts';
import type { Device, Tensor } from '../engine/device.ts';
import { Optimizer } from '../engine/optim.ts';
import { metric, type Metric } from '../evals/metric.ts';
import type { TrainableSae } from '../sae/architecture.ts';
import { stepsOf } from '../training/config.ts';
import { openRun, type OpenRun } from '../training/runs.ts';
import { trainStep } from '../training/step.ts';
import type { Lab, Spec } from './lab.ts';

/** Steps before the clock runs, and while it does. */
const STEPS = { tiny: [3, 6], small: [20, 60], full: [50, 200] } as const;
const SEEDS = 3;

/** `[seeds][specs][steps]` milliseconds. */
export type StepTimes = readonly (readonly (readonly number[])[])[];

/** @param specs of the same data; their trained runs say how they are set, and are left as they are */
export async function stepTimes(lab: Lab, specs: readonly Spec[]): Promise<StepTimes> {
  const [warmUp, timed] = STEPS[lab.scaleName];
  const bySpec = await lab.train(specs);
  const seeds: number[][][] = [];
  for (let seed = 0; seed < Math.min(SEEDS, bySpec[0].length); seed++) {
    const runs = bySpec.map((ofSpec) => ofSpec[seed]);
    seeds.push(
      await lab.withRun(runs[0], async ({ source }, _open, device) => {
        const learners: Learner[] = [];
        for (const { folder } of runs) learners.push(await Learner.create(device, openRun(folder, device), source));
        return timeInTurns(learners, warmUp, timed);
      }),
    );
  }
  return seeds;
}

async function timeInTurns(learners: readonly Learner[], warmUp: number, timed: number): Promise<number[][]> {
  const times: number[][] = learners.map(() => []);
  for (let step = 0; step < warmUp + timed; step++) {
    for (const [i, learner] of learners.entries()) {
      const took = await learner.step(step);
      if (step >= warmUp) times[i].push(took);
    }
  }
  return times;
}

/** A model that starts anew with the settings of a run. */
class Learner {
  readonly #device: Device;
  readonly #source: ActivationSource;
  readonly #sae: TrainableSae;
  readonly #optimizer: Optimizer;
  readonly #x: Tensor;
  readonly #rows: Float32Array;

  private constructor(device: Device, { config }: OpenRun, source: ActivationSource) {
    const { batch, seed } = config.common;
    const { d } = source;
    this.#device = device;
    this.#source = source;
    this.#sae = config.architecture.build(config.sae, { device, d, seed, batch, steps: stepsOf(config.common) });
    this.#optimizer = new Optimizer(device, this.#sae.parameters, this.#sae.update);
    this.#x = device.persistent('f32', batch, d);
    this.#rows = new Float32Array(batch * d);
  }

  static async create(device: Device, run: OpenRun, raw: ActivationSource): Promise<Learner> {
    return new Learner(device, run, await NormalizedSource.wrap(raw, run.normalization));
  }

  /** @returns milliseconds; reading the batch is not among them */
  async step(step: number): Promise<number> {
    await this.#source.batch(step, this.#rows);
    if (step === 0) this.#sae.start(this.#rows);
    this.#device.beginStep();
    this.#device.write(this.#x, this.#rows);
    const began = performance.now();
    await trainStep(this.#device, this.#sae, this.#optimizer, this.#x, step);
    return performance.now() - began;
  }
}

/** Of every seed: median time of the first over that of the second. */
export function timeRatios(times: StepTimes): Metric[] {
  return times.map(([a, b]) => {
    const ratio = median(a) / median(b);
    return metric(ratio, NaN, NaN, {
      n: a.length,
      unit: 'ratio',
      definition: 'median time of a training step / that of the other, steps taken in turns',
    });
  });
}

const median = (values: readonly number[]): number => quantileOfSorted(Float64Array.from(values).sort(), 0.5);
