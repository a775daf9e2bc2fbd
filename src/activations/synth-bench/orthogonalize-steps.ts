/** The steps of kernels/orthogonalize.ts, as every thread takes its share of them. */

/** PyTorch's defaults. */
const ADAM = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
/** Rows of the scratch that the kernel needs for itself. */
const SCRATCH_ROWS = 32;
const WORDS = 4;

/** Counters at the start of the memory: threads that have arrived at the barrier, and its number. */
export const CONTROL = { arrived: 0, phase: 1, bytes: 64 };

export interface Orthogonalization {
  readonly memory: WebAssembly.Memory;
  readonly kernels: WebAssembly.Module;
  /** Number of directions; `rows` and `columns` are filled up with zeros to multiples of 4 and 8. */
  readonly features: number;
  readonly rows: number;
  readonly columns: number;
  readonly steps: number;
  readonly rate: number;
  readonly threads: number;
}

interface Exports {
  gram(G: number, M: number, rows: number, d: number, first: number, stride: number): void;
  // prettier-ignore
  step(
    G: number, m: number, v: number, M: number, scratch: number,
    rows: number, d: number, first: number, stride: number,
    n: number, beta1: number, beta2: number, epsilon: number, rate: number, bias: number,
  ): void;
}

/** Byte addresses of the directions, their moments, their d × d matrix and the threads' scratch; `end` after all of them. */
export function layout(
  rows: number,
  columns: number,
  threads: number,
): Record<'G' | 'm' | 'v' | 'M' | 'scratch' | 'end', number> {
  const matrix = WORDS * rows * columns;
  const G = CONTROL.bytes;
  const [m, v, M] = [G + matrix, G + 2 * matrix, G + 3 * matrix];
  const scratch = M + WORDS * columns * columns;
  return { G, m, v, M, scratch, end: scratch + threads * WORDS * SCRATCH_ROWS * columns };
}

/** @param onStep told by thread 0 */
export async function takeSteps(job: Orthogonalization, thread: number, onStep: (done: number) => void): Promise<void> {
  const { memory, kernels, features, rows, columns, steps, rate, threads } = job;
  const { G, m, v, M, scratch } = layout(rows, columns, threads);
  const own = scratch + thread * WORDS * SCRATCH_ROWS * columns;
  const control = new Int32Array(memory.buffer, 0, CONTROL.bytes / WORDS);
  const { gram, step } = (await WebAssembly.instantiate(kernels, { env: { memory } })).exports as unknown as Exports;
  const { beta1, beta2, epsilon } = ADAM;
  let phase = 0;
  const barrier = (): void => {
    phase++;
    if (Atomics.add(control, CONTROL.arrived, 1) === threads - 1) {
      Atomics.store(control, CONTROL.arrived, 0);
      Atomics.store(control, CONTROL.phase, phase);
      Atomics.notify(control, CONTROL.phase);
    } else while (Atomics.load(control, CONTROL.phase) < phase) Atomics.wait(control, CONTROL.phase, phase - 1);
  };
  for (let t = 1; t <= steps; t++) {
    gram(G, M, rows, columns, thread, threads);
    barrier();
    const stepRate = rate / (1 - beta1 ** t);
    const bias = Math.sqrt(1 - beta2 ** t);
    step(G, m, v, M, own, rows, columns, thread, threads, features, beta1, beta2, epsilon, stepRate, bias);
    barrier();
    if (thread === 0) onStep(t);
  }
}
