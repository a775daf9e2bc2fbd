/** One training step: forward, backward, check, update. */
import type { Device, Tensor } from '../engine/device.ts';
import type { Optimizer } from '../engine/optim.ts';
import { Tape, type Scalar } from '../engine/tape.ts';
import type { TrainableSae, TrainingForward } from '../sae/architecture.ts';

export interface StepResult {
  /** Unweighted loss terms by name. */
  losses: Record<string, number>;
  /** Σ weight · term */
  total: number;
  /** Global norm of the gradient after projection, before clipping. */
  gradientNorm: number;
  learningRate: number;
  /** What the forward pass observed besides; empty if the step was not taken. */
  observed: Record<string, number>;
  /** False if loss or gradient were not finite: then nothing was changed, and what came before the forward pass was undone. */
  taken: boolean;
  /** Codes and reconstruction of the batch; valid until the device's next step. */
  forward: TrainingForward;
}

/** @param x [batch, d], a persistent tensor */
export async function trainStep(
  device: Device,
  sae: TrainableSae,
  optimizer: Optimizer,
  x: Tensor,
  step: number,
): Promise<StepResult> {
  device.beginStep();
  const tape = new Tape(device);
  optimizer.begin();
  optimizer.watch(tape);
  const forward = sae.forward(tape, x, step);
  const terms = Object.entries(forward.losses);
  tape.backward(terms.map(([, term]) => term));
  const squares = optimizer.prepare(tape);
  await device.flush();

  const losses: Record<string, number> = {};
  let total = 0;
  for (const [name, { value, weight }] of terms) {
    losses[name] = await readScalar(device, value);
    total += weight * losses[name];
  }
  const squaredNorms: number[] = [];
  for (const scalar of squares) squaredNorms.push(await readScalar(device, scalar));
  const gradientNorm = Math.sqrt(squaredNorms.reduce((sum, square) => sum + square, 0));
  const taken = Number.isFinite(total) && Number.isFinite(gradientNorm);
  const observed: Record<string, number> = {};
  if (taken) {
    optimizer.apply(step, squaredNorms);
    forward.commit();
    for (const [name, scalar] of Object.entries(forward.observed)) observed[name] = await readScalar(device, scalar);
    await device.flush();
    sae.afterStep(step, observed);
    await sae.maintain?.({
      step,
      x,
      forward,
      losses,
      total,
      observed,
      clearMoments: optimizer.clearMoments.bind(optimizer),
    });
  } else {
    optimizer.abandon();
    await device.flush();
  }
  return { losses, total, gradientNorm, learningRate: optimizer.plan.learningRate(step), observed, taken, forward };
}

async function readScalar(device: Device, scalar: Scalar): Promise<number> {
  return (await device.read(scalar))[0];
}
