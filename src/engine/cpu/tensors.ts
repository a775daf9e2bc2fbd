/** Tensors of the CPU device: an address in shared memory. */
import type { Codes, DType, Tensor } from '../device.ts';

export class CpuTensor implements Tensor {
  static readonly UNRESOLVED = -1;
  static readonly RELEASED = -2;

  readonly dtype: DType;
  readonly shape: readonly number[];
  bytes: number;
  offset: number = CpuTensor.UNRESOLVED;
  /** Step whose scratch this is; undefined for persistent tensors. */
  step: number | undefined;

  constructor(dtype: DType, shape: readonly number[], bytes: number) {
    this.dtype = dtype;
    this.shape = shape;
    this.bytes = bytes;
  }

  /** Narrows a tensor to this device's. */
  static of(tensor: Tensor): CpuTensor {
    if (tensor instanceof CpuTensor) return tensor;
    throw new Error('this tensor belongs to another device');
  }
}

export class CpuCodes implements Codes {
  readonly rows: number;
  readonly width: number;
  readonly perRow: number | undefined;
  readonly rowPtr: CpuTensor;
  readonly index: CpuTensor;
  readonly value: CpuTensor;
  /** Number of entries; 0 until the queue has found out, where it is not fixed. */
  entries: number;
  resolved: boolean;
  /** Tensors that get their size and address together with the codes. */
  readonly dependents: { tensor: CpuTensor; bytesPerEntry: number }[] = [];

  constructor(
    rows: number,
    width: number,
    perRow: number | undefined,
    rowPtr: CpuTensor,
    index: CpuTensor,
    value: CpuTensor,
  ) {
    this.rows = rows;
    this.width = width;
    this.perRow = perRow;
    this.rowPtr = rowPtr;
    this.index = index;
    this.value = value;
    this.entries = perRow === undefined ? 0 : rows * perRow;
    this.resolved = perRow !== undefined;
    if (!this.resolved) this.dependents.push({ tensor: index, bytesPerEntry: 4 }, { tensor: value, bytesPerEntry: 4 });
  }

  static of(codes: Codes): CpuCodes {
    if (codes instanceof CpuCodes) return codes;
    throw new Error('these codes belong to another device');
  }
}
