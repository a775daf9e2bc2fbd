/**
 * What every device offers: tensors, a command queue and the kernels of `kernels.ts`.
 *
 * Commands are recorded synchronously and run in order, at the latest when something is read. A device knows nothing of
 * gradients (see tape.ts) and nothing of architectures. Same inputs ⇒ same bits, whatever the number of threads.
 */
import type { Codes as HostCodes } from '../core/codes.ts';
import type { Kernels } from './kernels.ts';

export type DType = 'f32' | 'u32' | 'f64';

/** A dense, row-major array that lives on a device. */
export interface Tensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/**
 * Sparse latent activations of `rows` inputs in CSR form: entries rowPtr[r] … rowPtr[r+1] belong to row r and are in
 * ascending order of latents. Entries may hold value 0 (a top-k that found too few); such an entry is selected but not active.
 */
export interface Codes {
  readonly rows: number;
  /** Number of latents. */
  readonly width: number;
  /** u32 [rows + 1] */
  readonly rowPtr: Tensor;
  /** u32 [entries] */
  readonly index: Tensor;
  /** f32 [entries] */
  readonly value: Tensor;
  /** Entries of every row, where that is fixed. */
  readonly perRow: number | undefined;
}

/** The entries of some codes sorted by latent (and by row within a latent). */
export interface LatentIndex {
  /** u32 [width + 1] */
  readonly latentPtr: Tensor;
  /** u32 [entries]: position of the entry in the codes */
  readonly entryOf: Tensor;
  /** u32 [entries] */
  readonly rowOf: Tensor;
}

/** A subset of latents whose size only the device knows: `list` holds `count[0]` latents in ascending order. */
export interface LatentSet {
  readonly list: Tensor;
  readonly count: Tensor;
}

/** Device-side arrays as the host sees them. */
export interface HostArrays {
  f32: Float32Array;
  u32: Uint32Array;
  f64: Float64Array;
}

export interface DeviceInfo {
  readonly name: string;
  readonly threads: number;
  /** Who computes dense products. */
  readonly product: string;
}

export interface Device {
  readonly info: DeviceInfo;
  readonly kernels: Kernels;

  /** A zeroed tensor that lives until {@link release} or {@link close}: parameters, moments, counters. */
  persistent(dtype: DType, ...shape: number[]): Tensor;
  /** Gives a persistent tensor back. */
  release(tensor: Tensor): void;
  /** A tensor of undefined content that lives until the next {@link beginStep}. */
  scratch(dtype: DType, ...shape: number[]): Tensor;
  /** Empty codes of the current step; `perRow` if every row holds the same number of entries. */
  scratchCodes(rows: number, width: number, perRow?: number): Codes;
  /** Scratch with `perEntry` elements for each entry of `codes`, whose number may be known only when the queue runs. */
  scratchLike(codes: Codes, dtype: DType, perEntry?: number): Tensor;

  /** Codes with the same entries and other values [entries]. */
  withValues(codes: Codes, value: Tensor): Codes;

  /** Invalidates all scratch of the step before and reuses its memory. The queue must be empty. */
  beginStep(): void;
  /** Copies host data into a tensor. The queue must be empty. */
  write(tensor: Tensor, data: ArrayLike<number>, offset?: number): void;
  /** Runs the queue, then copies (a part of) the tensor to the host. */
  read<D extends DType>(tensor: Tensor & { dtype: D }, offset?: number, length?: number): Promise<HostArrays[D]>;
  /** Runs the queue. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

/** Reads codes back to the host. */
export async function readCodes(device: Device, codes: Codes): Promise<HostCodes> {
  const rowPtr = await device.read(codes.rowPtr as Tensor & { dtype: 'u32' });
  const entries = rowPtr[codes.rows];
  const index = await device.read(codes.index as Tensor & { dtype: 'u32' }, 0, entries);
  const value = await device.read(codes.value as Tensor & { dtype: 'f32' }, 0, entries);
  return { rows: codes.rows, width: codes.width, rowPtr, index, value };
}
