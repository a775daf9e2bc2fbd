/**
 * A worker thread of the CPU device. It runs programs from shared memory: WASM kernels by number, and the dense commands
 * with a private memory of its own, because ONNX Runtime refuses shared memory. Which worker computes a block of rows never
 * changes the result.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { SaeforestError } from '../../core/errors.ts';
import { CONTROL, KERNEL_NAMES, PROGRAM } from './commands.ts';
import { DenseWorker } from './dense-worker.ts';

export interface WorkerSetup {
  memory: WebAssembly.Memory;
  sharedModule: WebAssembly.Module;
  denseModule: WebAssembly.Module;
  thread: number;
  threads: number;
  /** Use ONNX Runtime for dense products; otherwise the portable WASM product. */
  native: boolean;
}

type Kernel = (args: number, thread: number, threads: number) => void;

/** Polls of a barrier before the thread goes to sleep: barriers inside a step are microseconds apart. */
const SPINS = 4000;

const { memory, sharedModule, denseModule, thread, threads, native } = workerData as WorkerSetup;
const control = new Int32Array(memory.buffer, 0, CONTROL.words);
const shared = await WebAssembly.instantiate(sharedModule, { env: { memory } });
const kernels = KERNEL_NAMES.map((name) => shared.exports[name] as Kernel);
const dense = await DenseWorker.create(memory, denseModule, native);

let phase = 0;

function barrier(): void {
  phase++;
  if (Atomics.add(control, CONTROL.arrived, 1) === threads - 1) {
    Atomics.store(control, CONTROL.arrived, 0);
    Atomics.store(control, CONTROL.phase, phase);
    Atomics.notify(control, CONTROL.phase);
    return;
  }
  for (let i = 0; i < SPINS; i++) if (Atomics.load(control, CONTROL.phase) === phase) return;
  while (Atomics.load(control, CONTROL.phase) !== phase) Atomics.wait(control, CONTROL.phase, phase - 1);
}

async function runProgram(): Promise<void> {
  // The buffer object changes when the memory has grown.
  const words = new Int32Array(memory.buffer, PROGRAM.offset, PROGRAM.bytes / 4);
  for (let pc = 1, left = words[0]; left > 0; left--) {
    const kernel = words[pc];
    const count = words[pc + 1];
    const args = PROGRAM.offset + 4 * (pc + 2);
    if (Atomics.load(control, CONTROL.failed) === 0) {
      try {
        if (kernel < kernels.length) kernels[kernel](args, thread, threads);
        else await dense.run(kernel, args);
      } catch (error) {
        Atomics.store(control, CONTROL.failed, 1);
        const hint = error instanceof SaeforestError ? error.hint : undefined;
        parentPort!.postMessage({ error: error instanceof Error ? error.message : String(error), hint });
      }
    }
    barrier();
    pc += 2 + count;
  }
}

parentPort!.postMessage({ ready: dense.product });
for (let generation = 0; ;) {
  // A late notification for the program just run must not start it again.
  while (Atomics.load(control, CONTROL.generation) === generation) {
    Atomics.wait(control, CONTROL.generation, generation);
  }
  generation = Atomics.load(control, CONTROL.generation);
  if (Atomics.load(control, CONTROL.stop)) break;
  await runProgram();
  if (thread === 0) {
    Atomics.store(control, CONTROL.finished, generation);
    Atomics.notify(control, CONTROL.finished);
  }
}
process.exit(0);
