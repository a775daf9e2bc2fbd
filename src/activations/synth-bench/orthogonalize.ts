/**
 * Directions made nearly orthogonal as SAELens does (`sae_lens/synthetic/feature_dictionary.py`): steps of Adam on
 * Σ_{i≠j} (g_i·g_j)² + N Σ_i (‖g_i‖² − 1)², then unit norms again. A step costs 1.5 N d² multiplications, not N² d: see
 * kernels/orthogonalize.ts. The result does not depend on the number of threads.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { builtFile, loadKernels } from '../../core/built.ts';
import { normalizeRows } from '../../core/rows.ts';
import { layout, takeSteps, type Orthogonalization } from './orthogonalize-steps.ts';

export interface OrthogonalizeOptions {
  readonly steps: number;
  /** Learning rate. */
  readonly rate: number;
  /** One per core by default; less work than starting them takes is done here. */
  readonly threads?: number;
  readonly onStep?: (done: number) => void;
}

const PAGE = 65_536;
/** Pages of kernels/asconfig.json. */
const PAGES = { initial: 16, maximum: 65_536 };
const PANEL = 8;
/** Multiplications that are done in less time than threads start. */
const LITTLE_WORK = 1e9;

/** The multiplications of {@link orthogonalize}. */
export const workOf = (features: number, d: number, steps: number): number => 1.5 * steps * features * d * d;

/** @param directions `[N, d]` of unit norm, changed in place */
export async function orthogonalize(directions: Float32Array, d: number, options: OrthogonalizeOptions): Promise<void> {
  const { steps, rate, onStep = () => {} } = options;
  const features = directions.length / d;
  const isLittle = workOf(features, d, steps) < LITTLE_WORK;
  const threads = options.threads ?? (isLittle ? 1 : availableParallelism());
  const [rows, columns] = [4 * Math.ceil(features / 4), PANEL * Math.ceil(d / PANEL)];
  const { G, end } = layout(rows, columns, threads);
  const initial = Math.max(PAGES.initial, Math.ceil(end / PAGE));
  const memory = new WebAssembly.Memory({ ...PAGES, initial, shared: true });
  const kernels = loadKernels('synth-bench');
  const job: Orthogonalization = { memory, kernels, features, rows, columns, steps, rate, threads };

  const panels = new Float32Array(memory.buffer, G, rows * columns);
  const place = (i: number, k: number): number => (Math.floor(k / PANEL) * rows + i) * PANEL + (k % PANEL);
  for (let i = 0; i < features; i++) for (let k = 0; k < d; k++) panels[place(i, k)] = directions[i * d + k];
  if (threads === 1 && isLittle) await takeSteps(job, 0, onStep);
  else await runThreads(job, onStep);
  for (let i = 0; i < features; i++) for (let k = 0; k < d; k++) directions[i * d + k] = panels[place(i, k)];
  normalizeRows(directions, d);
}

async function runThreads(job: Orthogonalization, onStep: (done: number) => void): Promise<void> {
  const script = builtFile('activations/synth-bench/orthogonalize-worker.js');
  const workers = Array.from({ length: job.threads }, (_, thread) => {
    return new Worker(script, { workerData: { ...job, thread }, execArgv: [] });
  });
  try {
    await Promise.all(workers.map((worker) => ended(worker, onStep)));
  } finally {
    // The others wait for one that failed.
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

function ended(worker: Worker, onStep: (done: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.on('message', onStep);
    worker.on('error', reject);
    worker.on('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`a worker thread ended with code ${code}`));
    });
  });
}
