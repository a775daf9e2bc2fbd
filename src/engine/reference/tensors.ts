/** Tensors of the reference device: plain typed arrays. */
import { sizeOf, type Codes, type DType, type HostArrays, type Tensor } from '../device.ts';

export class ReferenceTensor implements Tensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** The elements; undefined before the size is known, and once the tensor is released or its step is over. */
  data: HostArrays[DType] | undefined;

  constructor(dtype: DType, shape: readonly number[]) {
    this.dtype = dtype;
    this.shape = shape;
  }

  static of(tensor: Tensor): ReferenceTensor {
    if (tensor instanceof ReferenceTensor) return tensor;
    throw new Error('this tensor belongs to another device');
  }

  /** Gives the tensor zeroed memory for `length` elements. */
  allocate(length = sizeOf(this.shape)): this {
    this.data = new ARRAYS[this.dtype](length);
    return this;
  }
}

/** How many entries there are; undefined until the encoding kernel has run, where it is not fixed. Shared by codes with the same entries. */
interface Extent {
  entries: number | undefined;
  /** Tensors that get their memory together with the entries. */
  readonly dependents: { tensor: ReferenceTensor; perEntry: number }[];
}

export class ReferenceCodes implements Codes {
  readonly rows: number;
  readonly width: number;
  readonly perRow: number | undefined;
  readonly rowPtr: ReferenceTensor;
  readonly index: ReferenceTensor;
  readonly value: ReferenceTensor;
  readonly extent: Extent;

  constructor(rows: number, width: number, perRow: number | undefined) {
    this.rows = rows;
    this.width = width;
    this.perRow = perRow;
    this.extent = { entries: perRow === undefined ? undefined : rows * perRow, dependents: [] };
    this.rowPtr = new ReferenceTensor('u32', [rows + 1]);
    this.index = new ReferenceTensor('u32', [this.extent.entries ?? 0]);
    this.value = new ReferenceTensor('f32', [this.extent.entries ?? 0]);
  }

  withValues(value: ReferenceTensor): ReferenceCodes {
    return Object.assign(new ReferenceCodes(this.rows, this.width, this.perRow), { ...this, value });
  }

  static of(codes: Codes): ReferenceCodes {
    if (codes instanceof ReferenceCodes) return codes;
    throw new Error('these codes belong to another device');
  }
}

/** The elements of a tensor. @throws Error where it has none (any more) or is of another type */
export function dataOf<D extends DType>(tensor: Tensor, dtype: D): HostArrays[D] {
  const { data } = ReferenceTensor.of(tensor);
  const name = `tensor ${tensor.dtype} [${tensor.shape.join(', ')}]`;
  if (!data) throw new Error(`${name} is no longer (or not yet) there`);
  if (tensor.dtype !== dtype) throw new Error(`${name} where ${dtype} is expected`);
  return data as HostArrays[D];
}

export const f32 = (tensor: Tensor): Float32Array => dataOf(tensor, 'f32');
export const u32 = (tensor: Tensor): Uint32Array => dataOf(tensor, 'u32');
export const f64 = (tensor: Tensor): Float64Array => dataOf(tensor, 'f64');

const ARRAYS = { f32: Float32Array, u32: Uint32Array, f64: Float64Array };
