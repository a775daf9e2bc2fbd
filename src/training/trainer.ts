/**
 * Trains one or more SAEs on the same stream of activations. Batch i is a pure function of (seed, i) and all state is in the
 * checkpoint, so a run that was killed and resumed ends with the same bits as one that was not.
 */
import { DivergedError, InterruptedError } from '../core/errors.ts';
import type { Device, Tensor } from '../engine/device.ts';
import type { Member } from './member.ts';
import { trainStep, type StepResult } from './step.ts';
import { Stream } from './stream.ts';
import { Spread, squaredDistance, validate } from './validation.ts';

/** A loss this many times the first one counts as an explosion. */
const EXPLOSION = 1000;

/** Steps whose data say how large a loss may be. */
const REFERENCE_STEPS = 100;

export interface Progress {
  step: number;
  steps: number;
  tokensPerSecond: number;
  secondsLeft: number;
  /** The latest logged numbers of each member. */
  members: readonly { name: string; metrics: Record<string, unknown> }[];
}

export interface TrainOptions {
  device: Device;
  members: readonly Member[];
  /** Becomes aborted when the user asks to stop: the running step is finished and saved. */
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
}

/**
 * @throws DivergedError after too many bad steps in a row; InterruptedError when `signal` was aborted. In both cases
 * every member's folder holds a usable checkpoint.
 */
export async function train({ device, members, signal, onProgress }: TrainOptions): Promise<void> {
  const { steps, config } = members[0];
  const { batch, logEvery, validateEvery, validateRows, checkpointEvery } = config.common;
  const sources = members.map(({ source }) => source);
  const stream = new Stream(device, sources, batch);
  let step = Math.min(...members.map((member) => member.step));
  const clock = new Clock(step);

  for (; step < steps; step++) {
    await loadOrSave(stream, step, { device, members, steps });
    if (step === 0) for (const member of members) if (member.step === 0) await start(device, member, stream);
    const last = step + 1 === steps;
    const logged = step % logEvery === 0 || last;
    for (const member of members) {
      // After a kill between two saves one member may be ahead: it waits for the others.
      if (member.step > step) continue;
      const { x, rows } = stream.feed(member.source);
      const result = await trainStep(device, member.sae, member.optimizer, x, step);
      judge(member, result, step, rows);
      if (logged) await log(device, member, result, rows, clock.rate(step, batch));
      member.step = step + 1;
      // A bad step may be the beginning of the end: only the last one is kept, if it was left out and changed nothing.
      if (member.badInRow > 0 && !(last && !result.taken)) continue;
      if ((step + 1) % validateEvery === 0 || last) {
        const validation = await validate(device, member.sae, member.source, validateRows, batch);
        if (validation) member.log({ step, validation });
      }
      if ((step + 1) % checkpointEvery === 0 || last) await member.save(device);
    }
    if (logged) report(onProgress, members, step + 1, steps, clock, batch);
    if (signal.aborted && !last) {
      await stopAfter(step + 1, { device, members, steps });
    }
  }
}

type Training = Pick<TrainOptions, 'device' | 'members'> & { steps: number };

/** A language model that the batches come from may be interrupted while it works on the next one. */
async function loadOrSave(stream: Stream, step: number, training: Training): Promise<void> {
  try {
    await stream.load(step, training.steps);
  } catch (error) {
    if (error instanceof InterruptedError) await stopAfter(step, training);
    throw error;
  }
}

/** Saves everything that was begun. @throws InterruptedError */
async function stopAfter(step: number, { device, members, steps }: Training): Promise<never> {
  // A member that is ahead was saved when it got there.
  for (const member of members) if (member.step > 0 && member.badInRow === 0) await member.save(device);
  throw new InterruptedError(`stopped after step ${step} of ${steps}; everything is saved`, {
    hint: 'the same command with --resume goes on',
  });
}

async function start(device: Device, member: Member, stream: Stream): Promise<void> {
  member.sae.start(stream.feed(member.source).rows);
  // A run that fails in its first steps still leaves something that loads.
  await member.save(device);
}

/**
 * Counts bad steps: not finite (then the step was not taken), or a loss far above where training began.
 * @throws DivergedError after too many in a row, or if training ends with an explosion
 */
function judge(
  member: Member,
  { taken, total, losses, gradientNorm }: StepResult,
  step: number,
  batch: Float32Array,
): void {
  if (!taken) member.skippedSteps++;
  // Tiny batches can be empty, or fitted exactly from the start: a loss is never judged by less than the size of the data.
  else if (step < REFERENCE_STEPS) {
    member.firstLoss = Math.max(member.firstLoss ?? total, meanSquare(batch, member.sae.d));
  }
  const exploded = taken && total > EXPLOSION * (member.firstLoss ?? Infinity);
  member.badInRow = taken && !exploded ? 0 : member.badInRow + 1;
  const isLast = step + 1 === member.steps;
  if (member.badInRow < member.config.common.maxBadSteps && !(isLast && exploded)) return;
  const terms = Object.entries(losses).map(([name, value]) => `${name} ${value}`);
  throw new DivergedError(
    `${member.name} diverged: ${member.badInRow} ${member.badInRow === 1 ? 'step' : 'steps in a row'} ${exploded ? `with a loss over ${EXPLOSION} times the first one` : 'without a finite loss and gradient'} (step ${step}: ${terms.join(', ')}, gradient norm ${gradientNorm})`,
    {
      where: member.folder,
      hint:
        member.sae.explainDivergence?.(losses) ??
        'a smaller learning rate, or inputs of ordinary scale (normalize: scalar); the last good checkpoint is kept',
    },
  );
}

/** Mean ‖x‖² of the rows. */
function meanSquare(rows: Float32Array, d: number): number {
  let sum = 0;
  for (const value of rows) sum += value * value;
  return (sum * d) / rows.length;
}

async function log(
  device: Device,
  member: Member,
  result: StepResult,
  rows: Float32Array,
  tokensPerSecond: number,
): Promise<void> {
  const { forward, losses, total, gradientNorm, learningRate, observed } = result;
  const { batch } = member.config.common;
  const reconstruction = await device.read(forward.reconstruction as Tensor & { dtype: 'f32' });
  const values = await device.read(forward.codes.value as Tensor & { dtype: 'f32' });
  const spread = new Spread(member.sae.d);
  spread.add(rows);
  member.log({
    step: member.step,
    tokens: (member.step + 1) * batch,
    loss: total,
    ...prefixed('loss', losses),
    variance_explained: 1 - squaredDistance(rows, reconstruction) / spread.total,
    l0: values.reduce((count, value) => count + (value === 0 ? 0 : 1), 0) / batch,
    dead_fraction: await member.sae.deadFraction(),
    ...prefixed('dead', (await member.sae.deadParts?.()) ?? {}),
    ...prefixed('observed', observed),
    ...prefixed('state', member.sae.hostState),
    gradient_norm: gradientNorm,
    learning_rate: learningRate,
    skipped_steps: member.skippedSteps,
    tokens_per_s: Math.round(tokensPerSecond),
  });
}

function prefixed(prefix: string, numbers: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(numbers).map(([name, value]) => [`${prefix}_${name}`, value]));
}

function report(
  onProgress: TrainOptions['onProgress'],
  members: readonly Member[],
  step: number,
  steps: number,
  clock: Clock,
  batch: number,
): void {
  const tokensPerSecond = clock.rate(step, batch);
  const metrics = members.map((member) => ({ name: member.name, metrics: member.latest }));
  onProgress({
    step,
    steps,
    tokensPerSecond,
    secondsLeft: ((steps - step) * batch) / tokensPerSecond,
    members: metrics,
  });
}

/** Speed since this process began to train. */
class Clock {
  readonly #from: number;
  readonly #began = performance.now();

  constructor(step: number) {
    this.#from = step;
  }

  rate(step: number, batch: number): number {
    return ((step - this.#from) * batch * 1000) / Math.max(1, performance.now() - this.#began);
  }
}
