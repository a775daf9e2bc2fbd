/** Prefixes of a model on threads of their own: the caller's thread stays free to tokenise, encode and write. */
import { Worker } from 'node:worker_threads';
import { InputError } from '../core/errors.ts';
import type { ForwardFailure, ForwardReply, ForwardRequest, ForwardSetup } from './forward-worker.ts';
import type { Floats, Halves } from './run.ts';
import type { Site } from './site.ts';
import type { TokenBatch } from './tokens.ts';

/** Worker threads run the built script, also when this file runs from `src/` (tests). */
const SCRIPT = new URL('../../dist/lm/forward-worker.js', import.meta.url);

/** Of a batch, padding included. Larger ones leave the processor's cache and run slower, smaller ones read the weights too often. */
export const BATCH_TOKENS = 768;

/**
 * Batches that are sent to a worker before it has answered: so many that it need not wait while the caller's thread writes
 * a shard, as far as the answers, which wait for the caller, fit into memory.
 */
const DEPTH = { least: 3, most: 16 };
const ANSWER_BYTES = 64 * 2 ** 20;

/** Weights that all workers may hold together; larger models get fewer workers with more threads each. */
const WEIGHT_BYTES = 2 ** 30;

interface Job<A> {
  readonly batch: TokenBatch;
  resolve(acts: A[]): void;
  reject(error: Error): void;
}

interface Runner<A> {
  readonly worker: Worker;
  /** Jobs that were sent, by their number. */
  readonly sent: Map<number, Job<A>>;
}

/** Worker threads, and threads of the runtime in each. */
export interface ThreadShare {
  readonly workers: number;
  readonly threads: number;
  /** Batches that a worker is sent in advance. */
  readonly depth: number;
}

/**
 * How threads are shared out: one runtime thread per worker is faster than one runtime with all threads (by a seventh
 * on two cores), but every worker holds the weights.
 * @param rowBytes of the activations of one token, all sites together
 */
export function shareThreads(threads: number, parameters: number, rowBytes: number): ThreadShare {
  const affordable = Math.floor(WEIGHT_BYTES / (4 * parameters));
  const workers = Math.max(1, Math.min(threads, affordable));
  const fitting = Math.floor(ANSWER_BYTES / (workers * BATCH_TOKENS * rowBytes));
  const depth = Math.max(DEPTH.least, Math.min(DEPTH.most, fitting));
  return { workers, threads: Math.floor(threads / workers), depth };
}

export class ForwardPool<A extends Floats | Halves = Floats> {
  readonly #runners: readonly Runner<A>[];
  readonly #waiting: Job<A>[] = [];
  readonly #depth: number;
  readonly #stop: Int32Array;
  #jobs = 0;
  #error: Error | undefined;
  #closing = false;

  private constructor(workers: readonly Worker[], depth: number, stop: Int32Array) {
    this.#depth = depth;
    this.#stop = stop;
    this.#runners = workers.map((worker) => ({ worker, sent: new Map<number, Job<A>>() }));
    for (const runner of this.#runners) {
      runner.worker.on('message', (message: ForwardReply) => this.#receive(runner, message));
      runner.worker.on('error', (error: Error) => this.#fail(error));
      runner.worker.on('exit', () => {
        if (!this.#closing) this.#fail(new Error('a worker thread ended unexpectedly'));
      });
    }
  }

  /** @throws InputError if the model cannot be loaded; UsageError's message as InputError if it has no such site */
  static start(folder: string, sites: readonly Site[], share: ThreadShare): Promise<ForwardPool> {
    return ForwardPool.#start<Floats>(folder, sites, false, share);
  }

  /** A pool that gives binary16, as `Prefix.createHalf`. */
  static startHalf(folder: string, sites: readonly Site[], share: ThreadShare): Promise<ForwardPool<Halves>> {
    return ForwardPool.#start<Halves>(folder, sites, true, share);
  }

  static async #start<A extends Floats | Halves>(
    folder: string,
    sites: readonly Site[],
    half: boolean,
    share: ThreadShare,
  ): Promise<ForwardPool<A>> {
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const setup: ForwardSetup = { folder, sites, half, threads: share.threads, stop };
    const workers = Array.from({ length: share.workers }, () => new Worker(SCRIPT, { workerData: setup }));
    try {
      await Promise.all(workers.map(whenReady));
      return new ForwardPool<A>(workers, share.depth, stop);
    } catch (error) {
      // Those that did start would keep the process alive.
      await Promise.all(workers.map(end));
      throw error;
    }
  }

  /**
   * Runs a batch as soon as a worker is free; many may wait. The batch's arrays are handed over and unusable afterwards.
   * @returns [n, length, d] of every site; rows of padding positions mean nothing
   * @throws InputError if the runtime fails on it
   */
  run(batch: TokenBatch): Promise<A[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ batch, resolve, reject });
      if (this.#error) this.#fail(this.#error);
      else this.#dispatch();
    });
  }

  /** Ends the threads as soon as the batches in the runtime are done; what waits for a batch is told that there will be none. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#fail(new Error('the threads that run the model were ended'));
    Atomics.store(this.#stop, 0, 1);
    await Promise.all(this.#runners.map(({ worker }) => end(worker)));
  }

  #dispatch(): void {
    for (let depth = 0; depth < this.#depth; depth++) {
      for (const runner of this.#runners) {
        if (runner.sent.size > depth) continue;
        const job = this.#waiting.shift();
        if (!job) return;
        const id = this.#jobs++;
        runner.sent.set(id, job);
        const { ids, mask } = job.batch;
        const request: ForwardRequest = { id, batch: job.batch };
        runner.worker.postMessage(request, [ids.buffer as ArrayBuffer, mask.buffer as ArrayBuffer]);
      }
    }
  }

  #receive(runner: Runner<A>, message: ForwardReply): void {
    if (message.kind === 'failed') this.#fail(errorOf(message.failure));
    if (message.kind !== 'done') return;
    const job = runner.sent.get(message.id);
    runner.sent.delete(message.id);
    this.#dispatch();
    job?.resolve(message.acts as A[]);
  }

  #fail(error: Error): void {
    this.#error ??= error;
    const jobs = [...this.#waiting, ...this.#runners.flatMap(({ sent }) => [...sent.values()])];
    this.#waiting.length = 0;
    for (const { sent } of this.#runners) sent.clear();
    for (const { reject } of jobs) reject(this.#error);
  }
}

function whenReady(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.once('message', (message: ForwardReply) =>
      message.kind === 'failed' ? reject(errorOf(message.failure)) : resolve(),
    );
    worker.once('error', reject);
  });
}

function end(worker: Worker): Promise<void> {
  return new Promise((resolve) => {
    worker.once('exit', () => resolve());
    worker.postMessage(null satisfies ForwardRequest, []);
    // Negative once a thread has ended.
    if (worker.threadId < 0) resolve();
  });
}

function errorOf({ message, where, hint }: ForwardFailure): InputError {
  return new InputError(message, { ...(where !== undefined && { where }), ...(hint !== undefined && { hint }) });
}
