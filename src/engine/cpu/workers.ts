/** The pool of worker threads: starts them, hands them programs, waits, and stops them. */
import { Worker } from 'node:worker_threads';
import { loadKernels, workerScript } from './artifacts.ts';
import { CONTROL, PROGRAM } from './commands.ts';
import type { WorkerSetup } from './worker.ts';

type Message = { ready: string } | { error: string };

export class WorkerPool {
  readonly memory: WebAssembly.Memory;
  readonly threads: number;
  /** Who computes dense products, as the workers found. */
  readonly product: string;
  readonly #workers: Worker[];
  readonly #control: Int32Array;
  #generation = 0;
  #error: Error | undefined;

  private constructor(memory: WebAssembly.Memory, workers: Worker[], product: string) {
    this.memory = memory;
    this.threads = workers.length;
    this.product = product;
    this.#workers = workers;
    this.#control = new Int32Array(memory.buffer, 0, CONTROL.words);
    for (const worker of workers) {
      worker.on('message', (message: Message) => {
        if ('error' in message) this.#error ??= new Error(message.error);
      });
      worker.on('error', (error: Error) => this.#die(error));
    }
  }

  /** @param native try ONNX Runtime; without it the portable product is used */
  static async start(threads: number, native: boolean): Promise<WorkerPool> {
    const memory = new WebAssembly.Memory({ initial: 64, maximum: 65536, shared: true });
    const modules = { sharedModule: loadKernels('shared'), denseModule: loadKernels('dense') };
    const workers = Array.from({ length: threads }, (_, thread) => {
      const workerData: WorkerSetup = { memory, ...modules, thread, threads, native };
      return new Worker(workerScript, { workerData });
    });
    const ready = await Promise.all(workers.map(firstMessage));
    return new WorkerPool(memory, workers, ready[0]);
  }

  /** Runs the program that stands at {@link PROGRAM}. */
  async run(): Promise<void> {
    if (this.#error) throw this.#error;
    const control = this.#control;
    const before = this.#generation++;
    Atomics.store(control, CONTROL.generation, this.#generation);
    Atomics.notify(control, CONTROL.generation);
    const wait = Atomics.waitAsync(control, CONTROL.finished, before);
    if (wait.async) await wait.value;
    if (Atomics.load(control, CONTROL.failed)) {
      // The message of the worker that failed is on its way.
      await new Promise((resolve) => setImmediate(resolve));
      throw this.#error ?? new Error('a worker thread failed');
    }
  }

  async stop(): Promise<void> {
    Atomics.store(this.#control, CONTROL.stop, 1);
    Atomics.store(this.#control, CONTROL.generation, this.#generation + 1);
    Atomics.notify(this.#control, CONTROL.generation);
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  /** Wakes whoever waits for a program that will never finish. */
  #die(error: Error): void {
    this.#error ??= error;
    Atomics.store(this.#control, CONTROL.failed, 1);
    Atomics.store(this.#control, CONTROL.finished, this.#generation);
    Atomics.notify(this.#control, CONTROL.finished);
  }
}

/** First address that tensors may use. */
export const HEAP_START = PROGRAM.offset + PROGRAM.bytes;

function firstMessage(worker: Worker): Promise<string> {
  return new Promise((resolve, reject) => {
    worker.once('message', (message: Message) => ('ready' in message ? resolve(message.ready) : reject(new Error(message.error))));
    worker.once('error', reject);
  });
}
