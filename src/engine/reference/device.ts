/**
 * The reference device: every kernel as plain loops over typed arrays, float32 storage and float64 sums. It defines what the
 * other devices compute, and it is as strict as the contract allows: scratch starts as NaN, and stale tensors throw.
 */
import type { Codes, Device, DeviceInfo, DType, HostArrays, Tensor } from '../device.ts';
import type { Kernels } from '../kernels.ts';
import { referenceKernels } from './kernels.ts';
import { dataOf, ReferenceCodes, ReferenceTensor } from './tensors.ts';

export class ReferenceDevice implements Device {
  readonly info: DeviceInfo = { name: 'reference', threads: 1, product: 'loops' };
  readonly kernels: Kernels;
  #queue: (() => void)[] = [];
  readonly #persistent = new Set<ReferenceTensor>();
  #scratch: ReferenceTensor[] = [];
  #closed = false;

  constructor() {
    this.kernels = referenceKernels({
      record: (step) => void this.#queue.push(step),
      resolve: (codes, entries) => this.#resolve(codes, entries),
    });
  }

  persistent(dtype: DType, ...shape: number[]): Tensor {
    const tensor = new ReferenceTensor(dtype, shape).allocate();
    this.#persistent.add(tensor);
    return tensor;
  }

  release(tensor: Tensor): void {
    const own = ReferenceTensor.of(tensor);
    if (!this.#persistent.delete(own)) throw new Error('release: not a persistent tensor, or released before');
    own.data = undefined;
  }

  scratch(dtype: DType, ...shape: number[]): Tensor {
    return this.#asScratch(new ReferenceTensor(dtype, shape).allocate());
  }

  scratchCodes(rows: number, width: number, perRow?: number): Codes {
    const codes = new ReferenceCodes(rows, width, perRow);
    this.#asScratch(codes.rowPtr.allocate());
    if (perRow === undefined) {
      const { dependents } = codes.extent;
      dependents.push({ tensor: codes.index, perEntry: 1 }, { tensor: codes.value, perEntry: 1 });
    } else {
      dataOf(codes.rowPtr, 'u32').forEach((_, r, rowPtr) => (rowPtr[r] = r * perRow));
      this.#asScratch(codes.index.allocate());
      this.#asScratch(codes.value.allocate());
    }
    return codes;
  }

  scratchLike(codes: Codes, dtype: DType, perEntry = 1): Tensor {
    const { entries, dependents } = ReferenceCodes.of(codes).extent;
    if (entries !== undefined) return this.scratch(dtype, entries * perEntry);
    const tensor = new ReferenceTensor(dtype, [0]);
    dependents.push({ tensor, perEntry });
    return tensor;
  }

  withValues(codes: Codes, value: Tensor): Codes {
    return ReferenceCodes.of(codes).withValues(ReferenceTensor.of(value));
  }

  beginStep(): void {
    this.#expectIdle('beginStep');
    for (const tensor of this.#scratch) tensor.data = undefined;
    this.#scratch = [];
  }

  write(tensor: Tensor, data: ArrayLike<number>, offset = 0): void {
    this.#expectIdle('write');
    dataOf(tensor, tensor.dtype).set(data, offset);
  }

  async read<D extends DType>(tensor: Tensor & { dtype: D }, offset = 0, length?: number): Promise<HostArrays[D]> {
    await this.flush();
    const end = length === undefined ? undefined : offset + length;
    return dataOf(tensor, tensor.dtype).slice(offset, end) as HostArrays[D];
  }

  async flush(): Promise<void> {
    if (this.#closed) throw new Error('the device is closed');
    const queue = this.#queue;
    this.#queue = [];
    for (const step of queue) step();
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  /** Gives codes of open size, and all that depends on them, their memory. */
  #resolve({ extent }: ReferenceCodes, entries: number): void {
    if (extent.entries !== undefined) throw new Error('these codes have a size already');
    extent.entries = entries;
    for (const { tensor, perEntry } of extent.dependents) this.#asScratch(tensor.allocate(entries * perEntry));
    extent.dependents.length = 0;
  }

  /** The content of scratch is undefined: nobody shall rely on zeros. */
  #asScratch(tensor: ReferenceTensor): ReferenceTensor {
    tensor.data!.fill(tensor.dtype === 'u32' ? 0xdeadbeef : NaN);
    this.#scratch.push(tensor);
    return tensor;
  }

  #expectIdle(what: string): void {
    if (this.#queue.length > 0) throw new Error(`${what}: the queue is not empty`);
  }
}
