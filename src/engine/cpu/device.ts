/** The CPU device: a queue of commands for worker threads over shared memory. */
import {
  sizeOf,
  type Codes,
  type Device,
  type DeviceInfo,
  type DType,
  type HostArrays,
  type Tensor,
} from '../device.ts';
import { DENSE, KERNELS, KERNEL_NAMES, PROGRAM, type KernelName } from './commands.ts';
import { Heap } from './heap.ts';
import { cpuKernels, type CpuKernels } from './kernels.ts';
import { CpuCodes, CpuTensor } from './tensors.ts';
import { HEAP_START, WorkerPool } from './workers.ts';

export interface CpuOptions {
  /** Worker threads; default: one per core. */
  threads?: number;
  /** 'auto' uses ONNX Runtime where it loads. */
  product?: 'auto' | 'wasm';
}

/** Argument of a command: a tensor (its address), nothing (address 0), a number, or a number known when the queue runs. */
export type Argument = CpuTensor | null | number | (() => number);

interface Command {
  kernel: number;
  signature: string;
  args: Argument[];
}

type HostStep = () => void;

const BYTES: Record<DType, number> = { f32: 4, u32: 4, f64: 8 };

export class CpuDevice implements Device {
  readonly info: DeviceInfo;
  readonly kernels: CpuKernels;
  readonly #pool: WorkerPool;
  readonly #heap: Heap;
  #queue: (Command | HostStep)[] = [];
  /** Flushes that have not ended, and the end of the last of them. */
  #flushes = 0;
  #flushed: Promise<void> = Promise.resolve();
  #step = 0;
  #words: Int32Array;
  #floats: Float32Array;

  static async create(options: CpuOptions = {}): Promise<CpuDevice> {
    const { availableParallelism } = await import('node:os');
    const native = options.product !== 'wasm' && (await whyNoOnnxRuntime()) === undefined;
    return new CpuDevice(await WorkerPool.start(options.threads ?? availableParallelism(), native));
  }

  private constructor(pool: WorkerPool) {
    this.#pool = pool;
    this.#heap = new Heap(pool.memory, HEAP_START);
    this.info = { name: 'cpu', threads: pool.threads, product: pool.product };
    this.kernels = cpuKernels(this);
    this.#words = new Int32Array(pool.memory.buffer, PROGRAM.offset, PROGRAM.bytes / 4);
    this.#floats = new Float32Array(pool.memory.buffer, PROGRAM.offset, PROGRAM.bytes / 4);
  }

  /** Bytes of shared memory in use. */
  get bytes(): number {
    return this.#heap.bytes;
  }

  persistent(dtype: DType, ...shape: number[]): CpuTensor {
    const tensor = new CpuTensor(dtype, shape, BYTES[dtype] * sizeOf(shape));
    tensor.offset = this.#heap.take(tensor.bytes);
    this.#bytes(tensor).fill(0);
    return tensor;
  }

  release(tensor: Tensor): void {
    const own = this.#check(CpuTensor.of(tensor));
    if (own.step !== undefined) throw new Error('release: scratch lives until the next step');
    this.#heap.free(own.offset, own.bytes);
    own.offset = CpuTensor.RELEASED;
  }

  scratch(dtype: DType, ...shape: number[]): CpuTensor {
    return this.#scratch(new CpuTensor(dtype, shape, BYTES[dtype] * sizeOf(shape)));
  }

  scratchCodes(rows: number, width: number, perRow?: number): CpuCodes {
    const entries = perRow === undefined ? 0 : rows * perRow;
    const codes = new CpuCodes(rows, width, perRow, {
      rowPtr: this.scratch('u32', rows + 1),
      index: new CpuTensor('u32', [entries], 4 * entries),
      value: new CpuTensor('f32', [entries], 4 * entries),
    });
    if (perRow !== undefined) {
      this.#scratch(codes.index);
      this.#scratch(codes.value);
      this.fillEvenly(codes.rowPtr, perRow);
    }
    return codes;
  }

  scratchLike(codes: Codes, dtype: DType, perEntry = 1): CpuTensor {
    const own = CpuCodes.of(codes);
    if (own.perRow !== undefined) return this.scratch(dtype, own.rows * own.perRow * perEntry);
    // The number of entries is known once the commands before have run: the address follows then.
    const tensor = new CpuTensor(dtype, [0], 0);
    own.extent.dependents.push({ tensor, bytesPerEntry: BYTES[dtype] * perEntry });
    if (own.extent.resolved) this.#placeDependents(own);
    return tensor;
  }

  withValues(codes: Codes, value: Tensor): CpuCodes {
    return CpuCodes.of(codes).withValues(CpuTensor.of(value));
  }

  beginStep(): void {
    this.#expectIdle('beginStep');
    this.#heap.resetArena();
    this.#step++;
  }

  write(tensor: Tensor, data: ArrayLike<number>, offset = 0): void {
    this.#expectIdle('write');
    this.view(tensor).set(data, offset);
  }

  async read<D extends DType>(tensor: Tensor & { dtype: D }, offset = 0, length?: number): Promise<HostArrays[D]> {
    await this.flush();
    const view = this.view(tensor);
    return view.slice(offset, length === undefined ? undefined : offset + length) as HostArrays[D];
  }

  async flush(): Promise<void> {
    // Programs share one place in memory, so they run one after the other; whoever reads meanwhile waits for the one before.
    this.#flushes++;
    const run = this.#flushed.then(() => this.#drain()).finally(() => this.#flushes--);
    this.#flushed = run.catch(() => undefined);
    await run;
  }

  async #drain(): Promise<void> {
    const queue = this.#queue;
    this.#queue = [];
    let at = 1;
    let commands = 0;
    for (const item of queue) {
      const isCommand = typeof item !== 'function';
      if (commands > 0 && (!isCommand || at + item.args.length + 40 > this.#words.length)) {
        this.#words[0] = commands;
        await this.#pool.run();
        at = 1;
        commands = 0;
      }
      if (isCommand) {
        at = this.#encode(item, at);
        commands++;
      } else item();
    }
    if (commands === 0) return;
    this.#words[0] = commands;
    await this.#pool.run();
  }

  async close(): Promise<void> {
    await this.#flushed;
    await this.#pool.stop();
  }

  // --- for the kernels of this device ---

  emit(name: KernelName, ...args: Argument[]): void {
    this.#queue.push({ kernel: KERNEL_NAMES.indexOf(name), signature: SIGNATURES[name], args });
  }

  emitDense(name: keyof typeof DENSE, ...args: Argument[]): void {
    this.#queue.push({ kernel: DENSE[name].number, signature: DENSE[name].signature, args });
  }

  /** Work of the host between two commands. */
  emitHost(step: HostStep): void {
    this.#queue.push(step);
  }

  /** Gives codes of open size and all that depends on them their addresses. */
  place(codes: CpuCodes, entries: number): void {
    codes.extent.entries = entries;
    codes.extent.resolved = true;
    this.#placeDependents(codes);
  }

  #placeDependents({ extent }: CpuCodes): void {
    for (const { tensor, bytesPerEntry } of extent.dependents) {
      tensor.bytes = extent.entries * bytesPerEntry;
      this.#scratch(tensor);
    }
    extent.dependents.length = 0;
  }

  /** Writes the row pointers of codes with `perRow` entries in every row. Fresh scratch: no queued command reads it yet. */
  fillEvenly(rowPtr: CpuTensor, perRow: number): void {
    const view = this.view(rowPtr);
    for (let r = 0; r < view.length; r++) view[r] = r * perRow;
  }

  view(tensor: Tensor): Float32Array | Uint32Array | Float64Array {
    const { dtype, offset, bytes } = this.#check(CpuTensor.of(tensor));
    const { buffer } = this.#pool.memory;
    if (dtype === 'f32') return new Float32Array(buffer, offset, bytes / 4);
    return dtype === 'u32' ? new Uint32Array(buffer, offset, bytes / 4) : new Float64Array(buffer, offset, bytes / 8);
  }

  #expectIdle(what: string): void {
    if (this.#queue.length > 0 || this.#flushes > 0) throw new Error(`${what}: the queue is not empty`);
  }

  #bytes(tensor: CpuTensor): Uint8Array {
    return new Uint8Array(this.#pool.memory.buffer, tensor.offset, tensor.bytes);
  }

  #scratch(tensor: CpuTensor): CpuTensor {
    tensor.offset = this.#heap.scratch(tensor.bytes);
    tensor.step = this.#step;
    return tensor;
  }

  #check(tensor: CpuTensor): CpuTensor {
    if (tensor.offset < 0 || (tensor.step !== undefined && tensor.step !== this.#step))
      throw new Error(`tensor [${tensor.shape.join(', ')}] is no longer (or not yet) there`);
    return tensor;
  }

  #encode(command: Command, at: number): number {
    const { kernel, signature, args } = command;
    const words = this.#words;
    words[at] = kernel;
    let to = at + 2;
    for (let i = 0; i < args.length; i++) {
      const given = args[i];
      const arg = typeof given === 'function' ? given() : given;
      const kind = signature[i];
      if (kind === 'p') words[to++] = arg === null || typeof arg === 'number' ? 0 : this.#check(arg).offset;
      else if (kind === 'i') words[to++] = arg as number;
      else if (kind === 'f') this.#floats[to++] = arg as number;
      else {
        // Doubles stand at a multiple of 8 bytes from the first argument.
        if ((to - at) % 2) to++;
        DOUBLE[0] = arg as number;
        words[to++] = DOUBLE_WORDS[0];
        words[to++] = DOUBLE_WORDS[1];
      }
    }
    words[at + 1] = to - at - 2;
    return to;
  }
}

const DOUBLE = new Float64Array(1);
const DOUBLE_WORDS = new Int32Array(DOUBLE.buffer);

const SIGNATURES = Object.fromEntries(KERNEL_NAMES.map((name) => [name, KERNELS[name].replaceAll(' ', '')])) as Record<
  KernelName,
  string
>;

/** Why the native ONNX Runtime cannot be used on this machine; undefined if it can. */
export async function whyNoOnnxRuntime(): Promise<string | undefined> {
  try {
    await import('onnxruntime-node');
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.split('\n')[0] : String(error);
  }
}
