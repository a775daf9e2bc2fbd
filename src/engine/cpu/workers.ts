/** The pool of worker threads: starts them, hands them programs, waits, and stops them. */
import { Worker } from 'node:worker_threads';
import { builtFile, loadKernels } from '../../core/built.ts';
import { SaeforestError } from '../../core/errors.ts';
import { CONTROL, PROGRAM } from './commands.ts';
import type { WorkerSetup } from './worker.ts';

type Message = { ready: string } | { error: string; hint?: string };

export class WorkerPool {
  readonly memory: WebAssembly.Memory;
  readonly threads: number;
  /** Who computes dense products, as the workers found. */
  readonly product: string;
  readonly #workers: Worker[];
  readonly #control: Int32Array;
  #generation = 0;
  #error: Error | undefined;
  /** Resolves with the first failure. */
  readonly #failure: Promise<Error>;
  #fail!: (error: Error) => void;

  private constructor(memory: WebAssembly.Memory, workers: Worker[], product: string) {
    this.memory = memory;
    this.threads = workers.length;
    this.product = product;
    this.#workers = workers;
    this.#control = new Int32Array(memory.buffer, 0, CONTROL.words);
    this.#failure = new Promise((resolve) => {
      this.#fail = (error) => resolve((this.#error ??= error));
    });
    for (const worker of workers) {
      worker.on('message', (message: Message) => {
        if ('error' in message) this.#fail(errorOf(message));
      });
      worker.on('error', (error: Error) => this.#die(error));
      worker.on('exit', () => this.#die(new Error('a worker thread ended unexpectedly')));
    }
  }

  /** @param native try ONNX Runtime; without it the portable product is used */
  static async start(threads: number, native: boolean): Promise<WorkerPool> {
    const memory = new WebAssembly.Memory({ initial: 64, maximum: 65536, shared: true });
    const modules = { sharedModule: loadKernels('shared'), denseModule: loadKernels('dense') };
    const workers = Array.from({ length: threads }, (_, thread) => {
      const workerData: WorkerSetup = { memory, ...modules, thread, threads, native };
      // Flags of the main script, such as --input-type, are not meant for the workers.
      return new Worker(builtFile('engine/cpu/worker.js'), { workerData, execArgv: [] });
    });
    try {
      const ready = await Promise.all(workers.map(firstMessage));
      return new WorkerPool(memory, workers, ready[0]);
    } catch (error) {
      // Those that did start would keep the process alive.
      await Promise.all(workers.map((worker) => worker.terminate()));
      throw error;
    }
  }

  /** Runs the program that stands at {@link PROGRAM}. */
  async run(): Promise<void> {
    if (this.#error) throw this.#error;
    const control = this.#control;
    const before = this.#generation++;
    Atomics.store(control, CONTROL.generation, this.#generation);
    Atomics.notify(control, CONTROL.generation);
    // Look again after waking up: the notification may be a late one for the program before.
    for (let last = before; last !== this.#generation; last = Atomics.load(control, CONTROL.finished)) {
      const wait = Atomics.waitAsync(control, CONTROL.finished, last);
      if (wait.async) await wait.value;
    }
    // The message of the worker that failed may still be on its way.
    if (Atomics.load(control, CONTROL.failed)) throw await this.#failure;
  }

  async stop(): Promise<void> {
    this.#fail(new Error('the device is closed'));
    Atomics.store(this.#control, CONTROL.stop, 1);
    Atomics.store(this.#control, CONTROL.generation, this.#generation + 1);
    Atomics.notify(this.#control, CONTROL.generation);
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  /** Wakes whoever waits for a program that will never finish. */
  #die(error: Error): void {
    this.#fail(error);
    Atomics.store(this.#control, CONTROL.failed, 1);
    Atomics.store(this.#control, CONTROL.finished, this.#generation);
    Atomics.notify(this.#control, CONTROL.finished);
  }
}

/** First address that tensors may use. */
export const HEAP_START = PROGRAM.offset + PROGRAM.bytes;

function firstMessage(worker: Worker): Promise<string> {
  return new Promise((resolve, reject) => {
    worker.once('message', (message: Message) =>
      'ready' in message ? resolve(message.ready) : reject(errorOf(message)),
    );
    worker.once('error', reject);
  });
}

function errorOf({ error, hint }: { error: string; hint?: string }): Error {
  return hint === undefined ? new Error(error) : new SaeforestError(error, { hint });
}
