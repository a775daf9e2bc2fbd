/** Helpers for the arguments of commands. */
import type { Tensor } from '../../device.ts';
import type { CpuDevice } from '../device.ts';
import { CpuTensor } from '../tensors.ts';

/** Narrows a tensor to this device's. */
export const on = CpuTensor.of;

/** An optional tensor; null becomes address 0. */
export const maybe = (tensor: Tensor | null): CpuTensor | null => (tensor ? on(tensor) : null);

/** Number of f32 elements when the queue runs: scratch for codes of open size has none before. */
export const lazySize = (tensor: Tensor) => (): number => on(tensor).bytes / 4;

/** A counter from which the workers take blocks of rows. */
export function takeCursor(device: CpuDevice): CpuTensor {
  const cursor = device.scratch('u32', 1);
  device.view(cursor)[0] = 0;
  return cursor;
}

/** Records out[0] = scale · Σ values, both f64. */
export function recordSum(device: CpuDevice, out: Tensor, values: CpuTensor, scale: number): void {
  device.emit('sum', on(out), values, values.bytes / 8, scale);
}
