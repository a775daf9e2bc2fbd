/** Models in training on small data, for the tests of architectures. */
import { afterAll, beforeAll, describe } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { readCodes, type Codes, type Device, type Tensor } from '../../src/engine/device.ts';
import { Optimizer } from '../../src/engine/optim.ts';
import { Tape } from '../../src/engine/tape.ts';
import type { Architecture, BuildContext, TrainableSae } from '../../src/sae/architecture.ts';
import { trainStep, type StepResult } from '../../src/training/step.ts';
import { DEVICES } from '../engine/devices.ts';

/** One device for every kind of implementation. */
const DEVICE_NAMES = ['reference', 'cpu, ONNX Runtime, 2 threads'];

/** Runs the suite on the reference device and on the CPU. */
export function onDevices(suite: (device: () => Device) => void): void {
  for (const { name, open } of DEVICES.filter((candidate) => DEVICE_NAMES.includes(candidate.name))) {
    describe(name, () => {
      let device: Device;
      beforeAll(async () => void (device = await open()));
      afterAll(() => device.close());
      suite(() => device);
    });
  }
}

export function build(
  device: Device,
  architecture: Architecture,
  config: Record<string, unknown>,
  context: Partial<BuildContext> = {},
): TrainableSae {
  device.beginStep();
  const parsed = architecture.schema.parse(config);
  return architecture.build(parsed, { device, d: 16, seed: 1, batch: 32, steps: 100, ...context });
}

/** Rows near `clusters` random directions, [rows, d]; of length 1 if `unit`. */
export function clustered(random: Random, rows: number, d: number, clusters = 5, unit = false): Float32Array {
  const centers = Array.from({ length: clusters }, (_, c) => {
    const center = new Random(99, 'cluster', c);
    return Float32Array.from({ length: d }, () => center.normal());
  });
  const out = new Float32Array(rows * d);
  for (let r = 0; r < rows; r++) {
    const center = centers[random.below(clusters)];
    const row = out.subarray(r * d, r * d + d);
    row.forEach((_, i) => (row[i] = center[i] + 0.05 * random.normal()));
    const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
    if (unit) row.forEach((value, i) => (row[i] = value / length));
  }
  return out;
}

export function put(device: Device, values: ArrayLike<number>, ...shape: number[]): Tensor {
  const tensor = device.persistent('f32', ...shape);
  device.write(tensor, values);
  return tensor;
}

export const floats = (device: Device, tensor: Tensor): Promise<Float32Array> =>
  device.read(tensor as Tensor & { dtype: 'f32' });

export function parameter(sae: TrainableSae, name: string): Tensor {
  return sae.parameters.find((candidate) => candidate.name === name)!.tensor;
}

/** Trains on batches of `make(step)`; `seen` gets every result before the next step starts. */
export async function train(
  device: Device,
  sae: TrainableSae,
  steps: number,
  make: (step: number) => Float32Array,
  seen: (result: StepResult, optimizer: Optimizer, step: number) => void | Promise<void> = () => {},
): Promise<number[]> {
  const first = make(0);
  const x = device.persistent('f32', first.length / sae.d, sae.d);
  const optimizer = new Optimizer(device, sae.parameters, sae.update);
  const totals: number[] = [];
  for (let step = 0; step < steps; step++) {
    const batch = make(step);
    device.write(x, batch);
    if (step === 0) sae.start(batch);
    const result = await trainStep(device, sae, optimizer, x, step);
    totals.push(result.total);
    await seen(result, optimizer, step);
  }
  return totals;
}

export interface Pass {
  losses: Record<string, number>;
  gradients: Record<string, Float32Array>;
  codes: { latent: number; value: number }[][];
  reconstruction: Float32Array;
}

/** A forward and backward pass that changes nothing. */
export async function passOf(device: Device, sae: TrainableSae, x: Tensor, step: number): Promise<Pass> {
  device.beginStep();
  const tape = new Tape(device);
  const optimizer = new Optimizer(device, sae.parameters, sae.update);
  optimizer.watch(tape);
  const forward = sae.forward(tape, x, step);
  tape.backward(Object.values(forward.losses));
  const losses: Record<string, number> = {};
  for (const [name, { value }] of Object.entries(forward.losses)) losses[name] = (await device.read(value))[0];
  const gradients: Record<string, Float32Array> = {};
  for (const [name, gradient] of Object.entries(optimizer.gradients)) gradients[name] = await floats(device, gradient);
  const codes = await rowsOf(device, forward.codes);
  return { losses, gradients, codes, reconstruction: await floats(device, forward.reconstruction) };
}

/** Entries of every row. */
export async function rowsOf(device: Device, codes: Codes): Promise<Pass['codes']> {
  const { rows, rowPtr, index, value } = await readCodes(device, codes);
  return Array.from({ length: rows }, (_, r) =>
    Array.from({ length: rowPtr[r + 1] - rowPtr[r] }, (_unused, t) => ({
      latent: index[rowPtr[r] + t],
      value: value[rowPtr[r] + t],
    })),
  );
}

/** Σ value · dictionary[latent] + bias, row by row. */
export function reconstruct(codes: Pass['codes'], dictionary: Float32Array, d: number, bias?: Float32Array): number[] {
  return codes.flatMap((entries) => {
    const out = Array.from({ length: d }, (_, i) => bias?.[i] ?? 0);
    for (const { latent, value } of entries) out.forEach((_, i) => (out[i] += value * dictionary[latent * d + i]));
    return out;
  });
}

/** Largest difference of two arrays. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return NaN;
  return Array.from(a).reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i])), 0);
}
