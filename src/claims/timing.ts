/** How long SAEs take on this machine: turn by turn, so that whatever else the machine does falls on all of them. */
import { normalize } from '../activations/normalization.ts';
import { NormalizedSource } from '../activations/normalized-source.ts';
import type { ActivationSource } from '../activations/source.ts';
import { Random } from '../core/random.ts';
import type { Device } from '../engine/device.ts';
import { StepTimer } from '../evals/cost/timing.ts';
import { metric, type Metric } from '../evals/metric.ts';
import type { TrainableSae } from '../sae/architecture.ts';
import { architectureNamed } from '../sae/registry.ts';
import { stepsOf } from '../training/config.ts';
import { openRun, type OpenRun } from '../training/runs.ts';
import type { Lab } from './lab.ts';
import type { Spec } from './spec.ts';

/** Length of the run that is pretended on random inputs; steps are counted from its middle, where warm-ups are over. */
const PRETENDED = 10_000;

export interface Shape {
  readonly d: number;
  readonly batch: number;
}

/** A model that starts anew, ready for timed steps. @param rows its first batch, [batch, d] @param step number of the first step */
function timer(device: Device, sae: TrainableSae, rows: Float32Array, step: number): StepTimer {
  sae.start(rows);
  return new StepTimer(device, sae, [rows], step);
}

/** The same on random inputs of unit norm. */
export function timerOnNoise(device: Device, arch: string, keys: object, { d, batch }: Shape): StepTimer {
  const architecture = architectureNamed(arch);
  const config = architecture.schema.parse({ ...keys });
  const sae = architecture.build(config, { device, d, seed: 0, batch, steps: PRETENDED });
  const random = new Random(0, 'claims', 'timing');
  const rows = Float32Array.from({ length: batch * d }, () => random.normal());
  normalize({ kind: 'unit' }, rows, d);
  return timer(device, sae, rows, PRETENDED / 2);
}

/** Calls everything in turn. @returns [rounds] of each; the rounds of the warm-up are not counted */
export async function inTurn(
  measures: readonly (() => Promise<number>)[],
  rounds: number,
  warmUp = 1,
): Promise<number[][]> {
  const times: number[][] = measures.map(() => []);
  for (let round = 0; round < warmUp + rounds; round++) {
    for (const [i, measure] of measures.entries()) {
      const time = await measure();
      if (round >= warmUp) times[i].push(time);
    }
  }
  return times;
}

/** Steps before the clock runs, and while it does. */
const STEPS = { tiny: [3, 6], small: [20, 60], full: [50, 200] } as const;
const SEEDS = 3;

/** `[seeds][specs][steps]` milliseconds. */
export type StepTimes = readonly (readonly (readonly number[])[])[];

/**
 * Of training steps on the data, from the first one on; reading batches is not among them.
 * @param specs of the same data; their trained runs say how they are set, and are left as they are
 */
export async function stepTimes(lab: Lab, specs: readonly Spec[]): Promise<StepTimes> {
  const [warmUp, timed] = STEPS[lab.scaleName];
  const bySpec = await lab.train(specs);
  const seeds: number[][][] = [];
  for (let seed = 0; seed < Math.min(SEEDS, bySpec[0].length); seed++) {
    const runs = bySpec.map((ofSpec) => ofSpec[seed]);
    seeds.push(
      await lab.withRun(runs[0], async ({ source }, _open, device) => {
        const steps: (() => Promise<number>)[] = [];
        for (const { folder } of runs) steps.push(await stepping(device, openRun(folder, device), source));
        return inTurn(steps, timed, warmUp);
      }),
    );
  }
  return seeds;
}

/** A model that starts anew with the settings of a run; every call is one step on the next batch. */
async function stepping(device: Device, run: OpenRun, raw: ActivationSource): Promise<() => Promise<number>> {
  const { sae: settings, architecture, common } = run.config;
  const { batch, seed } = common;
  const source = await NormalizedSource.wrap(raw, run.normalization);
  const { d } = source;
  const rows = new Float32Array(batch * d);
  await source.batch(0, rows);
  const sae = architecture.build(settings, { device, d, seed, batch, steps: stepsOf(common) });
  const timed = timer(device, sae, rows, 0);
  let step = 0;
  return async () => {
    await source.batch(step++, rows);
    return timed.step();
  };
}

/** Of every seed: time of all steps of the first over that of the second, so that work that only some steps do counts. */
export function timeRatios(times: StepTimes): Metric[] {
  return times.map(([a, b]) =>
    metric(total(a) / total(b), NaN, NaN, {
      n: a.length,
      unit: 'ratio',
      definition: 'time of all training steps / that of the other, steps taken in turns',
    }),
  );
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
