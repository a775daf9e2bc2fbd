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

/** How many entries there are: known at once, or when the queue has found out. Shared by codes with the same entries. */
interface Extent {
  entries: number;
  resolved: boolean;
  /** Tensors that get their size and address together with the codes. */
  readonly dependents: { tensor: CpuTensor; bytesPerEntry: number }[];
}

export class CpuCodes implements Codes {
  readonly rows: number;
  readonly width: number;
  readonly perRow: number | undefined;
  readonly rowPtr: CpuTensor;
  readonly index: CpuTensor;
  readonly value: CpuTensor;
  readonly extent: Extent;

  constructor(
    rows: number,
    width: number,
    perRow: number | undefined,
    { rowPtr, index, value }: Record<'rowPtr' | 'index' | 'value', CpuTensor>,
    extent?: Extent,
  ) {
    this.rows = rows;
    this.width = width;
    this.perRow = perRow;
    this.rowPtr = rowPtr;
    this.index = index;
    this.value = value;
    this.extent = extent ?? {
      entries: perRow === undefined ? 0 : rows * perRow,
      resolved: perRow !== undefined,
      dependents: perRow === undefined ? [index, value].map((tensor) => ({ tensor, bytesPerEntry: 4 })) : [],
    };
  }

  withValues(value: CpuTensor): CpuCodes {
    const { rows, width, perRow, rowPtr, index, extent } = this;
    return new CpuCodes(rows, width, perRow, { rowPtr, index, value }, extent);
  }

  static of(codes: Codes): CpuCodes {
    if (codes instanceof CpuCodes) return codes;
    throw new Error('these codes belong to another device');
  }
}
